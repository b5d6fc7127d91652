"""What the endpoints answer that report on the data: what is complete, lacks, looks wrong, and came to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from batch_layer.database.stores.status import recent_runs
from serving_layer import contract
from serving_layer.http.backends import Backend
from serving_layer.http.states import State
from serving_layer.queries.coverage import read_coverage
from serving_layer.queries.gaps import published_gaps, read_gaps
from serving_layer.queries.history import published_history, read_history
from serving_layer.queries.quality import flag_bars
from serving_layer.queries.refused import read_refused
from serving_layer.queries.size import DAILY_BAR, Largest

LARGEST = Largest(answer=256 << 20, read=1 << 30)
"""What one answer may take in memory; what would take more is refused before it is read."""

_GAP = 64
"""Bytes of a session that lacks, while the answer is made, about."""

MOST_GAPS = LARGEST.answer // _GAP

Read = tuple[pa.Table, State | None]


def coverage(backend: Backend, query: contract.CoverageQuery, _: int | None) -> Read:
    """Answer how many sessions were loaded."""
    return read_coverage(backend.opened, query.by, query.provider), None


def gaps(backend: Backend, query: contract.GapsQuery, _: int | None) -> Read:
    """Answer which sessions instruments lack."""
    symbols = query.all_symbols() or ()
    if backend.has_database:
        return read_gaps(backend.opened, symbols, MOST_GAPS), None
    source = backend.published()
    return published_gaps(source, symbols, MOST_GAPS), State(source.version, 0)


def quality(backend: Backend, query: contract.QualityQuery, _: int | None) -> Read:
    """Answer what looks wrong."""
    return flag_bars(backend.opened, query.all_symbols() or (), most=LARGEST.read // DAILY_BAR), None


def history(backend: Backend, query: contract.HistoryQuery, _: int | None) -> Read:
    """Answer which states daily bars were known in."""
    if backend.has_database:
        return read_history(backend.opened, query.symbol, query.session), None
    source = backend.published()
    return published_history(source, query.symbol, query.session), State(source.version, 0)


def refused(backend: Backend, query: contract.RefusedQuery, _: int | None) -> Read:
    """Answer which rows were refused."""
    with backend.opened.database.transaction(read_only=True) as connection:
        return read_refused(connection, query.load_id, LARGEST.answer), None


_RUNS = pa.schema(
    [
        ("run_id", pa.int32()),
        ("command", pa.string()),
        ("started_at", pa.timestamp("us", "UTC")),
        ("finished_at", pa.timestamp("us", "UTC")),
        ("exit_code", pa.int32()),
    ]
)


def runs(backend: Backend, query: contract.RunsQuery, _: int | None) -> Read:
    """Answer which commands ran."""
    with backend.opened.database.transaction(read_only=True) as connection:
        rows: Sequence[Mapping[str, Any]] = recent_runs(connection, query.command or "")
    return pa.Table.from_pylist([dict(row) for row in rows], schema=_RUNS), None
