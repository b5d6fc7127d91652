"""Summaries of what a command did, for people, on standard error."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

from condvest.batch_layer.operations.report import Report
from condvest.batch_layer.shared.models.instruments.providers import Cost
from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.cli.output.messages import message

_MOST_NAMED = 5
"""Summaries name at most this many loads, notes or sessions, and count the rest."""


def say_loads(report: Report, *, dry_run: bool = False, is_fetch: bool = True) -> None:
    """Say what each load did, or in a dry run would do."""
    would = "would be " if dry_run else ""
    is_complete = is_fetch and not (report.failed or report.unavailable)
    if is_complete and all(load.dataset != "daily_bars" for load in report.loads):
        message("no session is missing")
    for loads in _told_together(report.loads):
        _say_counts(loads, would)
        _say_troubles(loads)


def _told_together(loads: Sequence[LoadSummary]) -> list[list[LoadSummary]]:
    """Group loads of one data set that follow each other, where there are too many to name each."""
    runs = [list(run) for _, run in itertools.groupby(loads, key=lambda load: load.dataset)]
    return [part for run in runs for part in ([run] if len(run) > _MOST_NAMED else [[load] for load in run])]


def _say_counts(loads: Sequence[LoadSummary], would: str) -> None:
    if loads[0].dataset == "undo":
        load = loads[0]
        what = "row" if load.withdrawn == 1 else "rows"
        message(
            f"{load.name}: {load.withdrawn:,} {what} {would}withdrawn, {load.changed:,} {would}given back to "
            f"other loads, {load.inserted:,} {would}put in again"
        )
        return
    always = [
        (f"{would}inserted", sum(load.inserted for load in loads)),
        (f"{would}changed", sum(load.changed for load in loads)),
        ("unchanged", sum(load.unchanged for load in loads)),
    ]
    seldom = [
        ("withdrawn", sum(load.withdrawn for load in loads)),
        ("outranked", sum(load.outranked for load in loads)),
        ("repeated", sum(load.duplicates for load in loads)),
        ("refused", sum(sum(load.refused.values()) for load in loads)),
    ]
    counts = [*always, *((word, count) for word, count in seldom if count)]
    name = loads[0].name if len(loads) == 1 else f"{len(loads):,} answers of {loads[0].provider}"
    rows, what = sum(load.rows for load in loads), loads[0].dataset.replace("_", " ")
    counted = ", ".join(f"{count:,} {word}" for word, count in counts)
    came = "" if any(load.altered for load in loads) else " (nothing new)"
    if rows and rows == sum(sum(load.refused.values()) for load in loads):
        examples = [load.first_refused for load in loads if load.first_refused]
        what, example = ("its only row", ": ") if rows == 1 else (f"all {rows:,} rows", ", e.g. ")
        why = f"{example}{examples[0]}" if examples else "; see: condvest refused"
        message(f"{name}: {what} refused{why}", is_alarm=True)
        return
    message(f"{name}: {rows:,} {what}: {counted}{came}")


def _say_troubles(loads: Sequence[LoadSummary]) -> None:
    notices = [notice for load in loads for notice in load.notices]
    for notice in notices[:_MOST_NAMED]:
        message(f"  note: {notice}")
    if notices[_MOST_NAMED:]:
        message(f"  and {len(notices) - _MOST_NAMED:,} more notes; --json gives all")
    partial = [day for load in loads for day in load.partial]
    if partial:
        days = ", ".join(map(str, partial[:_MOST_NAMED]))
        more = f" and {len(partial) - _MOST_NAMED:,} more" if partial[_MOST_NAMED:] else ""
        message(f"  partial, will be fetched again: {days}{more}", is_alarm=True)
    refused: Counter[str] = Counter()
    for load in loads:
        refused.update(load.refused)
    if refused:
        codes = ", ".join(f"{code} {count:,}" for code, count in refused.items())
        new = sum(sum(load.newly_refused.values()) for load in loads)
        where = f"{new:,} new; see: condvest refused --new" if new else "none new; see: condvest refused"
        message(f"  refused: {codes} ({where})", is_alarm=bool(new))


def say_resampled(report: Report) -> None:
    """Say what resampling did, if it ran."""
    done = report.resampled
    if done is None or (report.failed and not report.loads):
        return
    windows = sum(done.windows.values())
    message(
        f"resampled {windows:,} windows: {done.inserted:,} bars inserted, {done.changed:,} changed, "
        f"{done.removed:,} removed, {done.unchanged:,} unchanged"
        if windows
        else "resampled nothing: no change touches a bar"
    )


def say_findings(report: Report) -> None:
    """Say what looks wrong in the series of the bars that the job touched."""
    for finding in report.findings[:_MOST_NAMED]:
        message(f"check {finding}", is_alarm=True)
    if report.findings[_MOST_NAMED:]:
        more = len(report.findings) - _MOST_NAMED
        message(f"and {more:,} more to check; see: condvest quality")


def cost_of(sessions: int, cost: Cost) -> str:
    """Return what fetching so many sessions costs, in words."""
    return (
        f"{sessions:,} sessions to fetch: {cost.calls:,} calls, at least {cost.seconds / 60:,.0f} minutes, "
        f"about {cost.megabytes:,.0f} MB"
    )
