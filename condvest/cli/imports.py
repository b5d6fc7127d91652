"""The command that loads the user's own files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import get_args

import click

from batch_layer.operations.import_files import import_files
from batch_layer.operations.workspace import Workspace
from batch_layer.shared.errors import UsageError
from batch_layer.shared.models.file_options import FileOptions, Midnight, Prices
from batch_layer.shared.models.payloads import DatasetName
from batch_layer.shared.models.spans import Spans
from condvest.cli import output
from condvest.cli.context import Cli, json_option, pass_cli
from condvest.cli.operate import advancing, finish
from serving_layer.queries.quality import flag_touched

_FILE = click.Path(path_type=Path)


@click.command("import", short_help="Load daily bars from files, then resample what changed.")
@click.argument("files", nargs=-1, type=_FILE, metavar="[FILE...]")
@click.option("--provider", default="file", show_default=True, help="Name under which the bars are kept.")
@click.option(
    "--splits", multiple=True, type=_FILE, help="File of splits: symbol, ex_date, split_from, split_to."
)
@click.option(
    "--dividends", multiple=True, type=_FILE, help="File of dividends: symbol, ex_date, cash_amount."
)
@click.option("--symbol", metavar="X", help="Symbol of a file that has no column of symbols.")
@click.option(
    "--midnight",
    type=click.Choice(get_args(Midnight)),
    default="exchange",
    show_default=True,
    help="Zone in which instants of sessions are 00:00.",
)
@click.option(
    "--prices",
    type=click.Choice(get_args(Prices)),
    help="What the prices are; split-adjusted ones are brought back by the splits given.",
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
    symbol: str | None,
    midnight: Midnight,
    prices: Prices | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Load daily bars from CSV, CSV.GZ or Parquet files, then resample what changed.

    Columns, in any order: symbol (or ticker), session (or date), open, high, low, close, volume; vwap and
    trades if known. Massive's flat files are read as they are. Loading a file again changes nothing.

    FILE may be a folder or a quoted pattern. A file of one symbol needs no column of symbols if its name
    (AAPL.csv), its folder (symbol=AAPL) or --symbol says which.
    """
    datasets: list[tuple[Path, DatasetName]] = [
        *((path, "daily_bars") for path in files),
        *((path, "splits") for path in splits),
        *((path, "dividends") for path in dividends),
    ]
    if not datasets:
        raise UsageError("nothing to import: name a FILE of prices, --splits FILE or --dividends FILE")
    if symbol and len(files) != 1:
        raise UsageError(f"--symbol {symbol} is of one FILE of prices; {len(files)} are given")
    with cli.workspace() as workspace, output.progress("files") as bars:
        report = import_files(
            workspace,
            datasets,
            provider,
            options=FileOptions(symbol, symbol is None, midnight, prices),
            screen=partial(_errors, workspace),
            dry_run=dry_run,
            on_file=advancing(bars),
            on_progress=advancing(bars, "resampling"),
        )
    finish(report, as_json=as_json, dry_run=dry_run, is_fetch=False)


def _errors(workspace: Workspace, touched: Spans) -> list[str]:
    """Return the flags within the spans that are errors, a sentence each."""
    return [
        f"{flag['symbol']} {flag['session']}: {flag['flag']}: {flag['reason']}"
        for flag in flag_touched(workspace, touched).to_pylist()
        if flag["severity"] == "error"
    ]


COMMANDS = (import_,)
