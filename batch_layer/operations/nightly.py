"""The jobs behind the commands: each takes an open workspace and returns what it did."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from condvest.batch_layer.fetching.fetch import Fetcher, FetchReport, OnLoad
from condvest.batch_layer.operations import watch
from condvest.batch_layer.operations.report import Progress, Report, recorded
from condvest.batch_layer.operations.resampling import resampled_after
from condvest.batch_layer.operations.screening import Screen, known_before
from condvest.batch_layer.operations.workspace import Workspace


def run(
    workspace: Workspace,
    provider: str,
    symbols: Sequence[str] = (),
    *,
    on_wait: Callable[[], None],
    screen: Screen | None = None,
    on_load: OnLoad | None = None,
    on_progress: Progress | None = None,
    on_stop: Callable[[], None] | None = None,
    afterwards: Callable[[], object] | None = None,
) -> Report:
    """Do the nightly job: extend the calendar, fetch what is missing, load, resample, look at what came.

    Two at once do the work once: the second waits for the first and finds nothing left. A symbol that the
    provider is asked about for the first time gets its whole history. ``afterwards`` is called at the
    end, as a part of the run.
    """
    with workspace.database.locked("condvest run") as at_once:
        if not at_once:
            on_wait()
        known_by = known_before(workspace)
        with recorded(workspace, f"run --provider {provider}") as report:
            night = watch.night(workspace, provider, symbols)
            with (
                resampled_after(
                    workspace, report, screen, known_by, on_stop=on_stop, on_progress=on_progress
                ),
                _fetching(report) as fetched,
            ):
                if night.whole:
                    with workspace.ingest(provider, night.whole) as ingest:
                        ingest.backfill(ingest.due.covered(), fetched, on_load=on_load)
                if night.usual or not (night.whole or watch.is_by_symbol(provider)):
                    with workspace.ingest(provider, night.usual) as ingest:
                        ingest.nightly(
                            fetched, ask_again=workspace.settings.nightly.ask_again, on_load=on_load
                        )
                report.notes += watch.settle_night(workspace, provider, night, fetched)
            if afterwards is not None:
                afterwards()
    return report


def backfill(
    workspace: Workspace,
    ingest: Fetcher,
    sessions: Sequence[dt.date],
    *,
    screen: Screen | None = None,
    on_load: OnLoad | None = None,
    on_progress: Progress | None = None,
    on_stop: Callable[[], None] | None = None,
) -> Report:
    """Fetch and load the sessions in the order given, then resample, and look at what came."""
    provider = ingest.provider.name
    known_by = known_before(workspace)
    with (
        recorded(workspace, f"backfill --provider {provider}") as report,
        resampled_after(workspace, report, screen, known_by, on_stop=on_stop, on_progress=on_progress),
        _fetching(report) as fetched,
    ):
        ingest.backfill(sessions, fetched, on_load=on_load)
    return report


def metadata(
    workspace: Workspace, provider: str, symbols: Sequence[str], *, on_load: OnLoad | None = None
) -> Report:
    """Fetch and load who is and was listed, and all that the provider tells about the symbols."""
    # Resampled, for what is learned about symbols may have moved bars from one instrument to another.
    with (
        recorded(workspace, f"metadata --provider {provider}") as report,
        resampled_after(workspace, report),
        _fetching(report) as fetched,
        workspace.ingest(provider) as ingest,
    ):
        ingest.metadata(symbols, fetched, on_load=on_load)
    return report


@contextmanager
def _fetching(report: Report) -> Iterator[FetchReport]:
    """Note what failed as the job's failures, so that what was loaded is resampled."""
    fetched = FetchReport(report.loads, report.unavailable)
    try:
        yield fetched
    finally:
        report.failed |= {failure.name: str(failure.error) for failure in fetched.failed}
        report.may_pass = any(failure.may_pass for failure in fetched.failed)
