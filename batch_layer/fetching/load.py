"""Service: load payloads. Archive them, judge their rows, store them with the record of what changed.

Everything that a load stores, it stores in one transaction: a reader sees all of it or nothing. Several
loads may share a transaction; what comes of them is the same as if each had its own.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from batch_layer.database import instruments_store, load_store
from batch_layer.database.connection import Connection, Database
from batch_layer.fetching import quality
from batch_layer.fetching.store_actions import store_dividends, store_splits
from batch_layer.fetching.store_bars import sessions_of, store_bars
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

MOST_AT_ONCE = 10
"""Payloads worth loading together: more would gain little, and their rows are all in memory."""

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
        return next(self.load_all([payload]))

    def load_all(self, payloads: Sequence[Payload]) -> Iterator[LoadSummary]:
        """Load payloads of one provider as one after the other, but in one transaction; yield what each did.

        Raises:
            InputError: as for `load`, of the first that cannot be read. Those before it are loaded and what
                they did is yielded first; those after it are not.
            ArchiveError, TransientError, DatabaseError: as for `load`, of all of them.
        """
        read: list[_Read] = []
        for payload in payloads:
            try:
                read.append(self._read(payload, None))
            except Exception:
                yield from self._store(read)
                self._keep(payload)
                raise
        yield from self._store(read)

    def replay(self, key: str) -> LoadSummary:
        """Load what the archive has under a key, as known from the instant when it was fetched.

        Raises:
            ArchiveError: the archive has nothing there, or its bytes are damaged.
            InputError, TransientError, DatabaseError: as for `load`.
        """
        return next(self.replay_all([key]))

    def replay_all(self, keys: Sequence[str]) -> Iterator[LoadSummary]:
        """Load what the archive has under several keys: `replay` and `load_all` in one."""
        read: list[_Read] = []
        for key in keys:
            try:
                read.append(self._read(self.archive.read(key), key))
            except Exception:
                yield from self._store(read)
                raise
        yield from self._store(read)

    def _read(self, payload: Payload, archived: str | None) -> _Read:
        """Read and judge a payload that is in the archive under a key, or that is to be kept there (None)."""
        clock = _Clock()
        parsed = self.parse(payload)
        clock.lap("parse")
        verdict = self.judge(payload, parsed)
        clock.lap("judge")
        return _Read(payload, archived, parsed, verdict, clock.laps)

    def _store(self, read: Sequence[_Read]) -> list[LoadSummary]:
        if not read:
            return []
        clock = _Clock()
        with self.database.transaction(rehearsal=self.is_rehearsal) as connection:
            load_store.lock_loads(connection)
            summaries = [
                summary
                for group in _groups(self._storings(connection, read))
                for summary in _store_group(group)
            ]
        clock.lap("store")
        shared = {"store": clock.laps["store"] / len(read)}
        return [
            replace(summary, seconds={**one.seconds, **shared})
            for summary, one in zip(summaries, read, strict=True)
        ]

    def _storings(self, connection: Connection, read: Sequence[_Read]) -> Iterator[Storing]:
        """Keep the payloads, and yield what storing each needs."""
        last = load_store.last_instants(connection)
        for one in read:
            payload, verdict, known_from, key = one.payload, one.verdict, None, one.archived
            if key is None:
                payload = _placed(payload, last)
                if payload is not one.payload:
                    verdict = self.judge(payload, one.parsed)
                key = self._keep(payload)
            else:
                # Loads ascend with their instants, whatever order an old payload comes in.
                known_from = max(payload.fetched_at, last.loaded_at) if last else payload.fetched_at
            last = load_store.Instants(payload.fetched_at, known_from or self.now)
            yield Storing(
                connection=connection,
                payload=payload,
                parsed=one.parsed,
                verdict=verdict,
                provider_id=instruments_store.provider_id_of(connection, payload.provider),
                archive=self.archive,
                archive_key=key,
                known_from=known_from,
                sessions=self.sessions,
                summary=_summary(payload, one.parsed, verdict),
            )

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


@dataclass(frozen=True)
class _Read:
    """A payload that was read and judged; ``archived`` is its key if it comes from the archive."""

    payload: Payload
    archived: str | None
    parsed: Parsed
    verdict: quality.Verdict
    seconds: Mapping[str, float]


def _groups(storings: Iterable[Storing]) -> Iterator[list[Storing]]:
    """Yield together what can be stored together: daily bars of one provider, no two of one session."""
    group: list[Storing] = []
    taken: set[int] = set()
    for storing in storings:
        sessions = set(sessions_of(storing).tolist()) if isinstance(storing.parsed.rows, BarRows) else None
        if group and (sessions is None or sessions & taken or storing.provider_id != group[0].provider_id):
            yield group
            group, taken = [], set()
        group.append(storing)
        if sessions is None:
            yield group
            group = []
        else:
            taken |= sessions
    if group:
        yield group


def _store_group(group: list[Storing]) -> list[LoadSummary]:
    rows = group[0].parsed.rows
    if isinstance(rows, BarRows):
        return store_bars(group)
    (storing,) = group
    if isinstance(rows, SplitRows):
        return [store_splits(storing, rows)]
    if isinstance(rows, DividendRows):
        return [store_dividends(storing, rows)]
    if isinstance(rows, InstrumentRows):
        return [store_listings(storing, rows)]
    return [store_symbols(storing, rows)]


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
