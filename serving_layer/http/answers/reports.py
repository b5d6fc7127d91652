"""What the endpoints answer that report on the data: what is complete, lacks, looks wrong, and came to be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from condvest.batch_layer.database.stores.status import recent_runs
from condvest.serving_layer.contract import reports as contract
from condvest.serving_layer.http.answers.problems import Stale
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.backends.reference import published_with
from condvest.serving_layer.http.backends.states import NotServed, State
from condvest.serving_layer.queries.alerts import alerts_table
from condvest.serving_layer.queries.bars.size import DAILY_BAR, Largest
from condvest.serving_layer.queries.history import published_history, read_history
from condvest.serving_layer.queries.reports.coverage import By, coverage_of, read_coverage
from condvest.serving_layer.queries.reports.freshness import behind, closed_sessions
from condvest.serving_layer.queries.reports.gaps import published_gaps, read_gaps
from condvest.serving_layer.queries.reports.published_status import published_status
from condvest.serving_layer.queries.reports.quality import flag_bars, published_flags
from condvest.serving_layer.queries.reports.refused import REFUSED_SCHEMA, no_load, read_refused
from condvest.serving_layer.queries.reports.runs import check_command
from condvest.serving_layer.queries.reports.status import read_status
from condvest.serving_layer.queries.reports.symbol_coverage import (
    published_symbol_coverage,
    read_symbol_coverage,
)
from condvest.serving_layer.sources.published import PublishedSource

LARGEST = Largest(answer=256 << 20, read=1 << 30)
"""What one answer may take in memory; what would take more is refused before it is read."""

_GAP = 64
"""Bytes of a session that lacks, while the answer is made, about."""

MOST_RUNS = 1000
"""Runs of commands in an answer."""

MOST_GAPS = LARGEST.answer // _GAP

Read = tuple[pa.Table, State | None]


def coverage(backend: Backend, query: contract.CoverageQuery, _: int | None) -> Read:
    """Answer how many sessions were loaded; of some symbols, how many of theirs are there."""
    symbols = query.all_symbols()
    if symbols is not None:
        return _coverage_of_symbols(backend, symbols, query.by)
    if backend.has_database:
        return read_coverage(backend.opened, query.by, query.provider), None
    source = published_with(backend, "coverage")
    ledger = source.small("coverage").to_pylist()
    return coverage_of(ledger, source.sessions, query.by, query.provider), state_of(source)


def _coverage_of_symbols(backend: Backend, symbols: Sequence[str], by: By) -> Read:
    if backend.has_database:
        return read_symbol_coverage(backend.opened, symbols, by, MOST_GAPS), None
    source = backend.published()
    return published_symbol_coverage(source, symbols, by, MOST_GAPS), state_of(source)


def state_of(source: PublishedSource) -> State:
    """Return the state that a published version is."""
    return State(source.version, 0)


def gaps(backend: Backend, query: contract.GapsQuery, _: int | None) -> Read:
    """Answer which sessions instruments lack."""
    symbols = query.all_symbols() or ()
    if backend.has_database:
        return read_gaps(backend.opened, symbols, MOST_GAPS), None
    source = backend.published()
    return published_gaps(source, symbols, MOST_GAPS), state_of(source)


def quality(backend: Backend, query: contract.QualityQuery, _: int | None) -> Read:
    """Answer what looks wrong."""
    symbols, most = query.all_symbols() or (), LARGEST.read // DAILY_BAR
    if backend.has_database:
        return flag_bars(backend.opened, symbols, most=most), None
    source = backend.published()
    return published_flags(source, symbols, most), state_of(source)


def history(backend: Backend, query: contract.HistoryQuery, _: int | None) -> Read:
    """Answer which states daily bars were known in."""
    if backend.has_database:
        return read_history(backend.opened, query.symbol, query.session), None
    source = backend.published()
    return published_history(source, query.symbol, query.session), state_of(source)


def refused(backend: Backend, query: contract.RefusedQuery, _: int | None) -> Read:
    """Answer which rows were refused."""
    if not backend.has_database:
        source = published_with(backend, "refused", "loads")
        table = source.small("refused")
        if query.load_id is not None:
            table = table.filter(pc.equal(table["load_id"], query.load_id))
            loads = source.small("loads")["load_id"]
            if not pc.any(pc.equal(loads, query.load_id)).as_py():
                raise no_load(query.load_id, pc.max(loads).as_py())
        return table.cast(REFUSED_SCHEMA), state_of(source)
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
    """Answer which commands ran; of a published version, those that it knows of."""
    check_command(query.command or "")
    if not backend.has_database:
        source = published_with(backend, "runs")
        table = source.small("runs").sort_by([("run_id", "descending")])
        table = table.filter(pc.starts_with(table["command"], query.command or ""))
        return table.select(_RUNS.names).slice(0, MOST_RUNS).cast(_RUNS), state_of(source)
    with backend.opened.database.transaction(read_only=True) as connection:
        rows: Sequence[Mapping[str, Any]] = recent_runs(connection, query.command or "", MOST_RUNS)
    return pa.Table.from_pylist([dict(row) for row in rows], schema=_RUNS), None


def alerts(backend: Backend, query: contract.AlertsQuery, _: int | None) -> Read:
    """Answer what alert rules said, and the verdicts; no published data set holds them."""
    if not backend.has_database:
        raise NotServed(
            "what alert rules said is never published: it changes during the session, and publications "
            "follow loads; ask a server that reads the database (condvest serve --source database)"
        )
    return alerts_table(backend.opened, query.rule, query.all_symbols()), None


def status(backend: Backend) -> dict[str, Any]:
    """Answer what the database holds, or what is published of it.

    Raises:
        NotServed: an earlier version of Condvest published it, without the ledger or the runs.
    """
    if backend.has_database:
        return read_status(backend.opened)
    source = published_with(backend, "coverage", "runs", "loads")
    return published_status(source, dt.datetime.now(dt.UTC))


def check_fresh(backend: Backend, max_behind: int, now: dt.datetime) -> None:
    """Insist that the data follow the market; what ends by itself, as the sample does, is never behind.

    Raises:
        Stale: nothing is loaded, or a provider is more than ``max_behind`` sessions behind that had closed
            by ``now`` (aware).
    """
    with backend.reading() as (source, state):
        closed = closed_sessions(source.sessions, now)
    if not state.loaded_through:
        raise Stale("nothing is loaded; begin with: condvest demo")
    for provider, last in state.loaded_through.items():
        lacks = behind(provider, closed, dt.date.fromisoformat(last))
        if lacks is not None and lacks > max_behind:
            raise Stale(
                f"{provider} is {lacks} sessions behind: its last is {last}, the exchange closed {closed[-1]}"
            )
