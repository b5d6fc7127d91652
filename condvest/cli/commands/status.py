"""The command that shows what the database holds, and whether that is fresh: status."""

from __future__ import annotations

import sys

import click

from condvest.batch_layer.shared import exit_codes
from condvest.batch_layer.shared.errors import UsageError
from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import json_option
from condvest.cli.output.messages import message
from condvest.cli.output.status import show_status
from condvest.serving_layer.queries.reports.freshness import MAX_BEHIND, not_fresh
from condvest.serving_layer.queries.reports.status import read_status


@click.command(short_help="Show what the database holds, and whether it is fresh.")
@click.option(
    "--check",
    is_flag=True,
    help="Exit with 1, and say why, unless the database follows the market: for cron and monitors.",
)
@click.option(
    "--max-behind",
    type=click.IntRange(min=0),
    default=MAX_BEHIND,
    show_default=True,
    metavar="N",
    help="Closed sessions that a provider may lack.",
)
@click.option(
    "--provider",
    "providers",
    multiple=True,
    help="With --check: this provider alone. Default: those asked every night, or else imported ones.",
)
@json_option
@pass_cli
def status(cli: Cli, check: bool, max_behind: int, providers: tuple[str, ...], as_json: bool) -> None:
    """Show what the database holds: sessions, instruments, bars, changes waiting, the last run.

    BEHIND counts the sessions that have closed since a provider's last complete one.
    """
    if providers and not check:
        raise UsageError("--provider names what --check looks at: give both, or leave --provider out")
    with cli.workspace(may_create=False) as workspace:
        state = read_status(workspace)
        reasons = not_fresh(state, workspace.now, max_behind, providers) if check else []
    if as_json:
        # Imported here: what writes data is slow to import, and the tables need nothing of it.
        from condvest.cli.output.data import write_json  # noqa: PLC0415

        write_json(state | ({"not_fresh": reasons} if check else {}))
    elif check:
        for reason in reasons or ["fresh"]:
            message(reason, is_alarm=bool(reasons))
    else:
        show_status(state)
    sys.exit(exit_codes.check_code(passed=not reasons))


COMMANDS = (status,)
