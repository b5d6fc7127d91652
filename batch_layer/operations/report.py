"""What an operation did: its report, its exit code, its record in the database."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from condvest.batch_layer.database.stores.loading.rebuilds import keep_from_rebuild
from condvest.batch_layer.database.stores.status import finish_run, start_run
from condvest.batch_layer.database.stores.touched import compact
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.processing.resample import ResampleSummary
from condvest.batch_layer.shared.errors import CondvestError, Terminated
from condvest.batch_layer.shared.exit_codes import (
    DONE,
    FAILED,
    NEEDS_ATTENTION,
    error_code,
    failure_code,
    stopped_code,
)
from condvest.batch_layer.shared.models.instruments.providers import Unavailable
from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.batch_layer.shared.published.parts import compacting_starts

Progress = Callable[[int, int], None]


@dataclass
class Report:
    """What a job did.

    Attributes:
        loads: what each load did, in order.
        resampled: what resampling did; None if the job does not resample.
        failed: files, or a provider, that could not be loaded in full, with the reason.
        unavailable: sessions that the provider does not have yet.
        findings: what looks wrong in the series of the bars that the job touched, and did not before, one
            sentence each.
        notes: what a person should know beside, one sentence each; they make no exit code.
        screened_through: the load up to which later jobs take findings as told; None if the job told none.
        may_pass: whether what failed may succeed if the job is run again.
        findings_count: whether a finding makes the exit code 3.
        seconds: how long the job took.
    """

    loads: list[LoadSummary] = field(default_factory=list)
    resampled: ResampleSummary | None = None
    failed: dict[str, str] = field(default_factory=dict)
    unavailable: list[Unavailable] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    screened_through: int | None = None
    may_pass: bool = False
    findings_count: bool = True
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """What the command exits with and `runs` records; see `condvest.batch_layer.shared.exit_codes`."""
        if self.failed:
            return failure_code(os.environ, may_pass=self.may_pass)
        is_alarm = (self.findings_count and bool(self.findings)) or any(
            load.needs_attention for load in self.loads
        )
        return NEEDS_ATTENTION if is_alarm else DONE

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the command, by the names of `condvest.batch_layer.shared.utils.logs.UNITS`."""
        measured: Counter[str] = Counter()
        for load in self.loads:
            measured.update(load.metrics)
        if self.resampled is not None:
            measured["BarsInserted"] = self.resampled.inserted
            measured["BarsChanged"] = self.resampled.changed
            measured["BarsRemoved"] = self.resampled.removed
        if self.screened_through is not None:
            measured["Findings"] = len(self.findings)
        return {**measured, "DurationSeconds": round(self.seconds, 3)}

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        bars = [load for load in self.loads if load.dataset == "daily_bars"]
        refused: Counter[str] = Counter()
        newly_refused: Counter[str] = Counter()
        for load in self.loads:
            refused.update(load.refused)
            newly_refused.update(load.newly_refused)
        report: dict[str, Any] = {
            "rows": sum(load.rows for load in bars),
            "inserted": sum(load.inserted for load in bars),
            "changed": sum(load.changed for load in bars),
            "unchanged": sum(load.unchanged for load in bars),
            "withdrawn": sum(load.withdrawn for load in bars),
            "outranked": sum(load.outranked for load in bars),
            "duplicates": sum(load.duplicates for load in bars),
            "refused": dict(refused),
            "newly_refused": dict(newly_refused),
            "sessions": sum(load.sessions for load in bars),
            "partial": sorted({day.isoformat() for load in bars for day in load.partial}),
            "loads": [_load_as_json(load) for load in self.loads],
            "notices": [*(notice for load in self.loads for notice in load.notices), *self.notes],
            "findings": self.findings,
            "failed": self.failed,
            "unavailable": {missed.session.isoformat(): missed.reason for missed in self.unavailable},
        }
        if self.resampled is not None:
            report["resampled"] = resampled_as_json(self.resampled)
        return report


@contextmanager
def recorded(workspace: Workspace, command: str, *, rehearsal: bool = False) -> Iterator[Report]:
    """Record a run of a command: when it began, and the code with which the command exits.

    A killed one stays without an end.

    Raises:
        RebuildRuns, UsageError: a rebuild runs, or was stopped; see `keep_from_rebuild`.
    """
    report, began = Report(), time.monotonic()
    if rehearsal:
        yield report
        return
    with workspace.database.transaction() as connection:
        if not command.startswith(("rebuild", "resample")):
            keep_from_rebuild(connection, f"run condvest {command}")
        run_id = start_run(connection, command)
    try:
        yield report
    except Exception as error:
        # One of ours that is none of the typed ones is a fault of the program; its run has an end, too.
        code = error_code(os.environ, error) if isinstance(error, CondvestError) else FAILED
        said = str(error) if isinstance(error, CondvestError) else f"{type(error).__name__}: {error}"
        with workspace.database.transaction() as connection:
            finish_run(connection, run_id, code, {"error": said})
        raise
    except KeyboardInterrupt as stopped:
        code = stopped_code(os.environ, by_sigterm=isinstance(stopped, Terminated))
        # The server may be stopping, too: then the run stays without an end, as a killed one does.
        with suppress(CondvestError), workspace.database.transaction() as connection:
            finish_run(connection, run_id, code, {"error": "stopped"})
        raise
    report.seconds = time.monotonic() - began
    starts = compacting_starts(workspace.sessions)  # read before: not within a transaction
    with workspace.database.transaction() as connection:
        summary = report.as_json()
        if report.screened_through is not None:
            summary["screened_through"] = report.screened_through
        finish_run(connection, run_id, report.exit_code, summary)
        # Who never publishes has entries, too, and reads them with each question about a market.
        compact(connection, starts)


def resampled_as_json(summary: ResampleSummary) -> dict[str, Any]:
    """Return what resampling did as plain values."""
    return {
        "windows": {str(interval): count for interval, count in summary.windows.items()},
        "inserted": summary.inserted,
        "changed": summary.changed,
        "removed": summary.removed,
        "unchanged": summary.unchanged,
    }


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
