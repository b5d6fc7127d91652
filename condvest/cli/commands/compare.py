"""The command that compares two providers: compare."""

from __future__ import annotations

from pathlib import Path

import click

from condvest.batch_layer.operations.compare import compare_providers
from condvest.batch_layer.shared.errors import UsageError
from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import format_option, output_option
from condvest.cli.output.destination import Format
from condvest.cli.output.tables import show_table


@click.command(short_help="Show where the daily bars of two providers differ.")
@click.option("--providers", required=True, metavar="A,B", help="The two providers to compare.")
@click.option(
    "--tolerance", type=float, default=1e-6, show_default=True, help="Largest relative difference to ignore."
)
@format_option
@output_option
@pass_cli
def compare(cli: Cli, providers: str, tolerance: float, shape: Format | None, path: Path | None) -> None:
    """Compare two providers: list every value in which their daily bars differ.

    The comparison reads what they sent from the archive, whichever provider the stored bars are from.
    """
    left, _, right = providers.partition(",")
    if not left or not right or left == right or "," in right:
        raise UsageError(f"--providers must name two providers, such as sample,file; got {providers!r}")
    with cli.workspace(may_create=False) as workspace:
        differences = compare_providers(workspace, left, right, tolerance)
    show_table(differences, shape, path, exact=(left, right))


COMMANDS = (compare,)
