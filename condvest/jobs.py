"""The jobs behind the commands: each takes an open workspace and returns what it did."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batch_layer.database import catalog_store
from batch_layer.fetching import audit
from batch_layer.fetching.audit import Finding
from batch_layer.fetching.ingest import Fetched, Ingest, OnLoad
from batch_layer.fetching.load import Loader
from batch_layer.processing.audit import check_bars
from batch_layer.processing.batch_jobs.shards import Shard
from batch_layer.processing.resample import ResampleSummary, resample
from batch_layer.shared.errors import BatchLayerError, InputError, VendorRefused, VendorUnavailable
from batch_layer.shared.models.loads import LoadSummary
from batch_layer.shared.models.payloads import Dataset, Unavailable
from condvest.workspace import Workspace

Progress = Callable[[int, int], None]

DONE, FAILED, NEEDS_ATTENTION = 0, 1, 3


@dataclass
class Report:
    """What a job did.

    Attributes:
        loads: what each load did, in order.
        resampled: what resampling did; None if the job does not resample.
        failed: files, or a provider, that could not be loaded in full, with the reason.
        unavailable: sessions that the provider does not have yet.
        may_pass: whether what failed may succeed if the job is run again.
        seconds: how long the job took.
    """

    loads: list[LoadSummary] = field(default_factory=list)
    resampled: ResampleSummary | None = None
    failed: dict[str, str] = field(default_factory=dict)
    unavailable: list[Unavailable] = field(default_factory=list)
    may_pass: bool = False
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """0 done, 1 something failed, 3 done but a session is partial or rows were refused."""
        if self.failed:
            return FAILED
        return NEEDS_ATTENTION if any(load.needs_attention for load in self.loads) else DONE

    @property
    def metrics(self) -> dict[str, float]:
        """What is worth a metric, by the names of `batch_jobs.observing.UNITS`."""
        measured: Counter[str] = Counter()
        for load in self.loads:
            measured["RowsLoaded"] += load.inserted
            measured["RowsChanged"] += load.changed + load.withdrawn
            measured["RowsRefused"] += sum(load.refused.values())
        if self.resampled is not None:
            measured["BarsInserted"] = self.resampled.inserted
            measured["BarsChanged"] = self.resampled.changed
            measured["BarsRemoved"] = self.resampled.removed
        return {**measured, "DurationSeconds": round(self.seconds, 3)}

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        bars = [load for load in self.loads if load.dataset == "daily_bars"]
        refused: Counter[str] = Counter()
        for load in self.loads:
            refused.update(load.refused)
        report: dict[str, Any] = {
            "rows": sum(load.rows for load in bars),
            "inserted": sum(load.inserted for load in bars),
            "changed": sum(load.changed for load in bars),
            "unchanged": sum(load.unchanged for load in bars),
            "withdrawn": sum(load.withdrawn for load in bars),
            "outranked": sum(load.outranked for load in bars),
            "duplicates": sum(load.duplicates for load in bars),
            "refused": dict(refused),
            "sessions": sum(load.sessions for load in bars),
            "partial": sorted({day.isoformat() for load in bars for day in load.partial}),
            "loads": [_load_as_json(load) for load in self.loads],
            "notices": [notice for load in self.loads for notice in load.notices],
            "failed": self.failed,
            "unavailable": {one.session.isoformat(): one.reason for one in self.unavailable},
        }
        if self.resampled is not None:
            report["resampled"] = resampled_as_json(self.resampled)
        return report


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
            fetched = Fetched(report.loads, report.unavailable)
            with _vendor_failures(report, provider):
                if new:
                    with workspace.ingest(provider, new) as ingest:
                        ingest.backfill(ingest.covered(), fetched, on_load=on_load)
                if old or not new:
                    with workspace.ingest(provider, old) as ingest:
                        ingest.nightly(fetched, ask_again=workspace.settings.ask_again, on_load=on_load)
            report.resampled = resample(workspace.database, workspace.sessions, on_progress=on_progress)
    return report


def backfill(
    workspace: Workspace,
    ingest: Ingest,
    sessions: Sequence[dt.date],
    *,
    on_load: OnLoad | None = None,
    on_progress: Progress | None = None,
) -> Report:
    """Fetch and load the sessions in the order given, then resample."""
    provider = ingest.provider.name
    with recorded(workspace, f"backfill --provider {provider}") as report:
        with _vendor_failures(report, provider):
            ingest.backfill(sessions, Fetched(report.loads, report.unavailable), on_load=on_load)
        report.resampled = resample(workspace.database, workspace.sessions, on_progress=on_progress)
    return report


def metadata(
    workspace: Workspace, provider: str, symbols: Sequence[str], *, on_load: OnLoad | None = None
) -> Report:
    """Fetch and load who is and was listed, and all that the provider tells about the symbols."""
    with recorded(workspace, f"metadata --provider {provider}") as report:
        fetched = Fetched(report.loads, report.unavailable)
        with _vendor_failures(report, provider), workspace.ingest(provider) as ingest:
            ingest.metadata(symbols, fetched, on_load=on_load)
        # What is learned about symbols may have moved bars from one instrument to another.
        report.resampled = resample(workspace.database, workspace.sessions)
    return report


@contextmanager
def _vendor_failures(report: Report, provider: str) -> Iterator[None]:
    """Note a failure of the vendor as the job's, so that what came before it is resampled."""
    try:
        yield
    except (VendorRefused, VendorUnavailable) as error:
        report.failed[provider] = str(error)
        report.may_pass = isinstance(error, VendorUnavailable)


