"""The command that loads the user's own files."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from condvest.batch_layer.operations.import_files import import_files
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.given.file_options import FileOptions, Midnight, Prices, SymbolsMean
from condvest.batch_layer.shared.models.given.payloads import DatasetName
from condvest.batch_layer.shared.models.instruments.provider_kinds import checked_name
from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import json_option
from condvest.cli.output.endings import advancing, finish, say_stopping
from condvest.cli.output.progress import progress
from condvest.screening import screen_of

_FILE = click.Path(path_type=Path)


@click.command("import", short_help="Load daily bars from files, then resample what changed.")
@click.argument("files", nargs=-1, type=_FILE, metavar="[FILE...]")
@click.option("--provider", default="file", show_default=True, help="Provider name to store the bars under.")
@click.option(
    "--splits", multiple=True, type=_FILE, help="File of splits: symbol, ex_date, split_from, split_to."
)
@click.option(
    "--dividends", multiple=True, type=_FILE, help="File of dividends: symbol, ex_date, cash_amount."
)
@click.option("--renames", multiple=True, type=_FILE, help="File of renames: from, to, date.")
@click.option("--symbol", metavar="X", help="Symbol of a file that has no symbol column.")
@click.option(
    "--midnight",
    type=click.Choice(get_args(Midnight)),
    default="exchange",
    show_default=True,
    help="Time zone in which a session's timestamp reads 00:00.",
)
@click.option(
    "--symbols-mean",
    type=click.Choice(get_args(SymbolsMean)),
    default="date",
    show_default=True,
    help="Whether a symbol is the one carried on the row's date, or today.",
)
@click.option(
    "--prices",
    type=click.Choice(get_args(Prices)),
    help="What the prices are; --splits turns split-adjusted ones back into prices as traded.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done; store nothing.")
@json_option
@pass_cli
def import_(
    cli: Cli,
    files: tuple[Path, ...],
    provider: str,
    splits: tuple[Path, ...],
    dividends: tuple[Path, ...],
    renames: tuple[Path, ...],
    symbol: str | None,
    midnight: Midnight,
    symbols_mean: SymbolsMean,
    prices: Prices | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Load daily bars from CSV, CSV.GZ or Parquet files, then resample what changed.

    Columns, in any order: symbol (or ticker), session (or date), open, high, low, close, volume; vwap and
    trades if known. Massive's flat files are read as they are. Loading a file again changes nothing.

    FILE may be a folder or a quoted pattern. A file of one symbol needs no symbol column if its name
    (AAPL.csv), its folder (symbol=AAPL) or --symbol gives the symbol.
    """
    datasets: list[tuple[Path, DatasetName]] = [
        *((path, "daily_bars") for path in files),
        *((path, "renames") for path in renames),
        *((path, "splits") for path in splits),
        *((path, "dividends") for path in dividends),
    ]
    checked_name(provider)
    if not datasets:
        raise UsageError(
            "nothing to import: name a FILE of prices, --splits FILE, --dividends FILE or --renames FILE"
        )
    if symbol and len(files) != 1:
        raise UsageError(f"--symbol {symbol} is of one FILE of prices; {len(files)} are given")
    with cli.workspace() as workspace, progress("files") as bars:
        report = import_files(
            workspace,
            datasets,
            provider,
            options=FileOptions(symbol, symbol is None, midnight, prices, symbols_mean=symbols_mean),
            screen=screen_of(workspace),
            dry_run=dry_run,
            on_file=advancing(bars),
            on_progress=advancing(bars, "resampling"),
            on_stop=say_stopping,
        )
    finish(report, as_json=as_json, dry_run=dry_run, is_fetch=False)


COMMANDS = (import_,)
