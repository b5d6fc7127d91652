"""The commands that take back what was loaded: loads, undo, remove."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from condvest.batch_layer.operations.report import Report
from condvest.batch_layer.operations.undo import remove_symbol, undo_load
from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import format_option, json_option, output_option
from condvest.cli.output.destination import Format
from condvest.cli.output.endings import advancing, finish, say_stopping
from condvest.cli.output.messages import message
from condvest.cli.output.progress import progress
from condvest.cli.output.tables import show_table
from condvest.screening import screen_of
from condvest.serving_layer.queries.reports.runs import read_loads

_yes = click.option(
    "--yes", is_flag=True, help="Do it. Without this option the command says what it would do."
)


@click.command(short_help="List the loads, which condvest undo takes back.")
@click.option(
    "--limit", "most", type=click.IntRange(min=1), default=20, show_default=True, help="How many, the newest."
)
@format_option
@output_option
@pass_cli
def loads(cli: Cli, most: int, shape: Format | None, path: Path | None) -> None:
    """List the newest loads: of which file or answer, and how many rows each brought."""
    with cli.workspace(may_create=False) as workspace:
        listed = read_loads(workspace, most)
    show_table(
        listed, shape, path, hidden=("provider", "archive_key", "loaded_at", "rows", "withdrawn", "refused")
    )


@click.command(short_help="Take back a load: its rows give way to what was there.")
@click.argument("load", type=click.IntRange(min=1))
@_yes
@json_option
@pass_cli
def undo(cli: Cli, load: int, yes: bool, as_json: bool) -> None:
    """Take back LOAD, a number that condvest loads lists; without --yes, say what that would do.

    Each row that came with it gives way to what the other loads say, or is withdrawn. Nothing is lost:
    answers as of before stay as they were, and a file may be imported again. Sessions that no other load of
    the provider gave count as missing, so a vendor is asked for them again.
    """
    _take_back(cli, undo_load, load, yes, as_json)


@click.command(short_help="Take back all daily bars, splits and dividends of a symbol.")
@click.argument("symbol")
@_yes
@json_option
@pass_cli
def remove(cli: Cli, symbol: str, yes: bool, as_json: bool) -> None:
    """Take back every row of the instrument that carries SYMBOL; without --yes, say what that would do.

    Nothing is lost: answers as of before stay as they were. A vendor that answers for the whole market gives
    the symbol again with its next answer; one that answers by symbol is not asked about it any more.
    """
    _take_back(cli, remove_symbol, symbol, yes, as_json)


def _take_back(cli: Cli, operation: Callable[..., Report], what: Any, yes: bool, as_json: bool) -> None:  # noqa: ANN401  # a load or a symbol
    with cli.workspace(may_create=False) as workspace, progress("taking back") as bars:
        report = operation(
            workspace,
            what,
            dry_run=not yes,
            screen=screen_of(workspace),
            on_progress=advancing(bars, "resampling"),
            on_stop=say_stopping,
        )
    if not yes and not as_json:
        message("nothing is stored; --yes does it")
    finish(report, as_json=as_json, dry_run=not yes, is_fetch=False)


COMMANDS = (loads, undo, remove)
