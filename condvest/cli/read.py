"""The commands that only read: bars, status, refused, gaps."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import click
import pyarrow as pa

from batch_layer.database.stores.loads import refused_rows
from batch_layer.operations.compare import compare_providers
from batch_layer.operations.workspace import Workspace
from batch_layer.shared.errors import UsageError
from batch_layer.shared.variables import checked_location
from condvest.api import From, answer
from condvest.cli import output
from condvest.cli.context import Cli, json_option, pass_cli
from serving_layer.queries.gaps import read_gaps
from serving_layer.queries.history import read_history
from serving_layer.queries.instruments import read_instruments
from serving_layer.queries.quality import flag_bars, flags_as_json
from serving_layer.queries.question import Adjust, Anchor, Question
from serving_layer.queries.refused import refused_table
from serving_layer.queries.status import read_status


class _SessionType(click.ParamType[dt.date]):
    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:  # noqa: ANN401
        """Read an ISO date."""
        try:
            return value if isinstance(value, dt.date) else dt.date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no date; write it as 2024-07-31", param, ctx)


SESSION = _SessionType()
"""The type of an option that holds a date."""


class _InstantType(click.ParamType[dt.datetime]):
    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:  # noqa: ANN401
        """Read an ISO instant; a date stands for its last microsecond, a time without a zone is UTC."""
        try:
            if len(value) == len("2024-07-31"):
                return dt.datetime.combine(dt.date.fromisoformat(value), dt.time.max, dt.UTC)
            instant = dt.datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no instant; write it as 2024-07-31 or 2024-07-31T21:00:00Z", param, ctx)
        return instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)


INSTANT = _InstantType()
"""The type of an option that holds an instant."""

_format = click.option(
    "--format",
    "shape",
    type=click.Choice(output.FORMATS),
    default="table",
    show_default=True,
    help="How to show it.",
)
_output = click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path),
    help="Write to a file; its suffix (.csv, .json, .parquet) names the format if --format does not.",
)


@click.command(short_help="Print bars of n sessions.")
@click.argument("symbols", nargs=-1, metavar="[SYMBOL...]")
@click.option("--interval", type=int, default=13, show_default=True, help="Sessions a bar; 1 for daily bars.")
@click.option("--start", type=SESSION, help="First last_session wanted, inclusive.")
@click.option("--end", type=SESSION, help="Last last_session wanted, inclusive.")
@click.option(
    "--adjust",
    type=click.Choice(get_args(Adjust)),
    default="splits",
    show_default=True,
    help="What prices are adjusted for.",
)
@click.option(
    "--anchor",
    type=click.Choice(get_args(Anchor)),
    default="calendar",
    show_default=True,
    help="What windows are counted from.",
)
@click.option("--as-of", type=INSTANT, help="As it was known then: a date (its end, UTC) or an ISO instant.")
@click.option(
    "--include-open", is_flag=True, help="Give bars that are not complete, too: open, or lacking a session."
)
@click.option(
    "--source",
    type=click.Choice(get_args(From)),
    default="database",
    show_default=True,
    help="Where to read: published needs no database.",
)
@click.option(
    "--from",
    "place",
    metavar="DIR|S3",
    help="What is published there, with --source published; before CONDVEST_PUBLISHED.",
)
@_format
@_output
@pass_cli
def bars(
    cli: Cli,
    symbols: tuple[str, ...],
    interval: int,
    start: dt.date | None,
    end: dt.date | None,
    adjust: Adjust,
    anchor: Anchor,
    as_of: dt.datetime | None,
    include_open: bool,
    source: From,
    place: str | None,
    shape: str,
    path: Path | None,
) -> None:
    """Print bars of n sessions, of the symbols or of the whole market.

    Prices are on the split basis that --adjust names: each window's own end (none), or the last loaded
    session (splits), there with the cash dividends reinvested (total).
    """
    if place is not None and source != "published":
        raise UsageError("--from names what is published: it is for --source published")
    question = Question(list(symbols) or None, interval, start, end, adjust, anchor, include_open, as_of)
    settings = replace(
        cli.settings, published_at=checked_location("--from", place) or cli.settings.published_at
    )
    table = answer(question, source, settings)
    shape = output.shape_for(path, shape)
    if shape == "table":
        show_bars(table)
    else:
        output.write_arrow(table, shape, path)


@click.command(short_help="Say what the database holds.")
@json_option
@pass_cli
def status(cli: Cli, as_json: bool) -> None:
    """Say what the database holds: sessions, instruments, bars, what waits, the last run."""
    with cli.workspace(may_create=False) as workspace:
        if as_json:
            output.write_json(read_status(workspace))
        else:
            show_status(workspace)


@click.command(short_help="List the rows that broke a rule.")
@_format
@_output
@pass_cli
def refused(cli: Cli, shape: str, path: Path | None) -> None:
    """List the rows that broke a rule: where they stood, which rule, and the row itself."""
    with (
        cli.workspace(may_create=False) as workspace,
        workspace.database.transaction(read_only=True) as connection,
    ):
        rows = refused_rows(connection)
    _show(refused_table(rows), shape, path, hidden=("content", "load_id", "dataset", "provider"))


@click.command(short_help="List the sessions that an instrument lacks in its history.")
@click.argument("symbols", nargs=-1, metavar="[SYMBOL...]")
@_format
@_output
@pass_cli
def gaps(cli: Cli, symbols: tuple[str, ...], shape: str, path: Path | None) -> None:
    """List the sessions that an instrument lacks between its first and its last daily bar."""
    with cli.workspace(may_create=False) as workspace:
        found = read_gaps(workspace, symbols)
    _show(found, shape, path)


@click.command(short_help="Show how the daily bars of a symbol came to be.")
@click.argument("symbol")
@click.option("--session", type=SESSION, help="Of this session only.")
@_format
@_output
@pass_cli
def history(cli: Cli, symbol: str, session: dt.date | None, shape: str, path: Path | None) -> None:
    """Show how the daily bars of a symbol came to be what they are: values, instants, payloads."""
    with cli.workspace(may_create=False) as workspace:
        found = read_history(workspace, symbol, session)
    _show(found, shape, path, hidden=("vwap", "trades", "provider", "archive_key", "ended_by", "open"))


@click.command(short_help="List the instruments with what is known about each.")
@click.option("--active", "listed", flag_value="active", help="Only those listed now.")
@click.option("--delisted", "listed", flag_value="delisted", help="Only those delisted.")
@click.option("--as-of", type=INSTANT, help="As it was known then: a date (its end, UTC) or an ISO instant.")
@_format
@_output
@pass_cli
def instruments(
    cli: Cli, listed: str | None, as_of: dt.datetime | None, shape: str, path: Path | None
) -> None:
    """List the instruments with what is known about each; delisted ones stay for good."""
    with cli.workspace(may_create=False) as workspace:
        found = read_instruments(
            workspace, active=None if listed is None else listed == "active", as_of=as_of
        )
    shown = ("symbol", "name", "type", "exchange", "active", "first_session", "last_session")
    _show(found, shape, path, hidden=tuple(name for name in found.column_names if name not in shown))


@click.command(short_help="Flag what looks wrong in the series of daily bars.")
@click.argument("symbols", nargs=-1, metavar="[SYMBOL...]")
@json_option
@_format
@_output
@pass_cli
def quality(cli: Cli, symbols: tuple[str, ...], as_json: bool, shape: str, path: Path | None) -> None:
    """Flag what looks wrong in the series of daily bars; nothing is altered.

    Splits that the prices deny or lack, moves that nothing explains, prices that repeat, volume out of scale.
    """
    with cli.workspace(may_create=False) as workspace, output.progress("screening") as progress:
        found = flag_bars(
            workspace, symbols, on_progress=lambda done, total: output.advance(progress, done, total)
        )
    if as_json:
        output.write_json(flags_as_json(found))
    else:
        _show(found, shape, path, hidden=("reason",))


@click.command(short_help="Show where the daily bars of two providers differ.")
@click.option("--providers", required=True, metavar="A,B", help="The two to compare.")
@click.option(
    "--tolerance", type=float, default=1e-6, show_default=True, help="Relative; more is a difference."
)
@_format
@_output
@pass_cli
def compare(cli: Cli, providers: str, tolerance: float, shape: str, path: Path | None) -> None:
    """Set two providers side by side: every value in which their daily bars differ.

    What they answered counts, from the archive, whichever of them the stored bars are from.
    """
    left, _, right = providers.partition(",")
    if not left or not right or left == right or "," in right:
        raise UsageError(f"--providers {providers!r}: name two, as in sample,file")
    with cli.workspace(may_create=False) as workspace:
        found = compare_providers(workspace, left, right, tolerance)
    _show(found, shape, path)


COMMANDS = (bars, status, refused, gaps, history, instruments, quality, compare)


def show_bars(table: pa.Table, title: str = "") -> None:
    """Show bars as a table for people, within 80 columns."""
    shown = ("symbol", "first_session", "last_session", "open", "high", "low", "close", "volume")
    rows = zip(*(table[name].to_pylist() for name in shown), _states(table), strict=True)
    heads = ("symbol", "first", "last", "open", "high", "low", "close", "volume", "")
    output.table(heads, list(rows), title=title)


def _states(table: pa.Table) -> list[str]:
    """Return, per bar, what to say of it: nothing if it is complete, else ``open`` or ``incomplete``.

    A bar that is followed by a complete one of its symbol lacks a session; the others are still open.
    """
    states: list[str] = []
    followed: set[str] = set()
    for symbol, is_complete in zip(
        reversed(table["symbol"].to_pylist()), reversed(table["is_complete"].to_pylist()), strict=True
    ):
        states.append("" if is_complete else "incomplete" if symbol in followed else "open")
        if is_complete:
            followed.add(symbol)
    return states[::-1]


def show_status(workspace: Workspace) -> None:
    """Show the status as tables for people."""
    found = read_status(workspace)
    sessions = found["sessions"]
    output.table(
        ("provider", "first", "last", "complete", "partial", "missing"),
        [
            [one[name] for name in ("provider", "first", "last", "complete", "partial", "missing")]
            for one in found["providers"]
        ],
        title="\nSessions",
    )
    if not found["providers"]:
        click.echo("none yet; begin with: condvest demo, or: condvest import FILE")
    last = found["last_run"]
    ended = "none"
    if last:
        code = "not finished" if last["exit_code"] is None else f"exit code {last['exit_code']}"
        ended = f"{last['command']} at {last['started_at']}, {code}"
    click.echo()
    output.table(("interval", *found["bars"]), [("bars", *found["bars"].values())])
    click.echo(
        f"\nsessions         {sessions['first']} to {sessions['last']}\n"
        f"instruments      {found['instruments']:,}\n"
        f"daily bars       {found['daily_bars']:,}\n"
        f"refused rows     {found['refused']:,}\n"
        f"changes waiting  {found['changes_waiting']:,}\n"
        f"last run         {ended}"
    )


def _show(data: pa.Table, shape: str, path: Path | None, hidden: tuple[str, ...] = ()) -> None:
    shape = output.shape_for(path, shape)
    if shape == "table":
        names = [name for name in data.column_names if name not in hidden]
        output.table(names, [list(row.values()) for row in data.select(names).to_pylist()])
    else:
        output.write_arrow(data, shape, path)
