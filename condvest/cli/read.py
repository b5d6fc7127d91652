"""The commands that only read: bars, status, refused, gaps, history, instruments, quality, compare."""

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
from condvest.api import LOCAL, From, answer
from condvest.cli import output, screen
from condvest.cli.context import Cli, json_option, pass_cli
from condvest.cli.destination import FORMATS, Format, format_for
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
            self.fail(f"expected a date such as 2024-07-31, got {value!r}", param, ctx)


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
            self.fail(
                f"expected an instant such as 2024-07-31 or 2024-07-31T21:00:00Z, got {value!r}", param, ctx
            )
        return instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)


INSTANT = _InstantType()
"""The type of an option that holds an instant."""


def _file_or_output(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    """Return the file to write, None for standard output, which ``-`` names as well."""
    return None if path is None or str(path) == "-" else path


_format = click.option(
    "--format",
    "shape",
    type=click.Choice(FORMATS),
    help="How to write the answer. Default: the file's suffix, or a table.",
)
_output = click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path, allow_dash=True),
    callback=_file_or_output,
    help="Write to a file; .csv, .json or .parquet names the format, .gz compresses.",
)


@click.command(short_help="Print bars of n sessions.")
@click.argument("symbols", nargs=-1, metavar="[SYMBOL...]")
@click.option(
    "--interval", type=int, default=13, show_default=True, help="Sessions per bar; 1 for daily bars."
)
@click.option("--start", type=SESSION, help="Keep bars that end on or after DATE.")
@click.option("--end", type=SESSION, help="Keep bars that end on or before DATE.")
@click.option(
    "--adjust",
    type=click.Choice(get_args(Adjust)),
    default="splits",
    show_default=True,
    help="What to adjust prices for.",
)
@click.option(
    "--anchor",
    type=click.Choice(get_args(Anchor)),
    default="calendar",
    show_default=True,
    help="Count windows by the exchange's calendar, or from each first session.",
)
@click.option(
    "--as-of", type=INSTANT, help="As this database knew it at a date's end (UTC) or at an ISO instant."
)
@click.option(
    "--include-open", is_flag=True, help="Include bars that are not complete: open, or lacking a session."
)
@click.option(
    "--source",
    type=click.Choice(LOCAL),
    default="database",
    show_default=True,
    help="Where to read; published needs no database.",
)
@click.option(
    "--from",
    "place",
    metavar="DIR|S3",
    help="With --source published: where to read; overrides CONDVEST_PUBLISHED.",
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
    shape: Format | None,
    path: Path | None,
) -> None:
    """Print bars of n sessions of the symbols, or of the whole market.

    --adjust none leaves prices on the split basis of each window's own end; splits adjusts them to the last
    loaded session; total also reinvests cash dividends.
    """
    if place is not None and source != "published":
        raise UsageError("--from needs --source published")
    question = Question(list(symbols) or None, interval, start, end, adjust, anchor, include_open, as_of)
    settings = replace(
        cli.settings, published_at=checked_location("--from", place) or cli.settings.published_at
    )
    chosen = format_for(path, shape)
    table = answer(question, source, settings)
    if chosen == "table":
        show_bars(table)
    else:
        output.write_arrow(table, chosen, path)


@click.command(short_help="Show what the database holds.")
@json_option
@pass_cli
def status(cli: Cli, as_json: bool) -> None:
    """Show what the database holds: sessions, instruments, bars, changes waiting, the last run."""
    with cli.workspace(may_create=False) as workspace:
        if as_json:
            output.write_json(read_status(workspace))
        else:
            show_status(workspace)


@click.command(short_help="List the rows that broke a rule.")
@click.option("--new", "only_new", is_flag=True, help="Only those first refused by the last run or import.")
@_format
@_output
@pass_cli
def refused(cli: Cli, only_new: bool, shape: Format | None, path: Path | None) -> None:
    """List the rows that broke a rule: file and line, the rule, and the row itself.

    A row that a provider sends again each night is refused again each night, but is new only once.
    """
    with (
        cli.workspace(may_create=False) as workspace,
        workspace.database.transaction(read_only=True) as connection,
    ):
        rows = refused_rows(connection, only_new=only_new)
    _show(refused_table(rows), shape, path, hidden=("content", "load_id", "dataset", "provider"))


@click.command(short_help="List the sessions missing from a history.")
@click.argument("symbols", nargs=-1, metavar="[SYMBOL...]")
@_format
@_output
@pass_cli
def gaps(cli: Cli, symbols: tuple[str, ...], shape: Format | None, path: Path | None) -> None:
    """List the sessions missing between an instrument's first and last daily bar."""
    with cli.workspace(may_create=False) as workspace:
        found = read_gaps(workspace, symbols)
    _show(found, shape, path)


