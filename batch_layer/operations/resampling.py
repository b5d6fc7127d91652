"""Resampling at the end of a job, however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from condvest.batch_layer.database.stores.changes import any_waits
from condvest.batch_layer.operations.report import Progress, Report
from condvest.batch_layer.operations.screening import Screen, resample_and_screen
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.errors import CondvestError

LEFT = (
    "the loaded rows are not resampled yet: reads fold them meanwhile, and the next condvest run or condvest "
    "resample stores their bars"
)


@contextmanager
def resampled_after(
    workspace: Workspace,
    report: Report,
    screen: Screen | None = None,
    known_by: int = 0,
    *,
    on_stop: Callable[[], None] | None = None,
    on_progress: Progress | None = None,
) -> Iterator[None]:
    """Resample what the block loads when it ends; also if an error, Ctrl-C or SIGTERM ends it.

    Then the error carries notes that say what became of it and what now looks wrong, and is raised as it
    came. Who stops the resampling too leaves it to the next run.

    Args:
        workspace: the open workspace.
        report: takes what resampling did, and what now looks wrong.
        screen: looks at the series that the block touched; None for no look.
        known_by: the load up to which findings were told; see `screening.known_before`.
        on_stop: called before a job that is ended resamples what it has loaded.
        on_progress: of a resampling at the regular end.
    """
    try:
        yield
    except BaseException as error:
        for note in _after(workspace, report, screen, known_by, on_stop):
            error.add_note(note)
        raise
    resample_and_screen(workspace, report, screen, known_by, on_progress)


def _after(
    workspace: Workspace,
    report: Report,
    screen: Screen | None,
    known_by: int,
    on_stop: Callable[[], None] | None,
) -> list[str]:
    """Resample and screen if anything waits; return what to say of it.

    The findings are said here: the changes are gone then, so no later job looks at these series again.
    """
    try:
        with workspace.database.transaction(read_only=True) as connection:
            waits = any_waits(connection)
        if not waits:
            return []
        if on_stop is not None:
            on_stop()
        resample_and_screen(workspace, report, screen, known_by)
    except KeyboardInterrupt:
        return [LEFT]
    except CondvestError as error:
        return [f"{LEFT} ({error})"]
    altered = report.resampled.altered if report.resampled is not None else 0
    return [f"the loaded rows are resampled: {altered:,} bars", *report.findings]
