"""Store the daily bars of a payload, with the ledger and the record of what changed."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np

from batch_layer.database import changes_store, instruments_store, load_store
from batch_layer.database.keyed_store import DAILY_BARS
from batch_layer.fetching import quality
from batch_layer.fetching.ledger import complete_sessions, keep_complete, sessions_affected
from batch_layer.fetching.reconcile import Reconciled, spans_to_read
from batch_layer.fetching.storing import Storing
from batch_layer.shared.models.bars import Bools, DailyBars, Int32s
from batch_layer.shared.models.difference import keys_of, pack
from batch_layer.shared.models.loads import LedgerRows, LoadSummary
from batch_layer.shared.models.payloads import BarRows
from batch_layer.shared.models.sessions import NO_ORDINAL
from batch_layer.shared.models.spans import Spans


def store_bars(storing: Storing, rows: BarRows) -> LoadSummary:
    """Store daily bars; see `Loader.load`."""
    wanted, made = _identified(storing, rows)
    claimed = _claimed(storing, wanted.ordinal)
    held = load_store.read_ledger(storing.connection, storing.provider_id)
    passed = _count(claimed, wanted.ordinal)
    complete = np.ones(len(claimed), dtype=bool)
    if storing.payload.is_whole:
        complete = complete_sessions(claimed, passed, held)
    supplied = instruments_store.supplied_by(storing.connection, storing.provider_id)
    done = _reconcile(storing, rows, wanted, claimed[complete], supplied)
    summary = replace(
        storing.counted(done, _case_twins(storing, made)), partial=_dates(storing, claimed[~complete])
    )
    entered = keep_complete(_entries(storing, claimed, complete, passed, done), held)
    affected = sessions_affected(entered, held)
    # Two sessions may have the same bytes (none at all), and one may be complete by what came in between.
    if storing.is_news(summary) or len(affected):
        load_id = storing.record(summary)
        DAILY_BARS.supersede(storing.connection, done.old, done.old_load_id, done.new, load_id)
        DAILY_BARS.insert(storing.connection, done.insert, load_id)
        load_store.write_ledger(storing.connection, storing.provider_id, load_id, entered)
        another = _newly_supplied(storing, wanted, supplied, made, held, load_id)
        _record_changes(storing, done, affected, another)
    return summary


def _identified(storing: Storing, rows: BarRows) -> tuple[DailyBars, Int32s]:
    """Return the rows that passed as daily bars by key, and the instruments that were made for them."""
    passed = rows.take(storing.verdict.passed)
    ids, made = storing.identify(passed.symbol, passed.session)
    return bars_of(passed, ids, storing.verdict.ordinal[storing.verdict.passed]), made


def bars_of(rows: BarRows, instrument_id: Int32s, ordinal: Int32s) -> DailyBars:
    """Return rows of a payload as daily bars of the instruments and sessions given, by key."""
    bars = DailyBars(
        instrument_id,
        ordinal,
        rows.open,
        rows.high,
        rows.low,
        rows.close,
        rows.volume,
        rows.vwap,
        rows.trades,
    )
    return bars.take(np.argsort(keys_of(bars), kind="stable"))


def _claimed(storing: Storing, ordinal: Int32s) -> Int32s:
    """Return the sessions that the payload speaks of: those asked for, or those of its rows."""
    payload, sessions = storing.payload, storing.sessions
    if payload.is_whole and payload.first_session and payload.last_session:
        bounds = np.array([payload.first_session, payload.last_session + dt.timedelta(1)], "datetime64[D]")
        first, end = sessions.ordinals_on_or_after(bounds)
        return np.arange(first, end, dtype=np.int32)
    return np.unique(ordinal)


def _reconcile(
    storing: Storing, rows: BarRows, wanted: DailyBars, complete: Int32s, supplied: Int32s
) -> Reconciled[DailyBars]:
    """Compare with what is stored; withdraw what a whole session no longer has in any shape."""
    whole_of = supplied if storing.payload.is_whole and len(complete) else supplied[:0]
    bounds = (int(complete[0]), int(complete[-1])) if len(complete) else (0, 0)
    refused = ~storing.verdict.passed & (storing.verdict.ordinal != NO_ORDINAL)
    named = instruments_store.instruments_of(storing.connection, rows.symbol[refused], rows.session[refused])
    spoken_for = pack(named, storing.verdict.ordinal[refused])

    def withdrawable(stored: DailyBars) -> Bools:
        return np.isin(stored.ordinal, complete) & ~np.isin(keys_of(stored), spoken_for)

    spans = spans_to_read(wanted, whole_of, bounds)
    return storing.reconcile(DAILY_BARS, spans, wanted, withdrawable if storing.payload.is_whole else None)


def _entries(
    storing: Storing,
    claimed: Int32s,
    complete: Bools,
    passed: Int32s,
    done: Reconciled[DailyBars],
) -> LedgerRows:
    verdict = storing.verdict
    refused = np.array(sorted(verdict.reasons), dtype=np.int64)
    withdrawn = done.old.ordinal[len(done.new) :]
    return LedgerRows(
        ordinal=claimed,
        complete=complete,
        rows=_count(claimed, verdict.ordinal),
        passed=passed,
        inserted=_count(claimed, done.insert.ordinal),
        changed=_count(claimed, done.new.ordinal),
        withdrawn=_count(claimed, withdrawn),
        refused=_count(claimed, verdict.ordinal[refused]),
    )


def _record_changes(storing: Storing, done: Reconciled[DailyBars], affected: Int32s, another: Spans) -> None:
    """Record what the resampler has to look at: whole sessions, and single bars where those do not reach."""
    if len(affected):
        changes_store.record_sessions(
            storing.connection, storing.provider_id, changes_store.spans_of_ordinals(affected)
        )
    ids = np.concatenate([done.insert.instrument_id, done.old.instrument_id])
    ordinals = np.concatenate([done.insert.ordinal, done.old.ordinal])
    single = ~np.isin(ordinals, affected)
    spans = Spans.concat([Spans.of_points(ids[single], ordinals[single]), another]).merged()
    changes_store.record_instruments(storing.connection, spans)


def _newly_supplied(
    storing: Storing, wanted: DailyBars, supplied: Int32s, made: Int32s, held: LedgerRows, load_id: int
) -> Spans:
    """Note whom the provider supplies; return where that alone may change bars of instruments of others."""
    added = np.setdiff1d(wanted.instrument_id, supplied)
    spans = _taken_over(storing, np.setdiff1d(added, made), held, wanted)
    instruments_store.add_supplied(storing.connection, storing.provider_id, added, load_id)
    return spans


def _taken_over(storing: Storing, others: Int32s, held: LedgerRows, wanted: DailyBars) -> Spans:
    """Return which bars may change of instruments of others that the provider begins to supply.

    What it had loaded before completes sessions for them now, and may reach further than what was loaded
    for them.
    """
    if not len(others):
        return Spans(others, others, others)
    reached = load_store.read_coverage(storing.connection, others).last_loaded(others)
    runs = changes_store.spans_of_ordinals(held.ordinal)
    spans = [Spans.within(others, first, last) for first, last in zip(runs.first, runs.last, strict=True)]
    last = np.max(np.concatenate([held.ordinal, wanted.ordinal]))
    short = reached < last
    beyond = np.full(int(short.sum()), last, dtype=np.int32)
    return Spans.concat([Spans(others[short], reached[short] + np.int32(1), beyond), *spans])


def _case_twins(storing: Storing, made: Int32s) -> tuple[str, ...]:
    if not len(made):
        return ()
    known = instruments_store.known_symbols(storing.connection)
    new = instruments_store.symbols_of(storing.connection, made)
    return tuple(
        f"{symbol} differs by case only from {', '.join(others)}; tickers are case-sensitive, so each is an "
        "instrument of its own"
        for symbol, others in quality.case_twins(new, known).items()
    )


def _count(ordinals: Int32s, of: Int32s) -> Int32s:
    """Return how many of ``of`` are each of ``ordinals`` (ascending)."""
    if not len(ordinals):
        return ordinals
    place = of[np.isin(of, ordinals)] - ordinals[0]
    counts = np.bincount(place, minlength=int(ordinals[-1] - ordinals[0]) + 1)
    return counts[ordinals - ordinals[0]].astype(np.int32, copy=False)  # type: ignore[no-any-return]  # bincount's stub


def _dates(storing: Storing, ordinals: Int32s) -> tuple[dt.date, ...]:
    return tuple(storing.sessions.dates_of(ordinals).tolist())
