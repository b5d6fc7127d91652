"""Answers as tables for people, or as the format that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pyarrow as pa

from condvest.cli.output import screen
from condvest.cli.output.data import write_arrow
from condvest.cli.output.destination import Format, format_for
from condvest.cli.output.summaries import waiting_in_words


def show_status(state: Mapping[str, Any]) -> None:
    """Show what `read_status` returned as tables for people."""
    sessions = state["sessions"]
    if not state["providers"]:
        click.echo("nothing is loaded; begin with: condvest demo, or: condvest import FILE")
    else:
        columns = ("provider", "first", "last", "complete", "partial", "missing", "behind")
        rows = [[provider[name] for name in columns] for provider in state["providers"]]
        # The sample has no new sessions: there the day's date would tell nothing.
        goes_on = any(provider["behind"] is not None for provider in state["providers"])
        closed = f" (the exchange last closed {state['closed']})" if goes_on else ""
        screen.table(columns, rows, title=f"\nSessions{closed}")
    last = state["last_run"]
    ended = "none"
    if last:
        code = "no end yet (or killed)" if last["exit_code"] is None else f"exit code {last['exit_code']}"
        ended = f"{last['command']} at {last['started_at']}, {code}"
    behind = f" ({waiting_in_words(state['waiting'])})" if state["waiting"] else ""
    if state["rebuild"]:
        began, to_do = state["rebuild"]["began"], state["rebuild"]["to_do"]
        click.echo(f"\nthe rebuild that began at {began} has not ended; {to_do}")
    click.echo()
    screen.table(("interval", *state["bars"]), [("bars", *state["bars"].values())])
    click.echo(
        f"\nsessions         {_span(sessions)}\n"
        f"instruments      {state['instruments']:,}\n"
        f"daily bars       {state['daily_bars']:,}\n"
        f"refused rows     {state['refused']:,}\n"
        f"changes waiting  {state['changes_waiting']:,}{behind}\n"
        f"last run         {screen.printable(ended)}"
    )


def _span(sessions: Mapping[str, Any]) -> str:
    return f"{sessions['first']} to {sessions['last']}" if sessions["first"] else "none"


def show_table(
    data: pa.Table,
    shape: Format | None,
    path: Path | None,
    hidden: tuple[str, ...] = (),
    exact: tuple[str, ...] = (),
) -> None:
    """Write a table to a file in the format asked for, or show it to people.

    Args:
        data: the table.
        shape: the format; None for the file's suffix, or else a table for people.
        path: the file; None for standard output.
        hidden: columns that people are not shown; a file has them all.
        exact: columns whose numbers people are shown to the last digit.
    """
    chosen = format_for(path, shape)
    if chosen == "table":
        names = [name for name in data.column_names if name not in hidden]
        screen.table(names, [list(row.values()) for row in data.select(names).to_pylist()], exact=exact)
    else:
        write_arrow(data, chosen, path)
