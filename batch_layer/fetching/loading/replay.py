"""What would be stored under some keys, had certain loads never been: the other answers, read again in order.

For example, Yahoo's close of a session was 10, an import (load 7) made it 99, and Yahoo's answer of the next
night, 10.1, was outranked and stored nowhere. Without load 7 the close is 10.1, of Yahoo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np

from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS, DIVIDENDS, SPLITS, RevisionedTable
from condvest.batch_layer.database.stores import undone
from condvest.batch_layer.database.stores.instruments import NO_INSTRUMENT, instruments_of
from condvest.batch_layer.database.stores.ledger import read_ledger
from condvest.batch_layer.database.stores.undone import StoredLoad
from condvest.batch_layer.fetching.ledger import complete_sessions
from condvest.batch_layer.fetching.loading.actions import dividend_events_of, split_events_of
from condvest.batch_layer.fetching.loading.bar_plan import count_by_session
from condvest.batch_layer.fetching.loading.bars import daily_bars_of, sessions_asked_for
from condvest.batch_layer.fetching.loading.carriers import carriers_of
from condvest.batch_layer.fetching.loading.judged import JudgedPayload
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.fetching.quality import takes_back
from condvest.batch_layer.fetching.reconcile import Rows, reconcile
from condvest.batch_layer.shared.models.bars import Bools, Columns, Int16s, Int32s, Int64s
from condvest.batch_layer.shared.models.difference import keys_of, pack, unpack
from condvest.batch_layer.shared.models.payload_rows import DividendRows, SplitRows
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE
from condvest.batch_layer.shared.models.spans import Spans

TABLES: dict[str, tuple[RevisionedTable[Any], Callable[[Any, Int32s, Int32s], Columns]]] = {
    "daily_bars": (DAILY_BARS, daily_bars_of),
    "splits": (SPLITS, split_events_of),
    "dividends": (DIVIDENDS, dividend_events_of),
}
"""By data set: where its rows are stored, and what turns a payload's rows into rows of that table."""


@dataclass(frozen=True, eq=False)
class Replayed(Generic[Rows]):
    """What the answers say.

    Attributes:
        rows: by key.
        provider_id: int16 a row, whose word it is.
        seen: int32, ascending: the instruments of which the providers' answers had any of the keys, by
            provider.
    """

    rows: Rows
    provider_id: Int16s
    seen: dict[int, Int32s]


@dataclass(frozen=True, eq=False)
class _Answer:
    """What one answer says of the keys.

    Attributes:
        rows: its rows of them, unique, by key.
        lacks: tells of stored rows whether the answer would have them if they still held.
        revoked: int64, the keys that it takes back.
    """

    rows: Any
    lacks: Callable[[Any], Bools]
    revoked: Int64s


def replayed(load: PayloadLoad, dataset: str, keys: Int64s, others: Sequence[StoredLoad]) -> Replayed[Any]:
    """Return what other loads give under the keys, by the rules of rank by which loads give way.

    Args:
        load: within the transaction; reads the archive.
        dataset: ``daily_bars``, ``splits`` or ``dividends``.
        keys: int64, ascending, unique; see `pack`.
        others: the loads that count, in their order; those of other data sets or sessions are left out.

    Raises:
        ArchiveError: a payload is missing or damaged.
    """
    table, _ = TABLES[dataset]
    none = np.zeros(0, dtype=np.int32)
    rows = table.read(load.connection, Spans(none, none, none))
    provider_id, rank = np.zeros(0, dtype=np.int16), np.zeros(0, dtype=np.int16)
    barred: dict[int, int] = {}
    seen: dict[int, Int32s] = {}
    low, high = _dates_of(load, dataset, keys)
    for other in others:
        if other.dataset != dataset or not _may_concern(other.archive_key, low, high):
            continue
        answer = _answer(load, dataset, keys, other)
        if answer is None:
            continue
        before = seen.get(other.provider_id, none)
        seen[other.provider_id] = np.union1d(before, answer.rows.instrument_id).astype(np.int32)
        allowed = np.array([barred.get(key, -1) <= other.rank for key in keys_of(answer.rows).tolist()], bool)
        wanted = answer.rows.take(allowed)
        for key in keys_of(wanted).tolist():
            barred.pop(key, None)
        barred |= dict.fromkeys(answer.revoked.tolist(), other.rank)
        yielding = rank <= other.rank
        may_go = answer.lacks(rows) & (provider_id == other.provider_id)
        may_go |= np.isin(keys_of(rows), answer.revoked) & yielding
        done = reconcile(rows, np.arange(len(rows), dtype=np.int32), yielding, may_go, wanted)
        stays = ~np.isin(np.arange(len(rows)), done.old_load_id)
        came = len(done.new) + len(done.insert)
        rows = type(rows).concat([rows.take(stays), done.new, done.insert])
        provider_id = np.append(provider_id[stays], np.full(came, other.provider_id, dtype=np.int16))
        rank = np.append(rank[stays], np.full(came, other.rank, dtype=np.int16))
    order = np.argsort(keys_of(rows), kind="stable")
    return Replayed(rows.take(order), provider_id[order], seen)


