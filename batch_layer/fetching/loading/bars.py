"""Store the daily bars of payloads, with the ledger and the record of what changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from batch_layer.database.postgres.revisioned import DAILY_BARS
from batch_layer.database.stores import changes, instruments
from batch_layer.database.stores.ledger import read_coverage, read_ledger, sessions_loaded, write_ledger
from batch_layer.fetching import quality
from batch_layer.fetching.ledger import complete_sessions, entered, keep_complete, sessions_affected
from batch_layer.fetching.loading.transaction import PayloadLoad, StoredRows
from batch_layer.fetching.reconcile import Reconciled, spans_to_read
from batch_layer.shared.models.bars import Bools, DailyBars, Int32s
from batch_layer.shared.models.difference import keys_of, pack
from batch_layer.shared.models.loads import LedgerRows, LoadSummary
from batch_layer.shared.models.payloads import BarRows
from batch_layer.shared.models.sessions import NO_ORDINAL
from batch_layer.shared.models.spans import Spans


def store_bars(group: Sequence[PayloadLoad]) -> list[LoadSummary]:
    """Store the daily bars of payloads of one provider, no two of them of one session; see `Loader.load_all`.

    What comes of it is what storing one after the other makes; but the database is looked into once for all,
    and takes the new rows together, by instrument: the pages of an instrument are touched once.
    """
    connection, provider_id = group[0].connection, group[0].provider_id
    identified = _identified(group)
    supplied = instruments.supplied_by(connection, provider_id)
    held = read_ledger(connection, provider_id)
    stored = StoredRows.read(connection, DAILY_BARS, _spans_to_read(group, identified, supplied))
    summaries, inserts, load_ids = [], [], []
    for storing, one in zip(group, identified, strict=True):
        is_own = np.isin(stored.rows.ordinal, one.claimed)
        plan = _planned(storing, one, stored.take(is_own), held)
        summary = replace(
            storing.counted(plan.done, _case_twins(storing, one.made)),
            partial=_dates(storing, one.claimed[~plan.complete]),
        )
        summaries.append(summary)
        affected = sessions_affected(plan.entries, held)
        # Two sessions may have the same bytes (none at all), and one may be complete by what came in between.
        if not (storing.is_news(summary) or len(affected)):
            continue
        load_id = storing.record(summary)
        DAILY_BARS.supersede(connection, plan.done.old, plan.done.old_load_id, plan.done.new, load_id)
        write_ledger(connection, provider_id, load_id, plan.entries)
        another, supplied = _newly_supplied(storing, one, supplied, held, load_id)
        _record_changes(storing, plan.done, affected, another)
        held = entered(held, plan.entries)
        inserts.append(plan.done.insert)
        load_ids.append(np.full(len(plan.done.insert), load_id, dtype=np.int32))
    if inserts:
        DAILY_BARS.insert(connection, DailyBars.concat(inserts), np.concatenate(load_ids))
    return summaries


def sessions_of(storing: PayloadLoad) -> Int32s:
    """Return the ordinals (ascending) that the payload speaks of: those asked for, or those of its rows."""
    payload, sessions = storing.payload, storing.sessions
    if payload.is_whole and payload.first_session and payload.last_session:
        bounds = np.array([payload.first_session, payload.last_session + dt.timedelta(1)], "datetime64[D]")
        first, end = sessions.ordinals_on_or_after(bounds)
        return np.arange(first, end, dtype=np.int32)
    return np.unique(storing.verdict.ordinal[storing.verdict.passed])


@dataclass(frozen=True, eq=False)
class _Identified:
    """The rows of a payload that passed as daily bars by key, and what they are of.

    Attributes:
        bars: the daily bars.
        made: the instruments that were made for them, ascending.
        claimed: the sessions that the payload speaks of.
    """

    bars: DailyBars
    made: Int32s
    claimed: Int32s


@dataclass(frozen=True, eq=False)
class _Planned:
    """What storing a payload does.

    Attributes:
        done: to the rows.
        complete: bool a claimed session, whether it is there in full.
        entries: to the ledger.
    """

    done: Reconciled[DailyBars]
    complete: Bools
    entries: LedgerRows


def _identified(group: Sequence[PayloadLoad]) -> list[_Identified]:
    """Identify the rows of all payloads; instruments are made in the order of the payloads."""
    connection = group[0].connection
    passed = [_bar_rows(storing).take(storing.verdict.passed) for storing in group]
    symbol, date = (
        np.concatenate([getattr(rows, name) for rows in passed]) for name in ("symbol", "session")
    )
    ends = np.cumsum([len(rows) for rows in passed])[:-1]
    known = np.split(instruments.instruments_of(connection, symbol, date), ends)
    identified = []
    for storing, rows, ids in zip(group, passed, known, strict=True):
        unknown = ids == instruments.NO_INSTRUMENT
        made = ids[:0]
        if unknown.any():
            ids[unknown], made = instruments.identify(connection, rows.symbol[unknown], rows.session[unknown])
        bars = bars_of(rows, ids, storing.verdict.ordinal[storing.verdict.passed])
        identified.append(_Identified(bars, made, sessions_of(storing)))
    return identified


def _bar_rows(storing: PayloadLoad) -> BarRows:
    rows = storing.parsed.rows
    if not isinstance(rows, BarRows):
        raise TypeError(type(rows).__name__)
    return rows


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


def _spans_to_read(
    group: Sequence[PayloadLoad], identified: Sequence[_Identified], supplied: Int32s
) -> Spans:
    """Return the spans of stored daily bars that the payloads may concern, by instrument.

    A session that nobody has loaded has no daily bars.
    """
    loaded = sessions_loaded(group[0].connection)
    spans = [Spans.within(supplied[:0], 0, 0)]
    for storing, one in zip(group, identified, strict=True):
        if np.isin(one.claimed, loaded).any():
            whole_of = supplied if storing.payload.is_whole else supplied[:0]
            spans.append(spans_to_read(one.bars, whole_of, (int(one.claimed[0]), int(one.claimed[-1]))))
    return Spans.concat(spans).merged()


def _planned(
    storing: PayloadLoad, one: _Identified, stored: StoredRows[DailyBars], held: LedgerRows
) -> _Planned:
    """Compare with what is stored; withdraw what a session that is complete no longer has in any shape."""
    passed = _count(one.claimed, one.bars.ordinal)
    complete = np.ones(len(one.claimed), dtype=bool)
    missed = None
    if storing.payload.is_whole:
        complete = complete_sessions(one.claimed, passed, held)
        missed = np.isin(stored.rows.ordinal, one.claimed[complete]) & ~_spoken_for(storing, stored.rows)
    done = storing.reconcile(stored, one.bars, missed)
    entries = _entries(storing, one.claimed, complete, passed, done)
    return _Planned(done, complete, keep_complete(entries, held))


def _spoken_for(storing: PayloadLoad, stored: DailyBars) -> Bools:
    """Return which stored bars the payload has a row of, though one that was refused."""
    rows, verdict = _bar_rows(storing), storing.verdict
    refused = ~verdict.passed & (verdict.ordinal != NO_ORDINAL)
    if not (refused.any() and len(stored)):
        return np.zeros(len(stored), dtype=bool)
    named = instruments.instruments_of(storing.connection, rows.symbol[refused], rows.session[refused])
    return np.isin(keys_of(stored), pack(named, verdict.ordinal[refused]))


def _entries(
    storing: PayloadLoad,
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


def _record_changes(
    storing: PayloadLoad, done: Reconciled[DailyBars], affected: Int32s, another: Spans
) -> None:
    """Record what the resampler has to look at: whole sessions, and single bars where those do not reach."""
    if len(affected):
        changes.record_sessions(storing.connection, storing.provider_id, changes.spans_of_ordinals(affected))
    ids = np.concatenate([done.insert.instrument_id, done.old.instrument_id])
    ordinals = np.concatenate([done.insert.ordinal, done.old.ordinal])
    single = ~np.isin(ordinals, affected)
    spans = Spans.concat([Spans.of_points(ids[single], ordinals[single]), another]).merged()
    if len(spans):
        changes.record_instruments(storing.connection, spans)


def _newly_supplied(
    storing: PayloadLoad, one: _Identified, supplied: Int32s, held: LedgerRows, load_id: int
) -> tuple[Spans, Int32s]:
    """Note whom the provider supplies; return where that alone may change bars of instruments of others.

    And whom it supplies now.
    """
    added = np.unique(one.bars.instrument_id[~np.isin(one.bars.instrument_id, supplied)])
    spans = _taken_over(storing, np.setdiff1d(added, one.made), held, one.bars)
    instruments.add_supplied(storing.connection, storing.provider_id, added, load_id)
    return spans, np.concatenate([supplied, added])


def _taken_over(storing: PayloadLoad, others: Int32s, held: LedgerRows, wanted: DailyBars) -> Spans:
    """Return which bars may change of instruments of others that the provider begins to supply.

    What it had loaded before completes sessions for them now, and may reach further than what was loaded
    for them.
    """
    if not len(others):
        return Spans(others, others, others)
    reached = read_coverage(storing.connection, others).last_loaded(others)
    runs = changes.spans_of_ordinals(held.ordinal)
    spans = [Spans.within(others, first, last) for first, last in zip(runs.first, runs.last, strict=True)]
    last = np.max(np.concatenate([held.ordinal, wanted.ordinal]))
    short = reached < last
    beyond = np.full(int(short.sum()), last, dtype=np.int32)
    return Spans.concat([Spans(others[short], reached[short] + np.int32(1), beyond), *spans])


def _case_twins(storing: PayloadLoad, made: Int32s) -> tuple[str, ...]:
    if not len(made):
        return ()
    known = instruments.known_symbols(storing.connection)
    new = instruments.symbols_of(storing.connection, made)
    return tuple(
        f"{symbol} differs by case only from {', '.join(others)}; tickers are case-sensitive, so each is an "
        "instrument of its own"
        for symbol, others in quality.case_twins(new, known).items()
    )


def _count(ordinals: Int32s, of: Int32s) -> Int32s:
    """Return how many of ``of`` are each of ``ordinals`` (ascending)."""
    if not len(ordinals):
        return ordinals
    place = of[(of >= ordinals[0]) & (of <= ordinals[-1])] - ordinals[0]
    counts = np.bincount(place, minlength=int(ordinals[-1] - ordinals[0]) + 1)
    return counts[ordinals - ordinals[0]].astype(np.int32, copy=False)  # type: ignore[no-any-return]  # bincount's stub


def _dates(storing: PayloadLoad, ordinals: Int32s) -> tuple[dt.date, ...]:
    return tuple(storing.sessions.dates_of(ordinals).tolist())
