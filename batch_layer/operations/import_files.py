"""Import the user's own files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from condvest.batch_layer.fetching.loading.loader import Loader
from condvest.batch_layer.operations.report import Progress, Report, recorded
from condvest.batch_layer.operations.resampling import resampled_after
from condvest.batch_layer.operations.screening import Screen, known_before
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.file_options import AS_THEY_ARE, FileOptions
from condvest.batch_layer.shared.models.given.payload_rows import SplitRows
from condvest.batch_layer.shared.models.given.payloads import DatasetName, Payload
from condvest.batch_layer.shared.models.loads import LoadSummary


def import_files(
    workspace: Workspace,
    paths: Sequence[tuple[Path, DatasetName]],
    provider: str,
    *,
    options: FileOptions = AS_THEY_ARE,
    screen: Screen | None = None,
    dry_run: bool = False,
    on_file: Progress | None = None,
    on_progress: Progress | None = None,
    on_stop: Callable[[], None] | None = None,
) -> Report:
    """Load files, each in a transaction of its own, then resample.

    A file that cannot be read stops none of the others. A dry run stores nothing and resamples nothing.

    Args:
        workspace: the open workspace.
        paths: files, folders and patterns, each with what it holds.
        provider: the name under which the rows are kept.
        options: what was said about the files of prices.
        screen: looks at the series that the import touched; see `screening`.
        dry_run: whether nothing is stored.
        on_file: called after each file.
        on_progress: of resampling.
        on_stop: called before an import that is ended resamples what it has loaded.
    """
    loader = workspace.loader(workspace.sessions_ahead, rehearsal=dry_run)
    known_by = known_before(workspace)
    with recorded(workspace, "import", rehearsal=dry_run) as report:
        files = _expanded(paths, report)
        if options.prices == "split-adjusted":
            options = replace(options, splits=_splits_in(files, provider))
        ending = resampled_after(
            workspace, report, screen, known_by, on_stop=on_stop, on_progress=on_progress
        )
        with nullcontext() if dry_run else ending:
            for done, (path, dataset) in enumerate(files, start=1):
                try:
                    report.loads += _import(loader, path, dataset, provider, options)
                except InputError as error:
                    report.failed[_text(path)] = str(error)
                if on_file is not None:
                    on_file(done, len(files))
    return report


def import_tables(
    workspace: Workspace,
    tables: Sequence[tuple[pa.Table, DatasetName]],
    provider: str,
    *,
    name: str,
    options: FileOptions = AS_THEY_ARE,
    screen: Screen | None = None,
    dry_run: bool = False,
) -> Report:
    """Load Arrow tables as `import_files` loads files; each is archived as Parquet.

    Raises:
        InputError: a table is not in the expected format. Those before it are loaded.
    """
    payloads = [_payload(table, dataset, provider, name, workspace.now) for table, dataset in tables]
    if options.prices == "split-adjusted":
        options = replace(options, splits=_splits_of(payloads))
    loader = workspace.loader(workspace.sessions_ahead, rehearsal=dry_run)
    known_by = known_before(workspace)
    with recorded(workspace, "import", rehearsal=dry_run) as report, ExitStack() as ending:
        if not dry_run:
            ending.enter_context(resampled_after(workspace, report, screen, known_by))
        for payload in payloads:
            is_bars = payload.dataset == "daily_bars"
            own = options if is_bars else replace(options, symbol=None, prices=None, splits=())
            report.loads += _loaded(loader, replace(payload, options=own))
    return report


def _payload(table: pa.Table, dataset: DatasetName, provider: str, name: str, now: dt.datetime) -> Payload:
    import pyarrow.parquet as pq  # noqa: PLC0415  # as above

    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(None), sink)
    return Payload(
        provider=provider,
        dataset=dataset,
        content=sink.getvalue().to_pybytes(),
        media="parquet",
        first_session=None,
        last_session=None,
        fetched_at=now,
        is_whole=False,
        name=f"{name}/{dataset}",
    )


def _splits_of(payloads: Sequence[Payload]) -> tuple[tuple[str, str, float], ...]:
    from condvest.batch_layer.shared.clients.files import parse  # noqa: PLC0415  # as above

    return tuple(
        split
        for payload in payloads
        if payload.dataset == "splits"
        for split in _ratios(parse(payload).rows_as(SplitRows))
    )


def _text(path: Path) -> str:
    """Return a path as text that a database can hold: any bytes may be a file's name."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _expanded(paths: Sequence[tuple[Path, DatasetName]], report: Report) -> list[tuple[Path, DatasetName]]:
    # Imported here: only who imports files waits for what reads them.
    from condvest.batch_layer.shared.clients.files import expand  # noqa: PLC0415

    files: list[tuple[Path, DatasetName]] = []
    for path, dataset in paths:
        try:
            files += [(file, dataset) for file in expand(path)]
        except InputError as error:
            report.failed[_text(path)] = str(error)
    return files


def _splits_in(
    files: Sequence[tuple[Path, DatasetName]], provider: str
) -> tuple[tuple[str, str, float], ...]:
    """Return symbol, ex-date and ratio of the splits in the files of splits.

    A file that cannot be read gives none; it fails when it is loaded.
    """
    from condvest.batch_layer.shared.clients.files import parse, read_payload  # noqa: PLC0415  # as above

    splits: list[tuple[str, str, float]] = []
    for path, dataset in files:
        if dataset != "splits":
            continue
        try:
            payload = read_payload(path, provider=provider, dataset=dataset, now=dt.datetime.now(dt.UTC))
            splits += _ratios(parse(payload).rows_as(SplitRows))
        except InputError:
            continue
    return tuple(splits)


def _ratios(rows: SplitRows) -> Iterator[tuple[str, str, float]]:
    with np.errstate(all="ignore"):
        ratio = rows.split_to / rows.split_from
    usable = np.isfinite(ratio) & (ratio > 0) & ~np.isnat(rows.ex_date)
    for row in np.flatnonzero(usable):
        yield str(rows.symbol[row]), str(rows.ex_date[row]), float(ratio[row])


def _import(
    loader: Loader, path: Path, dataset: DatasetName, provider: str, options: FileOptions
) -> list[LoadSummary]:
    """Load a file; of a file of prices also the splits and dividends that stand in its columns."""
    from condvest.batch_layer.shared.clients.files import read_payload  # noqa: PLC0415  # as above

    now = dt.datetime.now(dt.UTC)
    own = options if dataset == "daily_bars" else replace(options, symbol=None, prices=None, splits=())
    if dataset == "renames":
        own = replace(own, symbol_from_path=False)
    payload = read_payload(path, provider=provider, dataset=dataset, now=now, options=own)
    return _loaded(loader, payload)


def _loaded(loader: Loader, payload: Payload) -> list[LoadSummary]:
    from condvest.batch_layer.shared.clients.files import action_datasets  # noqa: PLC0415  # as above

    summaries = [loader.load(payload)]
    if payload.dataset == "daily_bars":
        for actions in action_datasets(payload):
            summary = loader.load(replace(payload, dataset=actions))
            summaries += [summary] if summary.rows else []
    return summaries
