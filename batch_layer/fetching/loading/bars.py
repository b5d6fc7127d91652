"""Store the daily bars of payloads, with the ledger and the record of what changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import reduce

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS
from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.identity import instruments, symbols
from condvest.batch_layer.database.stores.loading.ledger import (
    read_coverage,
    read_ledger,
    sessions_loaded,
    write_ledger,
)
from condvest.batch_layer.fetching import quality
from condvest.batch_layer.fetching.loading.bar_plan import BarPlan, IdentifiedBars, ProviderState, plan_bars
from condvest.batch_layer.fetching.loading.carriers import (
    OF_ANOTHER,
    keys_of_refused_bars,
    owners_of,
    owners_of_bars,
)
from condvest.batch_layer.fetching.loading.doubts import without_doubts
from condvest.batch_layer.fetching.loading.retelling.repeats import without_repeated_bars
from condvest.batch_layer.fetching.loading.transaction import NO_HOME, PayloadLoad, StoredRows
from condvest.batch_layer.fetching.reconcile import Reconciled, spans_to_read
from condvest.batch_layer.shared.core.names.names_of_today import AWAITED
from condvest.batch_layer.shared.models.bars import DailyBars, Int32s, Int64s, distinct_numbers
from condvest.batch_layer.shared.models.difference import keys_of, pack
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.batch_layer.shared.models.given.payloads import Payload
from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans


def store_bars(loads: Sequence[PayloadLoad]) -> list[LoadSummary]:
    """Store the daily bars of payloads of one provider that claim no session in common.

    The result is that of storing one payload after the other, but the database is queried once for all of
    them, and all new rows are inserted together, by instrument: each page is written once.

    For example, the ledger holds sessions 98 and 99, A closed at 5.0 and C at 7.0 in session 99, and the
    answers for sessions 99 and 100 come together:

        ======= ============= ======================= =========================
        session answer        plan: bars              plan: ledger
        ======= ============= ======================= =========================
        99      A 5.1         A changed, C withdrawn  99 stays complete
        100     A 5.2, B 9.0  A and B inserted        100 is new: bars that end
                                                      there may be complete now
        ======= ============= ======================= =========================

    Each plan is made on the `ProviderState` that the plan before it leaves, and recorded as a load of its
    own; then the two bars of session 100 are inserted.
    """
    connection, provider_id = loads[0].connection, loads[0].provider_id
    loads, identified = without_repeated_bars(*identify_bars(loads))
    state = ProviderState(
        read_ledger(connection, provider_id), instruments.supplied_by(connection, provider_id)
    )
    stored = StoredRows.read(connection, DAILY_BARS, spans_concerned(loads, identified, state.supplied))
    doubtless = [without_doubts(load, bars, stored) for load, bars in zip(loads, identified, strict=True)]
    loads, identified = [load for load, _ in doubtless], [bars for _, bars in doubtless]
    summaries, inserts, load_ids = [], [], []
    for load, bars in zip(loads, identified, strict=True):
        plan = plan_bars(load, bars, stored, state)
        summaries.append(plan.summary)
        # Bytes that were loaded before are still news for a session that they complete now.
        if load.is_news(plan.summary) or len(plan.affected):
            load_id = _record(load, plan, bars, state)
            state = state.after(plan)
            inserts.append(plan.rows.insert)
            load_ids.append(np.full(len(plan.rows.insert), load_id, dtype=np.int32))
    if inserts:
        together = inserts[0] if len(inserts) == 1 else DailyBars.concat(inserts)
        DAILY_BARS.insert(connection, together, np.concatenate(load_ids))
    return summaries


def claimed_sessions(load: PayloadLoad) -> Int32s:
    """Return the ordinals (ascending) asked for of a whole market; of other payloads, of rows that passed."""
    asked_for = sessions_asked_for(load.payload, load.sessions)
    return distinct_numbers(load.verdict.ordinal[load.verdict.passed]) if asked_for is None else asked_for


def sessions_asked_for(payload: Payload, sessions: Sessions) -> Int32s | None:
    """Return the ordinals (ascending) that a payload of the whole market answers; None for any other."""
    if not payload.is_whole or payload.first_session is None or payload.last_session is None:
        return None
    bounds = np.array([payload.first_session, payload.last_session + dt.timedelta(1)], "datetime64[D]")
    first, end = sessions.ordinals_on_or_after(bounds)
    return np.arange(first, end, dtype=np.int32)


def daily_bars_of(rows: BarRows, instrument_id: Int32s, ordinal: Int32s) -> DailyBars:
    """Return rows of a payload as daily bars of the given instruments and sessions, by key.

    The range holds open and close, which may cross it by the last bits of a double (see RANGE_TOLERANCE). An
    open of 0 is unknown.
    """
    opened = np.where(rows.open == 0, np.nan, rows.open)
    bars = DailyBars(
        instrument_id,
        ordinal,
        opened,
        reduce(np.fmax, (rows.high, rows.low, opened, rows.close)),  # np.fmax.reduce copies them together
        reduce(np.fmin, (rows.low, rows.high, opened, rows.close)),
        rows.close,
        rows.volume,
        rows.vwap,
        rows.trades,
    )
    return bars.in_order(keys_of(bars))


def identify_bars(loads: Sequence[PayloadLoad]) -> tuple[list[PayloadLoad], list[IdentifiedBars]]:
    """Find the instrument of every row that passed; make missing ones in the order of the payloads.

    Rows that wait for an instrument are refused. Two symbols of one instrument may give the same bar: see
    `without_repeated_bars`.
    """
    each = [_identified(load, ids) for load, ids in zip(loads, owners_of_bars(loads), strict=True)]
    return [load for load, _ in each], [bars for _, bars in each]


def _identified(load: PayloadLoad, ids: Int32s) -> tuple[PayloadLoad, IdentifiedBars]:
    claimed = claimed_sessions(load)  # those of rows that wait, too: once they are stored, they are loaded
    passed = np.flatnonzero(load.verdict.passed)
    rows = load.parsed.rows_as(BarRows)
    rows = rows if len(passed) == len(rows) else rows.take(passed)
    unknown = ids == instruments.NO_INSTRUMENT
    made = ids[:0]
    if unknown.any():
        ids[unknown], made = instruments.identify(
            load.connection, rows.symbol[unknown], rows.session[unknown]
        )
        if load.parsed.symbols_mean == "today":  # who has a symbol now has its past
            ids = owners_of(load.connection, load.payload, load.parsed, load.verdict.passed)
    if (ids == AWAITED).any():
        load = _refusing(load, passed[ids == AWAITED])
        rows, passed, ids = rows.take(ids != AWAITED), passed[ids != AWAITED], ids[ids != AWAITED]
    ordinal = load.verdict.ordinal[passed]
    return load, IdentifiedBars(
        bars=daily_bars_of(rows, ids, ordinal),
        positions=passed[np.argsort(pack(ids, ordinal), kind="stable")],
        made=made,
        claimed=claimed,
        refused_keys=keys_of_refused_bars(load),
        notices=spelling_twins(load.connection, made),
    )


def _refusing(load: PayloadLoad, positions: Int64s) -> PayloadLoad:
    """Return a load with rows refused that wait for whoever took their symbol."""
    rows = load.parsed.rows_as(BarRows)
    refused = np.isin(np.arange(len(rows)), positions)
    return load.refusing(
        refused, NO_HOME, lambda row: f"{rows.symbol[row]} {rows.session[row]}: {OF_ANOTHER}"
    )


def spelling_twins(connection: Connection, made: Int32s) -> tuple[str, ...]:
    """Return a notice per new instrument whose symbol is another's but for case or separator."""
    if not len(made):
        return ()
    known = symbols.known_symbols(connection)
    new = symbols.symbols_of(connection, made)
    return tuple(
        f"{symbol} differs by case or separator only from {', '.join(others)}; symbols are taken as spelled, "
        "so each is an instrument of its own"
        for symbol, others in quality.spelling_twins(new, known).items()
    )