@click.command(short_help="Show every version of a symbol's daily bars.")
@click.argument("symbol")
@click.option("--session", type=SESSION, help="Only this session.")
@_format
@_output
@pass_cli
def history(cli: Cli, symbol: str, session: dt.date | None, shape: Format | None, path: Path | None) -> None:
    """Show every version of a symbol's daily bars: values, when each was known, where it came from."""
    with cli.workspace(may_create=False) as workspace:
        found = read_history(workspace, symbol, session)
    _show(found, shape, path, hidden=("vwap", "trades", "provider", "archive_key", "ended_by", "open"))


@click.command(short_help="List the instruments and their metadata.")
@click.option("--active", "listed", flag_value="active", help="Only those listed now.")
@click.option("--delisted", "listed", flag_value="delisted", help="Only those delisted.")
@click.option("--as-of", type=INSTANT, help="As this database knew it then; not: listed then.")
@_format
@_output
@pass_cli
def instruments(
    cli: Cli, listed: str | None, as_of: dt.datetime | None, shape: Format | None, path: Path | None
) -> None:
    """List the instruments and their metadata; delisted ones stay for good."""
    with cli.workspace(may_create=False) as workspace:
        found = read_instruments(
            workspace, active=None if listed is None else listed == "active", as_of=as_of
        )
    shown = ("symbol", "name", "type", "exchange", "active", "first_session", "last_session")
    _show(found, shape, path, hidden=tuple(name for name in found.column_names if name not in shown))


@click.command(short_help="Flag what looks wrong in series of daily bars.")
@click.argument("symbols", nargs=-1, metavar="[SYMBOL...]")
@json_option
@_format
@_output
@pass_cli
def quality(
    cli: Cli, symbols: tuple[str, ...], as_json: bool, shape: Format | None, path: Path | None
) -> None:
    """Flag what looks wrong in series of daily bars; alter nothing.

    Flags splits that the prices contradict or lack, unexplained moves, repeated prices, and volume out of
    scale.
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
@click.option("--providers", required=True, metavar="A,B", help="The two providers to compare.")
@click.option(
    "--tolerance", type=float, default=1e-6, show_default=True, help="Largest relative difference to ignore."
)
@_format
@_output
@pass_cli
def compare(cli: Cli, providers: str, tolerance: float, shape: Format | None, path: Path | None) -> None:
    """Compare two providers: list every value in which their daily bars differ.

    The comparison reads their answers from the archive, whichever provider the stored bars are from.
    """
    left, _, right = providers.partition(",")
    if not left or not right or left == right or "," in right:
        raise UsageError(f"--providers must name two providers, such as sample,file; got {providers!r}")
    with cli.workspace(may_create=False) as workspace:
        found = compare_providers(workspace, left, right, tolerance)
    _show(found, shape, path, exact=(left, right))


COMMANDS = (bars, status, refused, gaps, history, instruments, quality, compare)


def show_bars(table: pa.Table, title: str = "") -> None:
    """Show bars as a table for people."""
    shown = ("symbol", "first_session", "last_session", "open", "high", "low", "close", "volume")
    rows = zip(*(table[name].to_pylist() for name in shown), _states(table), strict=True)
    heads = ("symbol", "first", "last", "open", "high", "low", "close", "volume", "")
    screen.table(heads, list(rows), title=title)


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
    screen.table(
        ("provider", "first", "last", "complete", "partial", "missing"),
        [
            [one[name] for name in ("provider", "first", "last", "complete", "partial", "missing")]
            for one in found["providers"]
        ],
        title="\nSessions",
    )
    if not found["providers"]:
        click.echo("nothing is loaded; begin with: condvest demo, or: condvest import FILE")
    last = found["last_run"]
    ended = "none"
    if last:
        code = "not finished" if last["exit_code"] is None else f"exit code {last['exit_code']}"
        ended = f"{last['command']} at {last['started_at']}, {code}"
    click.echo()
    screen.table(("interval", *found["bars"]), [("bars", *found["bars"].values())])
    click.echo(
        f"\nsessions         {sessions['first']} to {sessions['last']}\n"
        f"instruments      {found['instruments']:,}\n"
        f"daily bars       {found['daily_bars']:,}\n"
        f"refused rows     {found['refused']:,}\n"
        f"changes waiting  {found['changes_waiting']:,}\n"
        f"last run         {screen.printable(ended)}"
    )


def _show(
    data: pa.Table,
    shape: Format | None,
    path: Path | None,
    hidden: tuple[str, ...] = (),
    exact: tuple[str, ...] = (),
) -> None:
    chosen = format_for(path, shape)
    if chosen == "table":
        names = [name for name in data.column_names if name not in hidden]
        screen.table(names, [list(row.values()) for row in data.select(names).to_pylist()], exact=exact)
    else:
        output.write_arrow(data, chosen, path)
