"""Store the splits and dividends of a payload."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from batch_layer.database.postgres.revisioned import DIVIDENDS, SPLITS, RevisionedTable
from batch_layer.database.stores import changes, instruments
from batch_layer.fetching.loading.transaction import PayloadLoad, StoredRows
from batch_layer.fetching.reconcile import Reconciled
from batch_layer.shared.models.corporate_actions import DividendEvents, Events, SplitEvents
from batch_layer.shared.models.difference import keys_of, pack
from batch_layer.shared.models.loads import LoadSummary
from batch_layer.shared.models.payloads import DividendRows, SplitRows
from batch_layer.shared.models.spans import Spans, always

E = TypeVar("E", bound=Events)


MOST_WITHDRAWN = 0.1
"""Vendors withdraw an action now and then; where more than a tenth would go, the list was cut short."""

FEW = 5
"""So many may go whatever the share."""


def store_splits(storing: PayloadLoad, rows: SplitRows) -> LoadSummary:
    """Store splits, and record which windows they may rescale.

    Those that a list of all of its ex-dates no longer has are withdrawn: a split whose ex-date was
    corrected must not count twice.
    """
    passed = rows.take(storing.verdict.passed)
    ids, _ = instruments.identify(storing.connection, passed.symbol, passed.ex_date)
    events = SplitEvents(ids, passed.ex_date, passed.split_from, passed.split_to)
    done, notices = _reconcile(storing, SPLITS, events, rows)
    touched = SplitEvents.concat([done.insert, done.old]).on(storing.sessions)
    last = np.int32(storing.sessions.last_ordinal)
    spans = Spans.of_points(touched.instrument_id, np.minimum(touched.ex_ordinal, last))
    return _store(storing, SPLITS, done, spans, notices)


def store_dividends(storing: PayloadLoad, rows: DividendRows) -> LoadSummary:
    """Store dividends; no stored bar depends on them. They are withdrawn as splits are."""
    passed = rows.take(storing.verdict.passed)
    ids, _ = instruments.identify(storing.connection, passed.symbol, passed.ex_date)
    done, notices = _reconcile(
        storing, DIVIDENDS, DividendEvents(ids, passed.ex_date, passed.cash_amount), rows
    )
    return _store(storing, DIVIDENDS, done, Spans(ids[:0], ids[:0], ids[:0]), notices)


def _reconcile(
    storing: PayloadLoad, table: RevisionedTable[E], events: E, rows: SplitRows | DividendRows
) -> tuple[Reconciled[E], tuple[str, ...]]:
    """Compare with what is stored; withdraw what a list of all has in no shape, unless it is much."""
    ids, payload = np.unique(events.instrument_id), storing.payload
    if not (payload.is_whole and payload.first_session and payload.last_session):
        return storing.reconcile(StoredRows.read(storing.connection, table, always(ids)), events), ()
    bounds = (payload.first_session, payload.last_session)
    there = table.instruments_within(storing.connection, *bounds)
    stored = StoredRows.read(storing.connection, table, always(np.union1d(ids, there).astype(np.int32)))
    refused = ~storing.verdict.passed & ~np.isnat(rows.ex_date)
    named = instruments.instruments_of(storing.connection, rows.symbol[refused], rows.ex_date[refused])
    spoken_for = pack(named, rows.ex_date[refused])
    first, last = (np.datetime64(bound, "D") for bound in bounds)
    within = (stored.rows.ex_date >= first) & (stored.rows.ex_date <= last)
    done = storing.reconcile(stored, events, within & ~np.isin(keys_of(stored.rows), spoken_for))
    if done.withdrawn <= max(FEW, MOST_WITHDRAWN * within.sum()):
        return done, ()
    notice = (
        f"the list lacks {done.withdrawn:,} of {within.sum():,} {payload.dataset} that are stored, which are "
        "too many to have been withdrawn: they stay"
    )
    return storing.reconcile(stored, events), (notice,)


def _store(
    storing: PayloadLoad,
    table: RevisionedTable[E],
    done: Reconciled[E],
    touched: Spans,
    notices: tuple[str, ...],
) -> LoadSummary:
    summary = storing.counted(done, notices)
    if storing.is_news(summary):
        load_id = storing.record(summary)
        table.supersede(storing.connection, done.old, done.old_load_id, done.new, load_id)
        table.insert(storing.connection, done.insert, load_id)
        changes.record_instruments(storing.connection, touched)
    return summary