def import_files(
    workspace: Workspace,
    files: Sequence[tuple[Path, Dataset]],
    provider: str,
    *,
    dry_run: bool = False,
    on_file: Progress | None = None,
    on_progress: Progress | None = None,
) -> Report:
    """Load files, each in a transaction of its own, then resample.

    A file that cannot be read stops none of the others. A dry run stores nothing and resamples nothing.
    """
    loader = workspace.loader(workspace.sessions_ahead, rehearsal=dry_run)
    with recorded(workspace, "import", rehearsal=dry_run) as report:
        for done, (path, dataset) in enumerate(files, start=1):
            try:
                report.loads.append(_import(loader, path, dataset, provider))
            except InputError as error:
                report.failed[str(path)] = str(error)
            if on_file is not None:
                on_file(done, len(files))
        if not dry_run:
            report.resampled = resample(workspace.database, workspace.sessions, on_progress=on_progress)
    return report


def resample_all(
    workspace: Workspace, *, full: bool, shard: Shard | None = None, on_progress: Progress | None = None
) -> Report:
    """Bring the bars to what the daily bars say; all if ``full``, those of a shard if one is given."""
    command = "resample --full" if full else "resample"
    share = shard or Shard(0, 1)
    with recorded(workspace, command if shard is None else f"{command} --shard {shard}") as report:
        report.resampled = resample(
            workspace.database,
            workspace.sessions,
            full=full,
            partitions=share.partitions,
            on_progress=on_progress,
        )
    return report


def rebuild(workspace: Workspace, *, on_progress: Progress | None = None) -> Report:
    """Build the database anew from the archive, then resample."""
    with recorded(workspace, "rebuild") as report:
        report.loads = audit.rebuild(workspace.loader(workspace.extended_sessions()), on_progress)
        report.resampled = resample(workspace.database, workspace.sessions)
    return report


def verify(
    workspace: Workspace, *, sample: int | None, seed: int, on_progress: Progress | None = None
) -> list[Finding]:
    """Return every difference between archive, daily bars and bars; see the command ``verify``."""
    loader = workspace.loader(workspace.sessions)
    found = list(audit.check_archive(loader, sample, seed))
    for symbol, where, problem in check_bars(
        workspace.database, workspace.sessions, sample, seed, on_progress
    ):
        found.append(Finding("bar", symbol, where, problem))
    return found


@contextmanager
def recorded(workspace: Workspace, command: str, *, rehearsal: bool = False) -> Iterator[Report]:
    """Record a run of a command: when it began and how it ended. A killed one stays without an end."""
    report, began = Report(), time.monotonic()
    if rehearsal:
        yield report
        return
    with workspace.database.transaction() as connection:
        run_id = catalog_store.start_run(connection, command)
    try:
        yield report
    except BatchLayerError as error:
        with workspace.database.transaction() as connection:
            catalog_store.finish_run(connection, run_id, FAILED, {"error": str(error)})
        raise
    report.seconds = time.monotonic() - began
    with workspace.database.transaction() as connection:
        catalog_store.finish_run(connection, run_id, report.exit_code, report.as_json())


def resampled_as_json(summary: ResampleSummary) -> dict[str, Any]:
    """Return what resampling did as plain values."""
    return {
        "windows": {str(interval): count for interval, count in summary.windows.items()},
        "inserted": summary.inserted,
        "changed": summary.changed,
        "removed": summary.removed,
        "unchanged": summary.unchanged,
    }


def _import(loader: Loader, path: Path, dataset: Dataset, provider: str) -> LoadSummary:
    # Imported here: only who imports files waits for what reads them.
    from batch_layer.shared.clients.files import read_payload  # noqa: PLC0415

    now = dt.datetime.now(dt.UTC)
    return loader.load(read_payload(path, provider=provider, dataset=dataset, now=now))


def _load_as_json(load: LoadSummary) -> dict[str, Any]:
    return {
        "name": load.name,
        "provider": load.provider,
        "dataset": load.dataset,
        "rows": load.rows,
        "inserted": load.inserted,
        "changed": load.changed,
        "unchanged": load.unchanged,
        "refused": dict(load.refused),
        "seconds": {step: round(spent, 4) for step, spent in load.seconds.items()},
    }
