"""The commands that recompute or check what is stored: resample, rebuild, verify."""

from __future__ import annotations

import os
import sys

import click

from condvest.batch_layer.operations.report import resampled_as_json
from condvest.batch_layer.operations.upkeep import (
    payloads_without_load,
    rebuild_from_archive,
    resample_all,
    verify_all,
)
from condvest.batch_layer.processing.batch_jobs.shards import Shard
from condvest.batch_layer.shared import exit_codes
from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import json_option
from condvest.cli.output.data import write_json
from condvest.cli.output.endings import advancing, finish
from condvest.cli.output.messages import measure, message
from condvest.cli.output.printable import printable
from condvest.cli.output.progress import progress
from condvest.cli.output.status import waiting_in_words
from condvest.cli.output.summaries import say_findings, say_resampled
from condvest.screening import screen_of
from condvest.serving_layer.queries.reports.status import what_waits


@click.command(short_help="Recompute the bars that recorded changes touch.")
@click.option("--full", is_flag=True, help="Recompute every bar, not only what changed.")
@click.option(
    "--shard",
    metavar="I/N",
    help="Resample shard I of N (0/4 to 3/4). Default: the AWS Batch array index.",
)
@json_option
@pass_cli
def resample(cli: Cli, full: bool, shard: str | None, as_json: bool) -> None:
    """Recompute the bars that recorded changes touch; with --full, all bars.

    Shards share nothing: run all of them, at once or one after another, on one machine or on several.
    """
    share = Shard.parse(shard) if shard else Shard.of_environment(os.environ)
    with cli.workspace() as workspace, progress("resampling") as bars:
        report = resample_all(
            workspace, full=full, shard=share, screen=screen_of(workspace), on_progress=advancing(bars)
        )
    measure(report.metrics)
    if as_json and report.resampled is not None:
        write_json(resampled_as_json(report.resampled))
    else:
        say_resampled(report)
    say_findings(report)
    sys.exit(report.exit_code)


@click.command()
@click.option("--from-archive", is_flag=True, hidden=True, help="Ignored; version 0.1 required it.")
@json_option
@pass_cli
def rebuild(cli: Cli, from_archive: bool, as_json: bool) -> None:  # noqa: ARG001  # accepted for old scripts
    """Rebuild an empty database from the archive.

    Daily bars, revisions, refused rows and bars come back as they were. The times of the fetches
    decide what was known when.
    """
    with cli.workspace() as workspace, progress("rebuilding") as bars:
        report = rebuild_from_archive(workspace, on_progress=advancing(bars))
    finish(report, as_json=as_json)


@click.command(short_help="Check that archive, daily bars and bars agree.")
@click.option(
    "--sample", type=click.IntRange(min=1), help="Check this many loads and instruments, chosen at random."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed.")
@click.option("--repair", is_flag=True, help="Recompute the bars that differ.")
@json_option
@pass_cli
def verify(cli: Cli, sample: int | None, seed: int, repair: bool, as_json: bool) -> None:
    """Check that archive, daily bars, bars and published files agree, and name each difference.

    Bars that wait to be resampled are listed together and not compared. The exit code is 1 if a difference
    remains.
    """
    with cli.workspace(may_create=False) as workspace:
        with progress("verifying") as bars:
            findings = verify_all(workspace, sample=sample, seed=seed, on_progress=advancing(bars))
        if repair and any(finding.what == "bar" for finding in findings):
            resample_all(workspace, full=True)
            findings = verify_all(workspace, sample=sample, seed=seed)
        waiting = what_waits(workspace)
        unloaded = payloads_without_load(workspace)
    if unloaded:
        message(
            f"{len(unloaded):,} archived payloads have no load, because they said nothing new or could not "
            f"be loaded; the last is {printable(unloaded[-1])}"
        )
    if as_json:
        write_json(
            {"findings": [vars(finding) for finding in findings]} | ({"waiting": waiting} if waiting else {})
        )
    else:
        for finding in findings:
            click.echo(
                printable(
                    " ".join(filter(None, (finding.what, finding.symbol, finding.where, finding.problem)))
                )
            )
        if waiting:
            message(f"not compared, because not resampled yet: {waiting_in_words(waiting)}")
            message("reads fold these windows on the way; to store them run: condvest resample")
        agree = "the other bars agree" if waiting else "bars agree"
        message(f"{len(findings):,} differences" if findings else f"archive, daily bars and {agree}")
    sys.exit(exit_codes.check_code(passed=not findings))


COMMANDS = (resample, rebuild, verify)
