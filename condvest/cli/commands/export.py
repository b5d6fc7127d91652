"""The command that writes the daily bars for other programs: export."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import SESSION, json_option
from condvest.cli.output.data import write_json
from condvest.cli.output.messages import message
from condvest.cli.output.progress import advance, progress

if TYPE_CHECKING:
    from condvest.serving_layer.exports.export import Exported, Kind

_NOTES_SHOWN = 5

_NEXT = {
    "zipline": "zipline -e {destination}/extension.py ingest -b condvest",
    "lean": "give it to Lean as its data folder, or copy its folder equity into yours",
    "qlib": 'qlib.init(provider_uri="{destination}", region="us")',
}


@click.command(short_help="Write the daily bars for zipline, Lean or qlib.")
@click.argument("kind", type=click.Choice(["zipline", "lean", "qlib"]))
@click.argument("destination", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--symbols", metavar="A,B,...", help="Only these. Default: all instruments.")
@click.option("--start", type=SESSION, help="First session, inclusive.")
@click.option("--end", type=SESSION, help="Last session, inclusive.")
@json_option
@pass_cli
def export(
    cli: Cli,
    kind: Kind,
    destination: Path,
    symbols: str | None,
    start: dt.date | None,
    end: dt.date | None,
    as_json: bool,
) -> None:
    """Write complete daily bars, splits and dividends into DIR, in another program's format.

    DIR is there only when it is whole. An earlier export of the same kind is replaced; anything else that is
    there is refused.
    """
    # Imported here: no other command waits for what writes these files.
    from condvest.serving_layer.exports.export import export as write_export  # noqa: PLC0415

    chosen = None if symbols is None else [symbol.strip() for symbol in symbols.split(",")]
    with cli.workspace(may_create=False) as workspace, progress("exporting") as bars:
        done = write_export(
            workspace,
            kind,
            destination,
            symbols=chosen,
            start=start,
            end=end,
            on_progress=lambda done, total: advance(bars, done, total),
        )
    if as_json:
        write_json(_as_json(done))
        return
    message(
        f"{destination}: {done.rows:,} daily bars of {done.instruments:,} instruments, "
        f"{done.first_session} to {done.last_session}"
    )
    for sentence in done.notes[:_NOTES_SHOWN]:
        message(f"note: {sentence}")
    if len(done.notes) > _NOTES_SHOWN:
        message(f"note: {len(done.notes) - _NOTES_SHOWN:,} more are in {destination}/condvest-export.json")
    message(f"next: {_NEXT[kind].format(destination=destination)}")


def _as_json(done: Exported) -> dict[str, object]:
    fields = asdict(done)
    days = {name: str(fields.pop(name)) for name in ("first_session", "last_session")}
    del fields["destination"]
    return {**fields, **days, "place": str(done.destination), "notes": list(done.notes)}


COMMANDS = (export,)