def spans_concerned(
    loads: Sequence[PayloadLoad], identified: Sequence[IdentifiedBars], supplied: Int32s
) -> Spans:
    """Return the spans of stored daily bars that the payloads may concern, by instrument.

    A session that no provider has loaded has no daily bars to read.
    """
    loaded = sessions_loaded(loads[0].connection)
    spans = [Spans.within(supplied[:0], 0, 0)]
    for load, bars in zip(loads, identified, strict=True):
        if np.isin(bars.claimed, loaded).any():
            whole_of = supplied if load.payload.is_whole else supplied[:0]
            spans.append(spans_to_read(bars.bars, whole_of, (int(bars.claimed[0]), int(bars.claimed[-1]))))
    return Spans.concat(spans).merged()


def _record(load: PayloadLoad, plan: BarPlan, identified: IdentifiedBars, state: ProviderState) -> int:
    """Record a load, and carry out its plan but for the bars to insert; return the load's id."""
    connection, rows = load.connection, plan.rows
    load_id = load.record(plan.summary)
    DAILY_BARS.supersede(connection, rows.old, rows.old_load_id, rows.new, load_id)
    write_ledger(connection, load.provider_id, load_id, plan.entries)
    taken_over = np.setdiff1d(plan.added, identified.made)
    reach = reach_of_takeover(load, taken_over, state, identified.bars.ordinal)
    instruments.add_supplied(connection, load.provider_id, plan.added, load_id)
    record_changes(load, plan.affected, Spans.concat([points_altered(rows, plan.affected), reach]))
    return load_id


