"""Import the user's own files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from batch_layer.fetching.loading.loader import Loader
from batch_layer.operations.report import Progress, Report, recorded
from batch_layer.operations.workspace import Workspace
from batch_layer.processing.resample import resample
from batch_layer.shared.errors import InputError
from batch_layer.shared.models.loads import LoadSummary
from batch_layer.shared.models.payloads import DatasetName


def import_files(
    workspace: Workspace,
    files: Sequence[tuple[Path, DatasetName]],
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


def _import(loader: Loader, path: Path, dataset: DatasetName, provider: str) -> LoadSummary:
    # Imported here: only who imports files waits for what reads them.
    from batch_layer.shared.clients.files import read_payload  # noqa: PLC0415

    now = dt.datetime.now(dt.UTC)
    return loader.load(read_payload(path, provider=provider, dataset=dataset, now=now))
