"""Store the splits and dividends of a payload."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from condvest.batch_layer.database.postgres.revisioned import DIVIDENDS, SPLITS, RevisionedTable
from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.identity.instruments import (
    NO_INSTRUMENT,
    instruments_of,
    without_bars,
)
from condvest.batch_layer.database.stores.identity.symbols import all_symbols
from condvest.batch_layer.database.stores.loading.taken_back import taken_back
from condvest.batch_layer.fetching.loading.carriers import OF_ANOTHER, carriers_of
from condvest.batch_layer.fetching.loading.retelling.repeats import without_repeats
from condvest.batch_layer.fetching.loading.transaction import NO_HOME, PayloadLoad, StoredRows
from condvest.batch_layer.fetching.quality import takes_back
from condvest.batch_layer.fetching.reconcile import Reconciled
from condvest.batch_layer.shared.models.bars import Bools, Int32s, Int64s
from condvest.batch_layer.shared.models.corporate_actions import DividendEvents, Events, SplitEvents
from condvest.batch_layer.shared.models.difference import keys_of, pack, unpack
from condvest.batch_layer.shared.models.given.payload_rows import DividendRows, SplitRows
from condvest.batch_layer.shared.models.instruments.provider_kinds import IMPORTED_RANK, rank_of
from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE
from condvest.batch_layer.shared.models.spans import Spans, always

E = TypeVar("E", bound=Events)
ActionRows = TypeVar("ActionRows", SplitRows, DividendRows)

MOST_WITHDRAWN = 0.1
"""Vendors withdraw an action now and then; a list that lacks more than a tenth was cut short."""

FEW = 5
"""So many may be withdrawn whatever their share."""

_MOST_NAMED = 5
"""Symbols that a notice names."""


def store_splits(load: PayloadLoad) -> LoadSummary:
    """Store splits, and record which windows they may rescale.

    A payload that is a whole list of its ex-dates withdraws the stored splits that it lacks: a split whose
    ex-date was corrected must not count twice. A whole list of one symbol does so for that symbol.
    """
    load, rows, ids = _with_instruments(load, SplitRows, SPLITS)
    gone = takes_back(rows)
    done, notices = _reconcile(
        load, SPLITS, split_events_of(rows.take(~gone), ids[~gone]), _keys(rows, ids, gone)
    )
    touched = SplitEvents.concat([done.insert, done.old]).on(load.sessions)
    last = np.int32(load.sessions.last_ordinal)
    spans = Spans.of_points(touched.instrument_id, np.minimum(touched.ex_ordinal, last))
    return _store(load, SPLITS, done, spans, notices, int(gone.sum()))


def store_dividends(load: PayloadLoad) -> LoadSummary:
    """Store dividends; no stored bar depends on them. They are withdrawn as splits are."""
    load, rows, ids = _with_instruments(load, DividendRows, DIVIDENDS)
    gone = takes_back(rows)
    events = dividend_events_of(rows.take(~gone), ids[~gone])
    done, notices = _reconcile(load, DIVIDENDS, events, _keys(rows, ids, gone))
    return _store(load, DIVIDENDS, done, Spans(ids[:0], ids[:0], ids[:0]), notices, int(gone.sum()))


def _with_instruments(
    load: PayloadLoad, kind: type[ActionRows], stored_in: RevisionedTable[E]
) -> tuple[PayloadLoad, ActionRows, Int32s]:
    """Return the load, the rows that have an instrument, and the instruments; the others are refused.

    An action never makes an instrument. One without a home is kept among the refused rows until somebody has
    its symbol; see `homeless`. What an import took back, no vendor brings again.
    """
    passed = np.flatnonzero(load.verdict.passed)
    table = load.parsed.rows_as(kind)
    ids = carriers_of(load.connection, load.payload, load.parsed, load.verdict.passed)
    load = load.refusing(
        _mask(load, passed[ids == NO_INSTRUMENT]),
        NO_HOME,
        lambda row: f"{_named(table, row)}: {_nobody(load)}",
    )
    passed, ids = passed[ids != NO_INSTRUMENT], ids[ids != NO_INSTRUMENT]
    revoked = taken_back(load.connection, stored_in, ids, above=rank_of(load.payload.provider))
    is_revoked = np.isin(pack(ids, table.take(passed).ex_date), revoked)
    load = load.refusing(
        _mask(load, passed[is_revoked]),
        "taken_back",
        lambda row: f"{_named(table, row)}: an import took it back",
    )
    passed, ids = passed[~is_revoked], ids[~is_revoked]
    load, left, _ = without_repeats(load, passed, pack(ids, table.take(passed).ex_date))
    return load, table.take(passed[left]), ids[left]


def _mask(load: PayloadLoad, positions: Int64s) -> Bools:
    mask = np.zeros(len(load.parsed.rows), dtype=bool)
    mask[positions] = True
    return mask


def _keys(rows: SplitRows | DividendRows, instrument_id: Int32s, chosen: Bools) -> Int64s:
    return pack(instrument_id[chosen], rows.ex_date[chosen])


def _nobody(load: PayloadLoad) -> str:
    """Return why an action has no instrument, and what a person can do whose list means it otherwise."""
    if load.parsed.symbols_mean == "today":
        return f"nobody carried the symbol then, or took it later; or {OF_ANOTHER}"
    if rank_of(load.payload.provider) < IMPORTED_RANK:
        return "nobody carried the symbol then"
    return (
        "nobody carried the symbol then, so it waits for bars of that symbol; correct a typo, and of a list "
        "in symbols of today say --symbols-mean today"
    )


def _named(rows: SplitRows | DividendRows, row: int) -> str:
    return f"{rows.symbol[row]} {rows.ex_date[row]}"


def split_events_of(rows: SplitRows, instrument_id: Int32s, _: object = None) -> SplitEvents:
    """Return rows of a payload as splits of the given instruments (int32, one per row)."""
    return SplitEvents(instrument_id, rows.ex_date, rows.split_from, rows.split_to)


def dividend_events_of(rows: DividendRows, instrument_id: Int32s, _: object = None) -> DividendEvents:
    """Return rows of a payload as dividends of the given instruments (int32, one per row)."""
    return DividendEvents(instrument_id, rows.ex_date, rows.cash_amount)


def _reconcile(
    load: PayloadLoad, table: RevisionedTable[E], events: E, revoked: Int64s
) -> tuple[Reconciled[E], tuple[str, ...]]:
    """Compare a payload's actions, and the keys of those that it takes back, with the stored ones.

    A whole list withdraws the stored actions of its ex-dates of which it has no row, not even a refused one;
    but none if they are too many, for then the list was cut short, and none of an instrument whose bars in
    the same answer are in doubt.
    """
    ids, period = np.unique(events.instrument_id), _period(load, table)
    if period is None:
        ids = np.union1d(ids, unpack(revoked)[0]).astype(np.int32)
        stored = StoredRows.read(load.connection, table, always(ids))
        keys = keys_of(stored.rows)
        notices = _absent(load, revoked[~np.isin(revoked, keys)])
        return load.reconcile(stored, events, taken_back=np.isin(keys, revoked)), notices
    first, last, claimed = period
    every = np.union1d(ids, claimed).astype(np.int32)
    stored = StoredRows.read(load.connection, table, always(every))
    within = (stored.rows.ex_date >= first) & (stored.rows.ex_date <= last)
    within &= np.isin(stored.rows.instrument_id, claimed)
    doubted = np.isin(stored.rows.instrument_id, np.array(sorted(load.doubted), dtype=np.int32))
    missed = within & ~np.isin(keys_of(stored.rows), _refused_keys(load)) & ~doubted
    done = load.reconcile(stored, events, missed)
    if done.withdrawn <= max(FEW, MOST_WITHDRAWN * within.sum()):
        return done, ()
    notice = (
        f"the list lacks {done.withdrawn:,} of {within.sum():,} {load.parsed.dataset} that are stored, "
        "which are too many to have been withdrawn: they stay"
    )
    return load.reconcile(stored, events), (notice,)


def _absent(load: PayloadLoad, keys: Int64s) -> tuple[str, ...]:
    """Return a notice that names what was to be taken back and is not stored."""
    if not len(keys):
        return ()
    ids, days = unpack(keys[:_MOST_NAMED])
    symbols, dates = all_symbols(load.connection), days.astype("datetime64[D]")
    listed = ", ".join(f"{symbols[name]} {day}" for name, day in zip(ids.tolist(), dates, strict=True))
    more = f" and {len(keys) - _MOST_NAMED:,} more" if len(keys) > _MOST_NAMED else ""
    return (f"nothing is stored that could be taken back of {listed}{more}",)


def _period(
    load: PayloadLoad, table: RevisionedTable[E]
) -> tuple[np.datetime64, np.datetime64, Int32s] | None:
    """Return the ex-dates (inclusive) and instruments that a payload lists in full; None if it does not."""
    payload, listed = load.payload, load.parsed.listed
    if payload.is_whole and payload.first_session and payload.last_session:
        bounds = (payload.first_session, payload.last_session)
        claimed = table.instruments_within(load.connection, *bounds)
    elif listed is not None:
        bounds = (listed.first, listed.last)
        today = payload.fetched_at.astimezone(EXCHANGE_ZONE).date()
        claimed = instruments_of(
            load.connection,
            np.array([listed.symbol], dtype=object),
            np.array([today], dtype="datetime64[D]"),
        )
    else:
        return None
    return np.datetime64(bounds[0], "D"), np.datetime64(bounds[1], "D"), claimed[claimed != NO_INSTRUMENT]


def _refused_keys(load: PayloadLoad) -> Int64s:
    """Return the keys of the refused rows whose instrument and ex-date are known."""
    refused = ~load.verdict.passed & ~np.isnat(load.parsed.rows.dates())
    ids = carriers_of(load.connection, load.payload, load.parsed, refused)
    return pack(ids, load.parsed.rows.dates()[refused])


def _store(
    load: PayloadLoad,
    table: RevisionedTable[E],
    done: Reconciled[E],
    touched: Spans,
    notices: tuple[str, ...],
    taking_back: int,
) -> LoadSummary:
    """Store what is to be done; rows that take actions back count as unchanged beside what they withdraw."""
    if rank_of(load.payload.provider) >= IMPORTED_RANK and len(done.insert):
        barless = without_bars(load.connection, done.insert.instrument_id)
        if barless:
            named = ", ".join(barless[:_MOST_NAMED]) + (" and others" if barless[_MOST_NAMED:] else "")
            notices += (f"no daily bars are loaded of {named}; are the symbols spelled right?",)
    summary = load.counted(done, notices)
    summary = replace(summary, unchanged=summary.unchanged + taking_back)
    if load.is_news(summary):
        load_id = load.record(summary)
        table.supersede(load.connection, done.old, done.old_load_id, done.new, load_id)
        table.insert(load.connection, done.insert, load_id)
        changes.record_instruments(load.connection, touched)
    return summary
