"""The list of the symbols that Yahoo is asked about: watch add, remove, list."""

from __future__ import annotations

from pathlib import Path

import click
import pyarrow as pa

from condvest.batch_layer.operations import watch as lists
from condvest.batch_layer.shared.models.instruments.provider_kinds import PROVIDERS
from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import format_option, output_option
from condvest.cli.output.destination import Format
from condvest.cli.output.messages import message
from condvest.cli.output.tables import show_table

_LISTED = pa.schema(
    [("symbol", pa.string()), ("state", pa.string()), ("next_ask", pa.date32()), ("note", pa.string())]
)

_provider = click.option(
    "--provider",
    type=click.Choice([name for name, kind in PROVIDERS.items() if kind.needs_symbols]),
    default="yahoo",
    show_default=True,
    help="Provider that answers by symbol.",
)


@click.group(short_help="Say which symbols Yahoo is asked about.")
def watch() -> None:
    """Say which symbols Yahoo is asked about every night.

    Without a word of yours those are the symbols that it has given bars of.
    """


@watch.command("add", short_help="Ask about symbols every night.")
@click.argument("symbols", nargs=-1, required=True)
@_provider
@pass_cli
def add(cli: Cli, symbols: tuple[str, ...], provider: str) -> None:
    """Ask about SYMBOLS every night; the next run fetches the whole history of those that are new."""
    with cli.workspace() as workspace:
        added = lists.add(workspace, provider, symbols)
    message(f"{provider} is asked about {', '.join(added)} from the next condvest run on")


@watch.command("remove", short_help="Ask about symbols no more; what is stored stays.")
@click.argument("symbols", nargs=-1, required=True)
@_provider
@pass_cli
def remove(cli: Cli, symbols: tuple[str, ...], provider: str) -> None:
    """Ask about SYMBOLS no more. What is stored stays; condvest remove takes that back."""
    with cli.workspace() as workspace:
        removed = lists.leave_out(workspace, provider, symbols)
    message(f"{provider} is not asked about {', '.join(removed)} any more")


@watch.command("list", short_help="List the symbols, and which are left out or set aside.")
@_provider
@format_option
@output_option
@pass_cli
def list_(cli: Cli, provider: str, shape: Format | None, path: Path | None) -> None:
    """List the symbols: those asked about every night, left out, and set aside with the reason."""
    with cli.workspace(may_create=False) as workspace:
        listed = lists.listed(workspace, provider)
    show_table(pa.Table.from_pylist([vars(each) for each in listed], schema=_LISTED), shape, path)


COMMANDS = (watch,)
