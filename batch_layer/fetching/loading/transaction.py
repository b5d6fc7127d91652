"""One payload's load within a transaction: what every data set needs to store its rows."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, fields, replace
from typing import Any, Generic

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.revisioned import RevisionedTable
from condvest.batch_layer.database.stores.daily.doubts import SYMBOLS_MEAN
from condvest.batch_layer.database.stores.daily.refused import RefusedRow, record_refused, refused_before
from condvest.batch_layer.database.stores.loading import loads
from condvest.batch_layer.fetching.loading.judged import JudgedPayload, first_refused
from condvest.batch_layer.fetching.quality import CODES, Verdict
from condvest.batch_layer.fetching.reconcile import Reconciled, Rows, reconcile
from condvest.batch_layer.shared.clients.archive import Archive, key_of, order_instant_of
from condvest.batch_layer.shared.models.bars import Bools, Int16s, Int32s
from condvest.batch_layer.shared.models.given.payloads import Parsed, Payload
from condvest.batch_layer.shared.models.instruments.provider_kinds import rank_of
from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans

_AT_ONCE = 200
"""Refused rows that are read together; a row may have thousands of columns."""

NO_HOME = "no_instrument"
"""The code of a row that waits for an instrument."""


@dataclass(frozen=True, eq=False)
class StoredRows(Generic[Rows]):
    """Stored rows, and what decides whether a load may replace them.

    Attributes:
        rows: the rows, keys unique.
        load_id: int32, the load that each row came with.
        provider_id, rank: int16, of that load.
    """

    rows: Rows
    load_id: Int32s
    provider_id: Int16s
    rank: Int16s

    @classmethod
    def read(cls, connection: Connection, table: RevisionedTable[Rows], spans: Spans) -> StoredRows[Rows]:
        """Return the rows within the spans, which must not overlap."""
        rows, load_id = table.read_with_load(connection, spans)
        return cls(rows, load_id, *loads.ranks_of_loads(connection, load_id))

    def take(self, chosen: Bools) -> StoredRows[Rows]:
        """Return the rows chosen by a mask."""
        return StoredRows(
            self.rows.take(chosen), self.load_id[chosen], self.provider_id[chosen], self.rank[chosen]
        )


def _unread(key: str) -> JudgedPayload:
    raise LookupError(f"this load reads no other payload; asked for {key}")


@dataclass(frozen=True)
class PayloadLoad:
    """One payload on its way into the database, within one transaction.

    Attributes:
        connection: inside the transaction.
        payload, parsed, verdict: the bytes, their rows, and which of these may be loaded.
        whole: the payload as it is archived: a chart, of which ``payload`` is one table.
        provider_id: of the payload's provider.
        archive: where the payload's bytes are kept.
        archive_key: the payload's key there, as soon as it is kept.
        known_from: when what the payload says was known; None if that is when it is loaded.
        sessions: the calendar.
        summary: of the rows, before they are compared with the stored ones.
        doubted: instruments of which the payload's bars are in doubt; the tables of one payload share it.
        is_rehearsal: whether the transaction is rolled back at its end.
    """

    connection: Connection
    payload: Payload
    whole: Payload
    parsed: Parsed
    verdict: Verdict
    provider_id: int
    archive: Archive
    archive_key: Future[str]
    known_from: dt.datetime | None
    sessions: Sessions
    summary: LoadSummary
    doubted: set[int] = field(default_factory=set)
    is_rehearsal: bool = False
    read: Callable[[str], JudgedPayload] = _unread

    def refusing(self, rows: Bools, code: str, reason: Callable[[int], str]) -> PayloadLoad:
        """Return the load with further rows refused, because of what is stored.

        Args:
            rows: bool, one per row of the payload; rows that had passed.
            code: a key of RULES.
            reason: says for a row, by position, what is wrong.
        """
        if not rows.any():
            return self
        reasons = {row: reason(row) for row in np.flatnonzero(rows).tolist()}
        verdict = self.verdict.refusing(rows, code, reasons)
        summary = replace(
            self.summary,
            refused=verdict.refused(),
            first_refused=first_refused(self.parsed, verdict)[1],
            sessions=len(np.unique(self.parsed.rows.dates()[verdict.passed])),
        )
        return replace(self, verdict=verdict, summary=summary)

    def passing_over(self, rows: Bools) -> PayloadLoad:
        """Return the load without rows that had passed and are further copies of others.

        Args:
            rows: bool, one per row of the payload.
        """
        copies = int(rows.sum())
        if not copies:
            return self
        verdict = replace(
            self.verdict, passed=self.verdict.passed & ~rows, duplicates=self.verdict.duplicates + copies
        )
        return replace(self, verdict=verdict, summary=replace(self.summary, duplicates=verdict.duplicates))

    def reconcile(
        self,
        stored: StoredRows[Rows],
        wanted: Rows,
        missed: Bools | None = None,
        taken_back: Bools | None = None,
    ) -> Reconciled[Rows]:
        """Compare stored rows with the payload's.

        Args:
            stored: the stored rows.
            wanted: the payload's, keys unique.
            missed: bool, for each stored row whether the payload would have it if it still held; None if
                absence from the payload means nothing. Only rows of the payload's own provider are withdrawn.
            taken_back: bool, for each stored row whether the payload says that it does not hold, whoever gave
                it; None if it says so of none.
        """
        own_rank = rank_of(self.payload.provider)
        own = stored.provider_id == self.provider_id
        may_go = np.zeros(len(own), dtype=bool) if missed is None else missed & own
        yielding = stored.rank <= own_rank
        if taken_back is not None:
            may_go |= taken_back & yielding
        return reconcile(stored.rows, stored.load_id, yielding, may_go, wanted)

    def counted(self, reconciled: Reconciled[Rows], notices: Sequence[str] = ()) -> LoadSummary:
        """Return the summary with what came of the rows that passed."""
        return replace(
            self.summary,
            inserted=len(reconciled.insert),
            changed=len(reconciled.new),
            unchanged=reconciled.unchanged,
            outranked=reconciled.outranked,
            withdrawn=reconciled.withdrawn,
            newly_refused=self.newly_refused(),
            notices=(*self.summary.notices, *notices),
        )

    def newly_refused(self) -> dict[str, int]:
        """Return by code how many of the refused rows no load of the provider and data set refused before."""
        refused = np.flatnonzero(self.verdict.code)
        if not len(refused):
            return {}
        symbols = {storable(str(symbol)) for symbol in self.parsed.rows.symbol[refused]}
        known = refused_before(self.connection, self.provider_id, self.payload.dataset, symbols)
        if not known:
            return self.verdict.refused()
        return dict(Counter(row.code for row in self.refused_rows() if row.identity not in known))

    def is_news(self, summary: LoadSummary) -> bool:
        """Return whether there is anything to record: rows to store, or bytes that were never loaded.

        A service's answers differ in the id of the request if in nothing else. So an answer that alters
        nothing, with as many rows received, passed and refused as the one before it, is no news.
        """
        if summary.altered or summary.newly_refused:
            return True
        if self.payload.media.startswith("json"):
            return not loads.is_repeated(self.connection, self.payload, summary)
        recorded = loads.recorded_as(self.connection, self.payload)
        self._put_back(recorded)
        return not recorded

    def _put_back(self, recorded: Sequence[loads.RecordedAs]) -> None:
        """Give the archive again what it has lost of the loads of these bytes; what it has stays as it is."""
        if self.known_from is not None or not self.archive_key.result():
            return
        for load in recorded:
            instant = order_instant_of(load.archive_key)
            payload = replace(
                self.whole,
                fetched_at=load.fetched_at,
                ordered_at=None if instant == load.fetched_at else instant,
                name=load.name,
            )
            if key_of(payload) == load.archive_key:
                self.archive.keep(payload, again=True)

    def record(self, summary: LoadSummary) -> int:
        """Record the load and its refused rows; return the load's id."""
        key = self.archive_key.result()
        # The same bytes are in the archive under an earlier instant. Other loads may have come in between,
        # and a rebuild follows the instants: keep them under this one too.
        if key and self.known_from is None and key != key_of(self.whole):
            key = self.archive.keep(self.whole, again=True)
        load_id = loads.record_load(
            self.connection,
            self.payload,
            self.provider_id,
            key,
            summary,
            loaded_at=self.known_from,
        )
        self.record_refused(load_id)
        return load_id

    def record_refused(self, load_id: int) -> None:
        """Keep the refused rows, as those of a load."""
        if self.verdict.reasons:
            record_refused(self.connection, load_id, self.refused_rows())

    def refused_rows(self) -> Iterator[RefusedRow]:
        """Yield the refused rows, one after the other: a file may have many."""
        rows = self.parsed.rows
        dates = rows.dates()
        refused = sorted(self.verdict.reasons)
        for row, given in zip(refused, self._given(refused), strict=True):
            yield RefusedRow(
                line=int(rows.line[row]),
                code=CODES[self.verdict.code[row]],
                symbol=storable(str(rows.symbol[row])),
                session=None if np.isnat(dates[row]) else str(dates[row]),
                reason=storable(self.verdict.reasons[row]),
                content=json.dumps(self._content(row, given), default=str),
            )

    def _given(self, refused: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Yield rows, ascending by position, as they were given; those side by side are read together."""
        for start, length in _stretches(refused):
            yield from self.parsed.source.slice(start, length).to_pylist()

    def _content(self, row: int, given: dict[str, Any]) -> dict[str, Any]:
        """Return a row as it was given; an action that waits for an instrument also as meant and stored."""
        if CODES[self.verdict.code[row]] != NO_HOME or self.parsed.dataset == "daily_bars":
            return given
        values = fields(self.parsed.rows)[3:]
        stored = {value.name: float(getattr(self.parsed.rows, value.name)[row]) for value in values}
        return given | stored | {SYMBOLS_MEAN: self.parsed.symbols_mean}


def _stretches(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield start and length of the stretches of ascending positions without a gap, none above _AT_ONCE.

    Example: 2, 3, 4, 9 give (2, 3) and (9, 1).
    """
    begin = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or rows[end] != rows[end - 1] + 1 or end - begin == _AT_ONCE:
            yield rows[begin], end - begin
            begin = end


def storable(text: str) -> str:
    """Return text that PostgreSQL can hold: control characters and lone surrogates become escapes."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
