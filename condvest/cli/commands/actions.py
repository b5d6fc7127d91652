"""The command ``actions``: splits and dividends."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click
import pyarrow as pa

from condvest.api import connected
from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import INSTANT, SESSION, format_option, named_symbols, output_option
from condvest.cli.output.destination import Format
from condvest.cli.output.tables import show_table
from condvest.facts import dividends, splits


@click.command(short_help="List splits and dividends.")
@click.argument("symbols", nargs=-1, metavar="[SYMBOL...]")
@click.option("--start", type=SESSION, help="First ex-date, inclusive.")
@click.option("--end", type=SESSION, help="Last ex-date, inclusive.")
@click.option(
    "--as-of", type=INSTANT, help="As this database knew it at a date's end (UTC) or at an ISO instant."
)
@format_option
@output_option
@pass_cli
def actions(
    cli: Cli,
    symbols: tuple[str, ...],
    start: dt.date | None,
    end: dt.date | None,
    as_of: dt.datetime | None,
    shape: Format | None,
    path: Path | None,
) -> None:
    """List the splits and cash dividends of the symbols, or of the whole market, by symbol and ex-date."""
    named = named_symbols(symbols)
    with connected(cli.settings):
        of_splits = splits(named, start, end, as_of=as_of, settings=cli.settings)
        of_dividends = dividends(named, start, end, as_of=as_of, settings=cli.settings)
    show_table(_together(of_splits, of_dividends), shape, path, hidden=("price_factor", "volume_factor"))


def _together(of_splits: pa.Table, of_dividends: pa.Table) -> pa.Table:
    """Return both as one table by symbol and ex-date, a split before a dividend of its date.

    Columns: symbol, ex_date, action (``split`` or ``dividend``), then those of either, null elsewhere.
    """
    tables = [
        table.append_column("action", pa.array([action] * len(table), pa.string()))
        for table, action in ((of_splits, "split"), (of_dividends, "dividend"))
    ]
    both = pa.concat_tables(tables, promote_options="default")
    names = ["symbol", "ex_date", "action"]
    ordered = both.sort_by([("symbol", "ascending"), ("ex_date", "ascending"), ("action", "descending")])
    return ordered.select([*names, *(name for name in both.column_names if name not in names)])


COMMANDS = (actions,)
