"""How a job goes on and ends for the user: its progress, what it says at the end, its exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable

from condvest.batch_layer.operations.report import Progress, Report
from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.cli.output.data import write_json
from condvest.cli.output.messages import detail, measure, message
from condvest.cli.output.progress import Progression, note
from condvest.cli.output.progress import advance as advance_bar
from condvest.cli.output.summaries import say_findings, say_loads, say_resampled


def finish(report: Report, *, as_json: bool, dry_run: bool = False, is_fetch: bool = True) -> None:
    """Say what a job did, and exit with its code.

    Args:
        report: what it did.
        as_json: whether to write it as JSON; otherwise in words.
        dry_run: whether nothing was stored.
        is_fetch: whether a provider was asked for sessions.
    """
    measure(report.metrics)
    if as_json:
        write_json(report.as_json() | ({"dry_run": True} if dry_run else {}))
    else:
        say_loads(report, dry_run=dry_run, is_fetch=is_fetch)
        say_resampled(report)
        say_findings(report)
    for remark in report.notes:
        message(f"note: {remark}", is_alarm=True)
    for missed in report.unavailable:
        message(f"{missed.session}: {missed.reason}")
    for path, reason in report.failed.items():
        message(f"error: {reason}" if path in reason else f"error: {path}: {reason}")
    sys.exit(report.exit_code)


def say_stopping() -> None:
    """Say why a command that was stopped takes a while to end."""
    message("resampling the loaded rows; stop again to leave that to the next run")


def say_waiting() -> None:
    """Say that the command had to wait for its turn."""
    message("waited for another `condvest run` to finish")


def advancing(bars: Progression, label: str | None = None) -> Progress:
    """Return what moves the first of the progress bars, and labels it if a label is given."""

    def advance(done: int, total: int) -> None:
        if label is not None:
            note(bars, label)
        advance_bar(bars, done, total)

    return advance


def noting(bars: Progression) -> Callable[[LoadSummary], None]:
    """Return what shows the load that a command is at, and tells ``-v`` of each."""

    def loaded(load: LoadSummary) -> None:
        note(bars, load.name)
        say_load(load)

    return loaded


def say_load(load: LoadSummary) -> None:
    """Tell ``-v`` and the log file of a load."""
    seconds = sum(load.seconds.values())
    detail(
        f"{load.name}: {load.rows:,} {load.dataset}: {load.inserted:,} inserted, {load.changed:,} changed, "
        f"{sum(load.refused.values()):,} refused ({seconds:.2f} s)"
    )