def points_altered(rows: Reconciled[DailyBars], affected: Int32s) -> Spans:
    """Return where a load inserts, changes or withdraws bars, in the other sessions than those affected."""
    ids = np.concatenate([rows.insert.instrument_id, rows.old.instrument_id])
    ordinals = np.concatenate([rows.insert.ordinal, rows.old.ordinal])
    single = ~np.isin(ordinals, affected)
    return Spans.of_points(ids[single], ordinals[single])


def reach_of_takeover(load: PayloadLoad, ids: Int32s, state: ProviderState, given: Int32s) -> Spans:
    """Return where bars may change because the provider begins to supply instruments of other providers.

    The sessions that it loaded before now complete windows of theirs, and its last loaded session may lie
    beyond that of the providers before it.

    Args:
        load: the load by which it begins.
        ids: int32, those instruments.
        state: of the provider before the load.
        given: int32, ordinals of the load's bars.
    """
    if not len(ids):
        return Spans(ids, ids, ids)
    reached = read_coverage(load.connection, ids).last_loaded(ids)
    runs = changes.spans_of_ordinals(state.ledger.ordinal)
    spans = [Spans.within(ids, first, last) for first, last in zip(runs.first, runs.last, strict=True)]
    last = np.max(np.concatenate([state.ledger.ordinal, given]))
    short = reached < last
    beyond = np.full(int(short.sum()), last, dtype=np.int32)
    # Of an instrument without bars nothing is reached: it begins with the calendar.
    first = np.maximum(reached[short] + np.int32(1), np.int32(load.sessions.first_ordinal))
    return Spans.concat([Spans(ids[short], first, beyond), *spans])


def record_changes(load: PayloadLoad, affected: Int32s, spans: Spans) -> None:
    """Record what has to be resampled: whole sessions, and spans of instruments beside them."""
    if len(affected):
        changes.record_sessions(load.connection, load.provider_id, changes.spans_of_ordinals(affected))
    if len(spans):
        changes.record_instruments(load.connection, spans.merged())