def claimed_by(load: PayloadLoad, judged: JudgedPayload) -> Int32s:
    """Return the ordinals (ascending) of the sessions that a payload of daily bars speaks of."""
    asked_for = sessions_asked_for(judged.payload, load.sessions)
    if asked_for is not None:
        return asked_for
    ordinals: Int32s = np.unique(judged.verdict.ordinal[judged.verdict.passed])
    return ordinals


def may_concern_sessions(load: PayloadLoad, other: StoredLoad, ordinals: Int32s) -> bool:
    """Return whether a load may have answered one of some sessions (ordinals, ascending, one at least)."""
    low, high = (load.sessions.session(int(ordinals[end])).isoformat() for end in (0, -1))
    return _may_concern(other.archive_key, low, high)


def _may_concern(archive_key: str, low: str, high: str) -> bool:
    """Return whether a payload may hold rows from a date to another, by the sessions in its key.

    The key ``massive/daily_bars/2024-05-30..2024-05-31/...`` holds no row of another date; ``all`` may.
    """
    asked = archive_key.split("/")[2]
    first, _, last = asked.partition("..")
    return asked == "all" or (first <= high and low <= (last or first))


def _dates_of(load: PayloadLoad, dataset: str, keys: Int64s) -> tuple[str, str]:
    _, number = unpack(keys)
    if not len(number):
        return "9999-12-31", "0001-01-01"
    ends = np.array([number.min(), number.max()], dtype=np.int32)
    dates = load.sessions.dates_of(ends) if dataset == "daily_bars" else ends.astype("datetime64[D]")
    return str(dates[0]), str(dates[1])


def _answer(load: PayloadLoad, dataset: str, keys: Int64s, other: StoredLoad) -> _Answer | None:
    judged = load.read(other.archive_key).table(dataset)
    if judged is None:
        return None
    _, of_rows = TABLES[dataset]
    refused = undone.lines_that_stay_refused(load.connection, other.load_id)
    lines = judged.parsed.rows.line
    passed = judged.verdict.passed & ~np.isin(lines, refused)
    ids = carriers_of(load.connection, judged.payload, judged.parsed, passed)
    positions = np.flatnonzero(passed)[ids != NO_INSTRUMENT]
    ids = ids[ids != NO_INSTRUMENT]
    given: Any = judged.parsed.rows.take(positions)
    gone = (
        takes_back(given)
        if isinstance(given, SplitRows | DividendRows)
        else np.zeros(len(positions), dtype=bool)
    )
    revoked = pack(ids[gone], given.dates()[gone]) if gone.any() else keys[:0]
    rows: Any = of_rows(given.take(~gone), ids[~gone], judged.verdict.ordinal[positions][~gone])
    its_keys, first = np.unique(keys_of(rows), return_index=True)
    rows = rows.take(first)
    # A refused row is of its bar all the same: the answer does not lack it.
    not_passed = ~passed & ~np.isnat(judged.parsed.rows.dates())
    if dataset == "daily_bars":
        not_passed &= judged.verdict.ordinal >= load.sessions.first_ordinal
    refused_ids = carriers_of(load.connection, judged.payload, judged.parsed, not_passed)
    dates = judged.verdict.ordinal if dataset == "daily_bars" else judged.parsed.rows.dates()
    had = np.union1d(its_keys, pack(refused_ids, dates[not_passed]))
    return _Answer(
        rows.take(np.isin(its_keys, keys)),
        _lacking(load, judged, getattr(rows, "ordinal", ids[:0]), had, other),
        revoked,
    )


def _lacking(
    load: PayloadLoad,
    judged: JudgedPayload,
    ordinal: Int32s,
    had: Int64s,
    other: StoredLoad,
) -> Callable[[Any], Bools]:
    """Return what tells of stored rows whether an answer would have them, and has not.

    Args:
        load: within the transaction.
        judged: the answer.
        ordinal: int32, of its daily bars that passed.
        had: int64, the keys that the answer speaks of, refused rows included.
        other: the answer's load.
    """
    payload, listed = judged.payload, judged.parsed.listed
    asked = sessions_asked_for(payload, load.sessions)
    if judged.parsed.dataset == "daily_bars":
        if asked is None:
            return lambda stored: np.zeros(len(stored), dtype=bool)
        passed = count_by_session(asked, ordinal)
        settled = asked[complete_sessions(asked, passed, read_ledger(load.connection, other.provider_id))]
        return lambda stored: np.isin(stored.ordinal, settled) & ~np.isin(keys_of(stored), had)
    if listed is not None:
        today = payload.fetched_at.astimezone(EXCHANGE_ZONE).date()
        claimed = instruments_of(
            load.connection,
            np.array([listed.symbol], dtype=object),
            np.array([today], dtype="datetime64[D]"),
        )
        low, high = np.datetime64(listed.first, "D"), np.datetime64(listed.last, "D")
        return lambda stored: (
            (stored.ex_date >= low)
            & (stored.ex_date <= high)
            & np.isin(stored.instrument_id, claimed)
            & ~np.isin(keys_of(stored), had)
        )
    if asked is None or payload.first_session is None or payload.last_session is None:
        return lambda stored: np.zeros(len(stored), dtype=bool)
    low, high = np.datetime64(payload.first_session, "D"), np.datetime64(payload.last_session, "D")
    return lambda stored: (stored.ex_date >= low) & (stored.ex_date <= high) & ~np.isin(keys_of(stored), had)
