"""Store the splits and dividends of a payload."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from batch_layer.database.postgres.revisioned import DIVIDENDS, SPLITS, RevisionedTable
from batch_layer.database.stores import changes, instruments
from batch_layer.fetching.loading.transaction import PayloadLoad, StoredRows
from batch_layer.fetching.reconcile import Reconciled
from batch_layer.shared.models.bars import Int32s
from batch_layer.shared.models.corporate_actions import DividendEvents, Events, SplitEvents
from batch_layer.shared.models.difference import keys_of, pack
from batch_layer.shared.models.loads import LoadSummary
from batch_layer.shared.models.payloads import DividendRows, SplitRows
from batch_layer.shared.models.spans import Spans, always

E = TypeVar("E", bound=Events)


MOST_WITHDRAWN = 0.1
"""Vendors withdraw an action now and then; a list that lacks more than a tenth was cut short."""

FEW = 5
"""So many may be withdrawn whatever their share."""


def store_splits(load: PayloadLoad) -> LoadSummary:
    """Store splits, and record which windows they may rescale.

    A payload that is a whole list of its ex-dates withdraws the stored splits that it lacks: a split whose
    ex-date was corrected must not count twice.
    """
    rows = load.parsed.rows_as(SplitRows)
    passed = rows.take(load.verdict.passed)
    ids, _ = instruments.identify(load.connection, passed.symbol, passed.ex_date)
    events = split_events_of(passed, ids)
    done, notices = _reconcile(load, SPLITS, events, rows)
    touched = SplitEvents.concat([done.insert, done.old]).on(load.sessions)
    last = np.int32(load.sessions.last_ordinal)
    spans = Spans.of_points(touched.instrument_id, np.minimum(touched.ex_ordinal, last))
    return _store(load, SPLITS, done, spans, notices)


def store_dividends(load: PayloadLoad) -> LoadSummary:
    """Store dividends; no stored bar depends on them. They are withdrawn as splits are."""
    rows = load.parsed.rows_as(DividendRows)
    passed = rows.take(load.verdict.passed)
    ids, _ = instruments.identify(load.connection, passed.symbol, passed.ex_date)
    done, notices = _reconcile(load, DIVIDENDS, dividend_events_of(passed, ids), rows)
    return _store(load, DIVIDENDS, done, Spans(ids[:0], ids[:0], ids[:0]), notices)


def split_events_of(rows: SplitRows, instrument_id: Int32s, _: object = None) -> SplitEvents:
    """Return rows of a payload as splits of the given instruments (int32, one per row)."""
    return SplitEvents(instrument_id, rows.ex_date, rows.split_from, rows.split_to)


def dividend_events_of(rows: DividendRows, instrument_id: Int32s, _: object = None) -> DividendEvents:
    """Return rows of a payload as dividends of the given instruments (int32, one per row)."""
    return DividendEvents(instrument_id, rows.ex_date, rows.cash_amount)


def _reconcile(
    load: PayloadLoad, table: RevisionedTable[E], events: E, rows: SplitRows | DividendRows
) -> tuple[Reconciled[E], tuple[str, ...]]:
    """Compare a payload's actions with the stored ones.

    A whole list withdraws the stored actions of its ex-dates of which it has no row, not even a refused one;
    but none if they are too many, for then the list was cut short.
    """
    ids, payload = np.unique(events.instrument_id), load.payload
    if not (payload.is_whole and payload.first_session and payload.last_session):
        return load.reconcile(StoredRows.read(load.connection, table, always(ids)), events), ()
    bounds = (payload.first_session, payload.last_session)
    in_period = table.instruments_within(load.connection, *bounds)
    stored = StoredRows.read(load.connection, table, always(np.union1d(ids, in_period).astype(np.int32)))
    refused = ~load.verdict.passed & ~np.isnat(rows.ex_date)
    refused_ids = instruments.instruments_of(load.connection, rows.symbol[refused], rows.ex_date[refused])
    refused_keys = pack(refused_ids, rows.ex_date[refused])
    first, last = (np.datetime64(bound, "D") for bound in bounds)
    within = (stored.rows.ex_date >= first) & (stored.rows.ex_date <= last)
    done = load.reconcile(stored, events, within & ~np.isin(keys_of(stored.rows), refused_keys))
    if done.withdrawn <= max(FEW, MOST_WITHDRAWN * within.sum()):
        return done, ()
    notice = (
        f"the list lacks {done.withdrawn:,} of {within.sum():,} {payload.dataset} that are stored, which are "
        "too many to have been withdrawn: they stay"
    )
    return load.reconcile(stored, events), (notice,)


def _store(
    load: PayloadLoad,
    table: RevisionedTable[E],
    done: Reconciled[E],
    touched: Spans,
    notices: tuple[str, ...],
) -> LoadSummary:
    summary = load.counted(done, notices)
    if load.is_news(summary):
        load_id = load.record(summary)
        table.supersede(load.connection, done.old, done.old_load_id, done.new, load_id)
        table.insert(load.connection, done.insert, load_id)
        changes.record_instruments(load.connection, touched)
    return summary
