"""The command that publishes what the database holds: publish."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from condvest.batch_layer.shared.published.manifest import KEEP
from condvest.batch_layer.shared.variables import checked_location
from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import json_option
from condvest.cli.output.data import write_json
from condvest.cli.output.messages import message
from condvest.cli.output.progress import advance, progress

if TYPE_CHECKING:
    from condvest.batch_layer.processing.publishing.new_version import PublishSummary


@click.command(short_help="Write the bars as Parquet files, for any reader.")
@click.option(
    "--to", metavar="DIR|S3", help="A directory or s3://bucket/prefix; overrides CONDVEST_PUBLISHED."
)
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=KEEP,
    show_default=True,
    help="Older versions to keep for running readers.",
)
@click.option(
    "--take-over", is_flag=True, help="Replace the database that has published to this target so far."
)
@click.option(
    "--check",
    is_flag=True,
    help="Look at all rows and kept files, also of parts in which nothing was stored.",
)
@click.option("--dry-run", is_flag=True, help="Show what it would write; write nothing.")
@json_option
@pass_cli
def publish(
    cli: Cli, to: str | None, keep: int, take_over: bool, check: bool, dry_run: bool, as_json: bool
) -> None:
    """Write daily bars, bars and adjustment factors as Parquet files, for any reader.

    Resamples what changed first, and keeps the files of parts in which nothing was stored. Readers see the
    previous version until the new one is whole.
    """
    # Imported here: no other command waits for what writes Parquet.
    from condvest.batch_layer.operations.publish import publish_all  # noqa: PLC0415

    settings = replace(cli.settings, published_at=checked_location("--to", to) or cli.settings.published_at)
    with cli.workspace(may_create=False) as workspace, progress("publishing") as bars:
        done = publish_all(
            workspace,
            settings.published,
            keep=keep,
            take_over=take_over,
            dry_run=dry_run,
            check=check,
            on_progress=lambda done, total: advance(bars, done, total),
        )
    if as_json:
        fields = asdict(done)
        write_json({"place": fields.pop("target"), **fields} | ({"dry_run": True} if dry_run else {}))
    else:
        for path, damage in done.damaged.items():
            message(f"warning: {path} {damage}; {'it would be' if dry_run else 'it was'} written anew")
        for part in done.unrecorded:
            message(
                f"warning: rows of {part} were changed, and not by Condvest; "
                f"{'they would be' if dry_run else 'they were'} published anew"
            )
        message(_summary(done, dry_run=dry_run))


def _summary(done: PublishSummary, *, dry_run: bool) -> str:
    if dry_run:
        waiting = ", and what changed since is resampled first" if done.changes_waiting else ""
        return (
            f"{done.target}: {done.written:,} files of bars with {done.written_rows:,} rows would be "
            f"written, {done.kept:,} stay{waiting}"
        )
    if not done.is_new and done.written:
        return (
            f"{done.target}: nothing new, version {done.version} stays; {done.written:,} of its files were "
            f"missing or damaged, and are written anew ({done.written_bytes / 1e6:,.1f} MB)"
        )
    if not done.is_new:
        return f"{done.target}: nothing new, version {done.version} stays"
    return (
        f"{done.target}: version {done.version}, {sum(done.rows.values()):,} rows; {done.written:,} files "
        f"written with {done.written_rows:,} rows ({done.written_bytes / 1e6:,.1f} MB), {done.kept:,} kept, "
        f"{done.removed:,} of older versions removed"
    )


COMMANDS = (publish,)
