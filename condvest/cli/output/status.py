"""What the database holds, and what waits in it, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from batch_layer.database.opening import OpenDatabase
from condvest.cli.output import screen
from condvest.cli.output.printable import printable
from serving_layer.queries.status import read_status


def show_status(opened: OpenDatabase) -> None:
    """Show the status as tables for people."""
    state = read_status(opened)
    sessions = state["sessions"]
    screen.table(
        ("provider", "first", "last", "complete", "partial", "missing"),
        [
            [provider[name] for name in ("provider", "first", "last", "complete", "partial", "missing")]
            for provider in state["providers"]
        ],
        title="\nSessions",
    )
    if not state["providers"]:
        click.echo("nothing is loaded; begin with: condvest demo, or: condvest import FILE")
    last = state["last_run"]
    ended = "none"
    if last:
        code = "not finished" if last["exit_code"] is None else f"exit code {last['exit_code']}"
        ended = f"{last['command']} at {last['started_at']}, {code}"
    behind = f" ({waiting_in_words(state['waiting'])})" if state["waiting"] else ""
    if state["rebuild"]:
        began, to_do = state["rebuild"]["began"], state["rebuild"]["to_do"]
        click.echo(f"\nthe rebuild that began at {began} has not ended; {to_do}")
    click.echo()
    screen.table(("interval", *state["bars"]), [("bars", *state["bars"].values())])
    click.echo(
        f"\nsessions         {sessions['first']} to {sessions['last']}\n"
        f"instruments      {state['instruments']:,}\n"
        f"daily bars       {state['daily_bars']:,}\n"
        f"refused rows     {state['refused']:,}\n"
        f"changes waiting  {state['changes_waiting']:,}{behind}\n"
        f"last run         {printable(ended)}"
    )


def waiting_in_words(waiting: Mapping[str, Any]) -> str:
    """Return what waits to be resampled in words; see `serving_layer.queries.status.what_waits`."""
    windows = ", ".join(f"{count:,} of {n}" for n, count in waiting["windows"].items())
    return (
        f"{waiting['sessions']:,} sessions ({waiting['first']} to {waiting['last']}) of "
        f"{waiting['instruments']:,} instruments; windows: {windows}"
    )
