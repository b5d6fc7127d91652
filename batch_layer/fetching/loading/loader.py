"""Service: load payloads. Archive them, judge their rows, store them with the record of what changed.

Everything that a load stores, it stores in one transaction: a reader sees all of it or nothing. Several
loads may share a transaction; what comes of them is the same as if each had its own.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace

import numpy as np

from batch_layer.database.postgres.connection import Connection, Database
from batch_layer.database.stores import instruments, loads
from batch_layer.fetching import quality
from batch_layer.fetching.loading.store_all import store_all
from batch_layer.fetching.loading.transaction import PayloadLoad
from batch_layer.shared.clients.archive import Archive
from batch_layer.shared.models.loads import LoadSummary
from batch_layer.shared.models.payloads import BarRows, DividendRows, Parsed, Payload, SplitRows
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.utils.prefetch import in_turn

MOST_AT_ONCE = 10
"""Payloads worth loading together: more would gain little, and their rows are all in memory."""

MOST_OVERTAKEN = dt.timedelta(hours=1)
"""What was fetched later than this after a payload did not overtake it on the way: a clock was wrong."""


@dataclass(frozen=True)
class JudgedPayload:
    """A payload that was read and judged, ready to be loaded.

    Attributes:
        payload: the payload.
        archived: its key, if it comes from the archive; None if it is to be kept there.
        parsed, verdict: its rows, and what is to become of each.
        seconds: the time spent by step.
        known_from: when what it says was known; None if that is when it is stored.
    """

    payload: Payload
    archived: str | None
    parsed: Parsed
    verdict: quality.Verdict
    seconds: Mapping[str, float]
    known_from: dt.datetime | None = None


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
        return self.load_all([self.read(payload)])[0]

    def replay(self, key: str) -> LoadSummary:
        """Load what the archive has under a key, as known from the instant when it was fetched.

        Raises:
            ArchiveError: the archive has nothing there, or its bytes are damaged.
            InputError, TransientError, DatabaseError: as for `load`.
        """
        return self.load_all([self.read_archived(key)])[0]

    def read(self, payload: Payload) -> JudgedPayload:
        """Read and judge a payload; it needs no database, and may be done in another thread.

        Raises:
            InputError, ArchiveError: as for `load`.
        """
        try:
            return self._read(payload, None)
        except Exception:
            self._keep(payload)
            raise

    def read_archived(self, key: str) -> JudgedPayload:
        """Read and judge what the archive has under a key; errors as for `replay`."""
        return self._read(self.archive.read(key), key)

    def load_all(self, read: Sequence[JudgedPayload]) -> list[LoadSummary]:
        """Load what was read, as one payload after the other but in one transaction; errors as for `load`."""
        if not read:
            return []
        clock = _Clock()
        kept: list[Future[str]] = []
        try:
            with self.database.transaction(rehearsal=self.is_rehearsal) as connection:
                loads.lock_loads(connection)
                placed = self._placed(read, loads.last_instants(connection))
                kept = in_turn(self._key, placed)
                storings = self._storings(connection, placed, kept)
                summaries = store_all(storings)
                for one in kept:
                    one.result()
        except Exception:
            wait(kept)  # what cannot be stored is in the archive all the same
            raise
        clock.lap("store")
        share = {"store": clock.laps["store"] / len(read)}
        return [
            replace(summary, seconds={**one.seconds, **share})
            for summary, one in zip(summaries, read, strict=True)
        ]

    def _read(self, payload: Payload, archived: str | None) -> JudgedPayload:
        clock = _Clock()
        parsed = self.parse(payload)
        clock.lap("parse")
        verdict = self.judge(payload, parsed)
        clock.lap("judge")
        return JudgedPayload(payload, archived, parsed, verdict, clock.laps)

    def _placed(self, read: Sequence[JudgedPayload], last: loads.Instants | None) -> list[JudgedPayload]:
        """Return what was read, with instants that lie after the last load's."""
        placed = []
        for one in read:
            payload, verdict, known_from = one.payload, one.verdict, None
            if one.archived is None:
                payload = _after(payload, last)
                if payload is not one.payload:
                    verdict = self.judge(payload, one.parsed)
            else:
                # Loads ascend with their instants, whatever order an old payload comes in.
                known_from = max(payload.fetched_at, last.loaded_at) if last else payload.fetched_at
            last = loads.Instants(payload.fetched_at, known_from or self.now)
            placed.append(replace(one, payload=payload, verdict=verdict, known_from=known_from))
        return placed

    def _key(self, one: JudgedPayload) -> str:
        return self._keep(one.payload) if one.archived is None else one.archived

    def _keep(self, payload: Payload) -> str:
        return "" if self.is_rehearsal else self.archive.keep(payload)

    def _storings(
        self, connection: Connection, read: Sequence[JudgedPayload], kept: Sequence[Future[str]]
    ) -> Iterator[PayloadLoad]:
        """Yield what storing each payload needs."""
        names = dict.fromkeys(one.payload.provider for one in read)
        provider_ids = {name: instruments.provider_id_of(connection, name) for name in names}
        for one, key in zip(read, kept, strict=True):
            yield PayloadLoad(
                connection=connection,
                payload=one.payload,
                parsed=one.parsed,
                verdict=one.verdict,
                provider_id=provider_ids[one.payload.provider],
                archive=self.archive,
                kept=key,
                known_from=one.known_from,
                sessions=self.sessions,
                summary=_summary(one.payload, one.parsed, one.verdict),
            )

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


def _after(payload: Payload, last: loads.Instants | None) -> Payload:
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
