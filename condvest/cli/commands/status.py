"""The command that shows what the database holds: status."""

from __future__ import annotations

import click

from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import json_option
from condvest.cli.output.status import show_status
from serving_layer.queries.status import read_status


@click.command(short_help="Show what the database holds.")
@json_option
@pass_cli
def status(cli: Cli, as_json: bool) -> None:
    """Show what the database holds: sessions, instruments, bars, changes waiting, the last run."""
    with cli.workspace(may_create=False) as workspace:
        if as_json:
            # Imported here: what writes data is slow to import, and the tables need nothing of it.
            from condvest.cli.output.data import write_json  # noqa: PLC0415

            write_json(read_status(workspace))
        else:
            show_status(workspace)


COMMANDS = (status,)
