"""What the database holds, and what waits in it, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from condvest.cli.output import screen
from condvest.cli.output.printable import printable


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
        f"last run         {printable(ended)}"
    )


def _span(sessions: Mapping[str, Any]) -> str:
    return f"{sessions['first']} to {sessions['last']}" if sessions["first"] else "none"


def waiting_in_words(waiting: Mapping[str, Any]) -> str:
    """Return in words what waits to be resampled.

    See `condvest.serving_layer.queries.reports.status.what_waits`.
    """
    windows = ", ".join(f"{count:,} of {n}" for n, count in waiting["windows"].items())
    return (
        f"{waiting['sessions']:,} sessions ({waiting['first']} to {waiting['last']}) of "
        f"{waiting['instruments']:,} instruments; windows: {windows}"
    )
