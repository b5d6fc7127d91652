"""The commands that only read the database: runs, refused, gaps, history, instruments, quality."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.compute as pc

from condvest.batch_layer.database.stores.daily.refused import refused_rows
from condvest.batch_layer.shared.errors import UnknownSymbol
from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import INSTANT, SESSION, format_option, json_option, named_symbols, output_option
from condvest.cli.output.data import write_json
from condvest.cli.output.destination import Format, format_for
from condvest.cli.output.messages import message
from condvest.cli.output.progress import advance, progress
from condvest.cli.output.tables import show_table
from condvest.serving_layer.queries.history import read_history
from condvest.serving_layer.queries.instruments import read_instruments
from condvest.serving_layer.queries.reports.gaps import read_gaps
from condvest.serving_layer.queries.reports.quality import flag_bars, flags_as_json
from condvest.serving_layer.queries.reports.refused import refused_table
from condvest.serving_layer.queries.reports.runs import read_runs
from condvest.serving_layer.queries.universe import only_listed, read_universe
from condvest.serving_layer.sources.database import reading

SHOWN_REFUSED = 1_000
"""Refused rows that a table for people has: a file may have half a million."""


@click.command(short_help="List the runs of commands, and how each ended.")
@click.option(
    "--limit", "most", type=click.IntRange(min=1), default=20, show_default=True, help="How many, the newest."
)
@format_option
@output_option
@pass_cli
def runs(cli: Cli, most: int, shape: Format | None, path: Path | None) -> None:
    """List the newest runs of commands that store something, and how each ended.

    A run without an exit code is at work, or was killed.
    """
    with cli.workspace(may_create=False) as workspace:
        listed = read_runs(workspace, most)
    show_table(listed, shape, path, hidden=("finished_at",))


@click.command(short_help="List the rows that broke a rule.")
@click.option("--new", "only_new", is_flag=True, help="Only those first refused by the last run or import.")
@click.option(
    "--limit",
    "most",
    type=click.IntRange(min=0),
    help=f"Only the first of them; 0: all. Default: {SHOWN_REFUSED:,} on the screen, all in a file.",
)
@format_option
@output_option
@pass_cli
def refused(cli: Cli, only_new: bool, most: int | None, shape: Format | None, path: Path | None) -> None:
    """List the rows that broke a rule: file and line, the rule, and the row itself.

    A row that a provider sends every night is refused every night, but counts as new only once.
    """
    if most is None:
        most = SHOWN_REFUSED if format_for(path, shape) == "table" else 0
    with (
        cli.workspace(may_create=False) as workspace,
        workspace.database.transaction(read_only=True) as connection,
    ):
        rows = refused_table(refused_rows(connection, only_new=only_new, most=most + 1 if most else None))
    hidden = ("content", "load_id", "dataset", "provider")
    show_table(rows.slice(0, most) if most else rows, shape, path, hidden=hidden)
    if most and len(rows) > most:
        message(f"the first {most:,} rows; --limit N lists more, --limit 0 -o FILE.csv all of them")


@click.command(short_help="List the sessions missing from a history.")
@click.argument("symbols", nargs=-1, metavar="[SYMBOL...]")
@format_option
@output_option
@pass_cli
def gaps(cli: Cli, symbols: tuple[str, ...], shape: Format | None, path: Path | None) -> None:
    """List the sessions missing between an instrument's first and last daily bar."""
    with cli.workspace(may_create=False) as workspace:
        missing = read_gaps(workspace, symbols)
    show_table(missing, shape, path)


@click.command(short_help="Show every version of a symbol's daily bars.")
@click.argument("symbol")
@click.option("--session", type=SESSION, help="Only this session.")
@format_option
@output_option
@pass_cli
def history(cli: Cli, symbol: str, session: dt.date | None, shape: Format | None, path: Path | None) -> None:
    """Show every version of a symbol's daily bars: values, when each was known, where it came from."""
    with cli.workspace(may_create=False) as workspace:
        versions = read_history(workspace, symbol, session)
    show_table(versions, shape, path, hidden=("vwap", "trades", "provider", "archive_key"))


@click.command(short_help="List the instruments and their metadata.")
@click.argument("symbols", nargs=-1, metavar="[SYMBOL...]")
@click.option("--active", "listed", flag_value="active", help="Only those listed now.")
@click.option("--delisted", "listed", flag_value="delisted", help="Only those delisted.")
@click.option("--listed-on", type=SESSION, help="Only those whose daily bars reach over this date.")
@click.option("--as-of", type=INSTANT, help="Show what this database knew then, not what was listed then.")
@format_option
@output_option
@pass_cli
def instruments(
    cli: Cli,
    symbols: tuple[str, ...],
    listed: str | None,
    listed_on: dt.date | None,
    as_of: dt.datetime | None,
    shape: Format | None,
    path: Path | None,
) -> None:
    """List the instruments and their metadata, or only those that carry the symbols; delisted ones too.

    --listed-on gives who could be traded on a date, those delisted since too; --as-of what was known then.
    """
    with cli.workspace(may_create=False) as workspace:
        listed_instruments = read_instruments(
            workspace, active=None if listed is None else listed == "active", as_of=as_of
        )
        if listed_on is not None:
            with reading(workspace.database, workspace.sessions, as_of) as reader:
                listed_instruments = only_listed(listed_instruments, read_universe(reader, listed_on))
    if named := named_symbols(symbols):
        listed_instruments = _of_symbols(listed_instruments, named)
    shown = ("symbol", "name", "type", "exchange", "active", "first_session", "last_session")
    show_table(
        listed_instruments,
        shape,
        path,
        hidden=tuple(name for name in listed_instruments.column_names if name not in shown),
    )


@click.command(short_help="Flag what looks wrong in series of daily bars.")
@click.argument("symbols", nargs=-1, metavar="[SYMBOL...]")
@json_option
@format_option
@output_option
@pass_cli
def quality(
    cli: Cli, symbols: tuple[str, ...], as_json: bool, shape: Format | None, path: Path | None
) -> None:
    """Flag what looks wrong in series of daily bars; alter nothing.

    Flags splits that the prices contradict or lack, unexplained moves, repeated prices, and volume out of
    scale.
    """
    with cli.workspace(may_create=False) as workspace, progress("screening") as bars:
        flags = flag_bars(workspace, symbols, on_progress=lambda done, total: advance(bars, done, total))
    if as_json:
        write_json(flags_as_json(flags))
    else:
        show_table(flags, shape, path, hidden=("reason",))


def _of_symbols(listed: pa.Table, symbols: Sequence[str]) -> pa.Table:
    """Return the instruments that carry symbols, or carried them last.

    Raises:
        UnknownSymbol: one of them is not there.
    """
    unknown = sorted(set(symbols) - set(listed["symbol"].to_pylist()))
    if unknown:
        raise UnknownSymbol(f"no instrument of the list carries the symbol {', '.join(unknown)}")
    return listed.filter(pc.is_in(listed["symbol"], pa.array(symbols, pa.string())))


COMMANDS = (runs, refused, gaps, history, instruments, quality)
