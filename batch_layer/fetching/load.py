"""Service: load one payload. Archive it, judge its rows, store them with the record of what changed.

Everything that a load stores, it stores in one transaction: a reader sees all of it or nothing.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from batch_layer.database import instruments_store, load_store
from batch_layer.database.connection import Database
from batch_layer.fetching import quality
from batch_layer.fetching.store_actions import store_dividends, store_splits
from batch_layer.fetching.store_bars import store_bars
from batch_layer.fetching.store_listings import store_listings, store_symbols
from batch_layer.fetching.storing import Storing
from batch_layer.shared.clients.archive import Archive
from batch_layer.shared.models.loads import LoadSummary
from batch_layer.shared.models.payloads import (
    BarRows,
    DividendRows,
    InstrumentRows,
    Parsed,
    Payload,
    SplitRows,
)
from batch_layer.shared.models.sessions import Sessions

MOST_OVERTAKEN = dt.timedelta(hours=1)
"""What was fetched later than this after a payload did not overtake it on the way: a clock was wrong."""


@dataclass(frozen=True)
class Loader:
    """Loads payloads into one database.

    Attributes:
        database: where to.
        archive: where the payloads' bytes are kept first.
        sessions: the calendar.
        parse: reads a payload of any provider; pure.
        now: what time it is, an aware datetime.
        is_rehearsal: whether nothing is kept or stored, and the summaries say what a load would do.
    """

    database: Database
    archive: Archive
    sessions: Sessions
    parse: Callable[[Payload], Parsed]
    now: dt.datetime
    is_rehearsal: bool = False

    def load(self, payload: Payload) -> LoadSummary:
        """Load a payload; loading the same one again changes nothing.

        Raises:
            InputError: the payload cannot be read as what it should be. It is in the archive all the same.
            ArchiveError: it cannot be kept; nothing was loaded.
            TransientError, DatabaseError: the database is away or refuses; nothing was loaded.
        """
        return self._load(payload, None)

    def replay(self, key: str) -> LoadSummary:
        """Load what the archive has under a key, as known from the instant when it was fetched.

        Raises:
            ArchiveError: the archive has nothing there, or its bytes are damaged.
            InputError, TransientError, DatabaseError: as for `load`.
        """
        return self._load(self.archive.read(key), key)

    def _load(self, payload: Payload, archived: str | None) -> LoadSummary:
        """Load a payload that is in the archive under a key, or that is to be kept there (None)."""
        clock = _Clock()
        try:
            parsed = self.parse(payload)
        except Exception:
            if archived is None:
                self._keep(payload)
            raise
        clock.lap("parse")
        verdict = self.judge(payload, parsed)
        clock.lap("judge")
        with self.database.transaction(rehearsal=self.is_rehearsal) as connection:
            load_store.lock_loads(connection)
            last = load_store.last_instants(connection)
            if archived is None:
                known_from = None
                placed = _placed(payload, last)
                if placed is not payload:
                    payload, verdict = placed, self.judge(placed, parsed)
                key = self._keep(payload)
            else:
                # Loads ascend with their instants, whatever order an old payload comes in.
                known_from = max(payload.fetched_at, last.loaded_at) if last else payload.fetched_at
                key = archived
            storing = Storing(
                connection=connection,
                payload=payload,
                parsed=parsed,
                verdict=verdict,
                provider_id=instruments_store.provider_id_of(connection, payload.provider),
                archive=self.archive,
                archive_key=key,
                known_from=known_from,
                sessions=self.sessions,
                summary=_summary(payload, parsed, verdict),
            )
            if isinstance(parsed.rows, BarRows):
                summary = store_bars(storing, parsed.rows)
            elif isinstance(parsed.rows, SplitRows):
                summary = store_splits(storing, parsed.rows)
            elif isinstance(parsed.rows, DividendRows):
                summary = store_dividends(storing, parsed.rows)
            elif isinstance(parsed.rows, InstrumentRows):
                summary = store_listings(storing, parsed.rows)
            else:
                summary = store_symbols(storing, parsed.rows)
        clock.lap("store")
        return replace(summary, seconds=clock.laps)

    def _keep(self, payload: Payload) -> str:
        return "" if self.is_rehearsal else self.archive.keep(payload)

    def judge(self, payload: Payload, parsed: Parsed) -> quality.Verdict:
        """Return which rows of a payload pass, and why the others do not."""
        rows = parsed.rows
        if isinstance(rows, BarRows):
            bounds = None
            if payload.first_session and payload.last_session:
                bounds = (payload.first_session, payload.last_session)
            # By the instant of the fetch, so that a replay judges as the first load did.
            last_closed = self.sessions.last_closed(payload.fetched_at)
            return quality.judge_bars(rows, parsed.faults, self.sessions, last_closed, bounds)
        if isinstance(rows, SplitRows):
            return quality.judge_splits(rows, parsed.faults, self.sessions)
        if isinstance(rows, DividendRows):
            return quality.judge_dividends(rows, parsed.faults, self.sessions)
        return quality.judge_listings(rows, parsed.faults)


def _placed(payload: Payload, last: load_store.Instants | None) -> Payload:
    """Return the payload with an instant of its fetch that lies after the last load's.

    Two processes may load in another order than they fetched, and files that are fetched at once come in
    any. The archive is replayed by these instants, so they say the order of the loads.
    """
    if last is None:
        return payload
    late = last.fetched_at - payload.fetched_at
    if dt.timedelta(0) <= late <= MOST_OVERTAKEN:
        return replace(payload, fetched_at=last.fetched_at + dt.timedelta(microseconds=1))
    return payload


def _summary(payload: Payload, parsed: Parsed, verdict: quality.Verdict) -> LoadSummary:
    rows = parsed.rows
    return LoadSummary(
        name=payload.name,
        provider=payload.provider,
        dataset=payload.dataset,
        rows=len(rows),
        duplicates=verdict.duplicates,
        refused=verdict.refused(),
        sessions=len(np.unique(rows.dates()[verdict.passed])),
    )


class _Clock:
    """Splits time into named laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = now - self._since
        self._since = now
