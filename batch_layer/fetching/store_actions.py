"""Store the splits and dividends of a payload."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from batch_layer.database import changes_store, instruments_store
from batch_layer.database.keyed_store import DIVIDENDS, SPLITS, KeyedTable
from batch_layer.fetching.reconcile import Reconciled
from batch_layer.fetching.storing import Storing
from batch_layer.shared.models.bars import Bools, Int32s
from batch_layer.shared.models.corporate_actions import DividendEvents, Events, SplitEvents
from batch_layer.shared.models.loads import LoadSummary
from batch_layer.shared.models.payloads import DividendRows, SplitRows
from batch_layer.shared.models.spans import Spans, always

E = TypeVar("E", bound=Events)


def store_splits(storing: Storing, rows: SplitRows) -> LoadSummary:
    """Store splits, and record which windows they may rescale."""
    passed = rows.take(storing.verdict.passed)
    ids, _ = storing.identify(passed.symbol, passed.ex_date)
    done = _reconcile(storing, SPLITS, SplitEvents(ids, passed.ex_date, passed.split_from, passed.split_to))
    touched = SplitEvents.concat([done.insert, done.old]).on(storing.sessions)
    last = np.int32(storing.sessions.last_ordinal)
    spans = Spans.of_points(touched.instrument_id, np.minimum(touched.ex_ordinal, last))
    return _store(storing, SPLITS, done, spans)


def store_dividends(storing: Storing, rows: DividendRows) -> LoadSummary:
    """Store dividends; no stored bar depends on them."""
    passed = rows.take(storing.verdict.passed)
    ids, _ = storing.identify(passed.symbol, passed.ex_date)
    done = _reconcile(storing, DIVIDENDS, DividendEvents(ids, passed.ex_date, passed.cash_amount))
    return _store(storing, DIVIDENDS, done, Spans(ids[:0], ids[:0], ids[:0]))


def _reconcile(storing: Storing, table: KeyedTable[E], events: E) -> Reconciled[E]:
    concerned: Int32s = np.unique(events.instrument_id)
    if storing.payload.is_whole:
        supplied = instruments_store.supplied_by(storing.connection, storing.provider_id)
        concerned = np.union1d(concerned, supplied).astype(np.int32)
    return storing.reconcile(table, always(concerned), events, _all if storing.payload.is_whole else None)


def _store(storing: Storing, table: KeyedTable[E], done: Reconciled[E], touched: Spans) -> LoadSummary:
    summary = storing.counted(done)
    if storing.is_news(summary):
        load_id = storing.record(summary)
        table.supersede(storing.connection, done.old, done.old_load_id, done.new, load_id)
        table.insert(storing.connection, done.insert, load_id)
        changes_store.record_instruments(storing.connection, touched)
    return summary


def _all(stored: Events) -> Bools:
    return np.ones(len(stored), dtype=bool)
