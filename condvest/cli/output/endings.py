"""How a job goes on and ends for the user: its progress, what it says at the end, its exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from batch_layer.operations.report import Progress, Report
from batch_layer.operations.screening import Screen
from batch_layer.operations.workspace import Workspace
from batch_layer.shared.models.spans import Spans
from condvest.cli.output import messages
from condvest.cli.output.data import write_json
from condvest.cli.output.messages import measure, message, note
from condvest.cli.output.summaries import say_findings, say_loads, say_resampled
from serving_layer.queries.quality import flag_new

if TYPE_CHECKING:
    from rich.progress import Progress as ProgressBars


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
    for missed in report.unavailable:
        message(f"{missed.session}: {missed.reason}")
    for path, reason in report.failed.items():
        message(f"error: {reason}" if path in reason else f"error: {path}: {reason}")
    sys.exit(report.exit_code)


def screen_of(workspace: Workspace) -> Screen:
    """Return what looks at the series that a job touched, and gives the new errors, a sentence each."""

    def screen(touched: Spans, known_by: int) -> list[str]:
        return [
            f"{flag['symbol']} {flag['session']}: {flag['flag']}: {flag['reason']}"
            for flag in flag_new(workspace, touched, known_by).to_pylist()
            if flag["severity"] == "error"
        ]

    return screen


def say_stopping() -> None:
    """Say why a command that was stopped takes a while to end."""
    message("resampling the loaded rows; stop again to leave that to the next run")


def say_waiting() -> None:
    """Say that the command had to wait for its turn."""
    message("waited for another `condvest run` to finish")


def advancing(bars: ProgressBars, label: str | None = None) -> Progress:
    """Return what moves the first of the progress bars, and labels it if a label is given."""

    def advance(done: int, total: int) -> None:
        if label is not None:
            note(bars, label)
        messages.advance(bars, done, total)

    return advance
