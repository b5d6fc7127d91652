"""What storing a payload's rows needs and does, whatever the rows are."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Generic

import numpy as np

from batch_layer.database.postgres.connection import Connection
from batch_layer.database.postgres.revisioned import RevisionedTable
from batch_layer.database.stores import instruments, loads
from batch_layer.database.stores.loads import RefusedRow
from batch_layer.fetching.quality import CODES, Verdict
from batch_layer.fetching.reconcile import Reconciled, Rows, reconcile
from batch_layer.shared.clients.archive import Archive, key_of
from batch_layer.shared.models.bars import Bools, Int16s, Int32s
from batch_layer.shared.models.loads import LoadSummary
from batch_layer.shared.models.payloads import Parsed, Payload
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.models.spans import Spans


@dataclass(frozen=True, eq=False)
class StoredRows(Generic[Rows]):
    """Stored rows, and what decides whether a load may replace them.

    Attributes:
        rows: the rows, keys unique.
        load_id: int32 a row, the load it came with.
        provider_id, rank: int16 a row, of that load.
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


@dataclass(frozen=True)
class PayloadLoad:
    """One payload on its way into the database, within one transaction.

    Attributes:
        kept: the payload's key in the archive, when it is there.
    """

    connection: Connection
    payload: Payload
    parsed: Parsed
    verdict: Verdict
    provider_id: int
    archive: Archive
    kept: Future[str]
    known_from: dt.datetime | None
    sessions: Sessions
    summary: LoadSummary

    def reconcile(
        self, stored: StoredRows[Rows], wanted: Rows, missed: Bools | None = None
    ) -> Reconciled[Rows]:
        """Compare stored rows with the payload's.

        ``missed`` tells, a stored row, whether the payload would have it if it still stood; None if absence
        means nothing. Only rows of the payload's own provider are ever withdrawn.
        """
        own_rank = instruments.rank_of(self.payload.provider)
        own = stored.provider_id == self.provider_id
        may_go = np.zeros(len(own), dtype=bool) if missed is None else missed & own
        return reconcile(stored.rows, stored.load_id, stored.rank <= own_rank, may_go, wanted)

    def counted(self, done: Reconciled[Rows], notices: Sequence[str] = ()) -> LoadSummary:
        """Return the summary with what came of the rows that passed."""
        return replace(
            self.summary,
            inserted=len(done.insert),
            changed=len(done.new),
            unchanged=done.unchanged,
            outranked=done.outranked,
            withdrawn=done.withdrawn,
            notices=(*self.summary.notices, *notices),
        )

    def is_news(self, summary: LoadSummary) -> bool:
        """Return whether there is anything to record: rows to store, or bytes not seen before.

        A service's answer never has the same bytes twice, for it holds the number of its request. So one
        that alters nothing, and of which as many rows came, passed and were refused as of the one before,
        is no news.
        """
        if summary.altered:
            return True
        if self.payload.media.startswith("json"):
            return not loads.is_repeated(self.connection, self.payload, summary)
        return not loads.is_recorded(self.connection, self.payload)

    def record(self, summary: LoadSummary) -> int:
        """Record the load and its refused rows; return the load's id."""
        key = self.kept.result()
        # The archive has it from before, but other loads may have come between, and a rebuild goes by the
        # instants of the fetches.
        if key and key != key_of(self.payload):
            key = self.archive.keep(self.payload, again=True)
        load_id = loads.record_load(
            self.connection,
            self.payload,
            self.provider_id,
            key,
            summary,
            loaded_at=self.known_from,
        )
        loads.record_refused(self.connection, load_id, self._refused_rows())
        return load_id

    def _refused_rows(self) -> list[RefusedRow]:
        rows = self.parsed.rows
        dates = rows.dates()
        return [
            RefusedRow(
                line=int(rows.line[row]),
                code=CODES[self.verdict.code[row]],
                symbol=storable(str(rows.symbol[row])),
                session=None if np.isnat(dates[row]) else str(dates[row]),
                reason=storable(reason),
                content=json.dumps(self.parsed.source.slice(row, 1).to_pylist()[0], default=str),
            )
            for row, reason in self.verdict.reasons.items()
        ]


def storable(text: str) -> str:
    """Return text that PostgreSQL can hold: control characters and lone surrogates become escapes."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
