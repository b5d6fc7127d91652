"""The jobs behind the commands: each takes an open workspace and returns what it did."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from batch_layer.fetching.fetch import Fetcher, FetchReport, OnLoad
from batch_layer.operations.report import Progress, Report, recorded
from batch_layer.operations.workspace import Workspace
from batch_layer.processing.resample import resample


def run(
    workspace: Workspace,
    provider: str,
    symbols: Sequence[str] = (),
    *,
    on_wait: Callable[[], None],
    on_load: OnLoad | None = None,
    on_progress: Progress | None = None,
) -> Report:
    """Do the nightly job: extend the calendar, fetch what is missing, load, resample.

    Two at once do the work once: the second waits for the first and finds nothing left. A symbol that the
    provider is asked about for the first time gets its whole history.
    """
    with workspace.database.locked("condvest run") as at_once:
        if not at_once:
            on_wait()
        with recorded(workspace, f"run --provider {provider}") as report:
            known = set(workspace.supplied_symbols(provider))
            new = [symbol for symbol in symbols if symbol not in known]
            old = [symbol for symbol in symbols if symbol in known]
            with _fetching(report) as fetched:
                if new:
                    with workspace.ingest(provider, new) as ingest:
                        ingest.backfill(ingest.covered(), fetched, on_load=on_load)
                if old or not new:
                    with workspace.ingest(provider, old) as ingest:
                        ingest.nightly(
                            fetched, ask_again=workspace.settings.nightly.ask_again, on_load=on_load
                        )
            report.resampled = resample(workspace.database, workspace.sessions, on_progress=on_progress)
    return report


def backfill(
    workspace: Workspace,
    ingest: Fetcher,
    sessions: Sequence[dt.date],
    *,
    on_load: OnLoad | None = None,
    on_progress: Progress | None = None,
) -> Report:
    """Fetch and load the sessions in the order given, then resample."""
    provider = ingest.provider.name
    with recorded(workspace, f"backfill --provider {provider}") as report:
        with _fetching(report) as fetched:
            ingest.backfill(sessions, fetched, on_load=on_load)
        report.resampled = resample(workspace.database, workspace.sessions, on_progress=on_progress)
    return report


def metadata(
    workspace: Workspace, provider: str, symbols: Sequence[str], *, on_load: OnLoad | None = None
) -> Report:
    """Fetch and load who is and was listed, and all that the provider tells about the symbols."""
    with recorded(workspace, f"metadata --provider {provider}") as report:
        with _fetching(report) as fetched, workspace.ingest(provider) as ingest:
            ingest.metadata(symbols, fetched, on_load=on_load)
        # What is learned about symbols may have moved bars from one instrument to another.
        report.resampled = resample(workspace.database, workspace.sessions)
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
