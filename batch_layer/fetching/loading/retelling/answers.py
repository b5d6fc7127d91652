"""What one archived answer says of some daily bars, splits or dividends, by who carries which symbol now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS, DIVIDENDS, SPLITS, RevisionedTable
from condvest.batch_layer.database.stores.identity.instruments import NO_INSTRUMENT, instruments_of
from condvest.batch_layer.database.stores.loading import undone
from condvest.batch_layer.database.stores.loading.ledger import read_ledger
from condvest.batch_layer.database.stores.loading.undone import StoredLoad
from condvest.batch_layer.fetching.ledger import complete_sessions
from condvest.batch_layer.fetching.loading.actions import dividend_events_of, split_events_of
from condvest.batch_layer.fetching.loading.bar_plan import count_by_session
from condvest.batch_layer.fetching.loading.bars import daily_bars_of, sessions_asked_for
from condvest.batch_layer.fetching.loading.carriers import carriers_of
from condvest.batch_layer.fetching.loading.judged import JudgedPayload
from condvest.batch_layer.fetching.loading.retelling.repeats import repeated
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.fetching.quality import takes_back
from condvest.batch_layer.shared.models.bars import Bools, Columns, Int32s, Int64s
from condvest.batch_layer.shared.models.difference import keys_of, pack
from condvest.batch_layer.shared.models.given.payload_rows import DividendRows, SplitRows
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE

TABLES: dict[str, tuple[RevisionedTable[Any], Callable[[Any, Int32s, Int32s], Columns]]] = {
    "daily_bars": (DAILY_BARS, daily_bars_of),
    "splits": (SPLITS, split_events_of),
    "dividends": (DIVIDENDS, dividend_events_of),
}
"""By data set: where its rows are stored, and what turns a payload's rows into rows of that table."""


@dataclass(frozen=True, eq=False)
class Lines:
    """Whose the rows of a payload are, one by one.

    Attributes:
        judged: the payload.
        key: int64 a row, the key of what it is of; 0 where that is nobody's.
        passed: bool a row, whether no rule refuses it, save those that ask who carried what.
        contradicts: bool a row that passed, whether another symbol of its instrument gives it otherwise.
        repeats: bool a row that passed, whether another symbol of its instrument gives it, too.
    """

    judged: JudgedPayload
    key: Int64s
    passed: Bools
    contradicts: Bools
    repeats: Bools

    @property
    def counts(self) -> Bools:
        """Which rows are stored, or say that something is not to be."""
        counts: Bools = self.passed & (self.key != 0) & ~self.contradicts & ~self.repeats
        return counts


@dataclass(frozen=True, eq=False)
class Answer:
    """What one answer says of the keys.

    Attributes:
        rows: its rows of them, unique, by key.
        lacks: tells of stored rows whether the answer would have them if they still held.
        revoked: int64, the keys that it takes back.
        lines: its rows one by one.
    """

    rows: Any
    lacks: Callable[[Any], Bools]
    revoked: Int64s
    lines: Lines


def answer_of(load: PayloadLoad, dataset: str, keys: Int64s, other: StoredLoad) -> Answer | None:
    """Return what the payload of another load says of the keys; None if it has no such table.

    Raises:
        ArchiveError: the payload is missing or damaged.
    """
    judged = load.read(other.archive_key).table(dataset)
    if judged is None:
        return None
    lines = _lines(load, judged, other)
    _, of_rows = TABLES[dataset]
    positions = np.flatnonzero(lines.counts)
    given: Any = judged.parsed.rows.take(positions)
    gone = np.zeros(len(positions), dtype=bool)
    if isinstance(given, SplitRows | DividendRows):
        gone = takes_back(given)
    ids = (lines.key[positions] >> 32).astype(np.int32)
    rows: Any = of_rows(given.take(~gone), ids[~gone], judged.verdict.ordinal[positions][~gone])
    its_keys, first = np.unique(keys_of(rows), return_index=True)
    rows = rows.take(first)
    return Answer(
        rows.take(np.isin(its_keys, keys)),
        _lacking(load, judged, getattr(rows, "ordinal", ids[:0]), lines.key, other),
        lines.key[positions][gone],
        lines,
    )


def _lines(load: PayloadLoad, judged: JudgedPayload, other: StoredLoad) -> Lines:
    rows, dates = judged.parsed.rows, judged.parsed.rows.dates()
    number: Any = dates
    is_dated = ~np.isnat(dates)
    if judged.parsed.dataset == "daily_bars":
        number = judged.verdict.ordinal
        is_dated &= number >= load.sessions.first_ordinal
    ids = np.zeros(len(rows), dtype=np.int32)
    ids[is_dated] = carriers_of(load.connection, judged.payload, judged.parsed, is_dated)
    key = np.zeros(len(rows), dtype=np.int64)
    has_owner = ids != NO_INSTRUMENT
    key[has_owner] = pack(ids[has_owner], number[has_owner])
    refused = undone.lines_that_stay_refused(load.connection, other.load_id)
    passed = judged.verdict.passed & ~np.isin(rows.line, refused)
    repeats, contradicts = (np.zeros(len(rows), dtype=bool) for _ in range(2))
    at = np.flatnonzero(passed & has_owner)
    repeats[at], contradicts[at] = repeated(rows.take(at), key[at])
    return Lines(judged, key, passed, contradicts, repeats)


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
        had: int64, the keys that the answer speaks of, refused rows included: it does not lack them.
        other: the answer's load.
    """
    payload, listed = judged.payload, judged.parsed.listed
    if judged.parsed.dataset == "daily_bars":
        asked = sessions_asked_for(payload, load.sessions)
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
    if not payload.is_whole or payload.first_session is None or payload.last_session is None:
        return lambda stored: np.zeros(len(stored), dtype=bool)
    low, high = np.datetime64(payload.first_session, "D"), np.datetime64(payload.last_session, "D")
    return lambda stored: (stored.ex_date >= low) & (stored.ex_date <= high) & ~np.isin(keys_of(stored), had)
