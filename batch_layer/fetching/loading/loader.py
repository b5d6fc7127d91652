"""Service: load payloads. Archive them, judge their rows, store them with the record of what changed.

A load is one transaction: a reader sees all of it or nothing. Several loads may share a transaction; the
result is the same as if each had its own.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database
from condvest.batch_layer.database.stores.identity import instruments
from condvest.batch_layer.database.stores.loading import loads, rebuilds
from condvest.batch_layer.fetching import quality
from condvest.batch_layer.fetching.loading.datasets import DATASETS, store_all
from condvest.batch_layer.fetching.loading.judged import JudgedPayload, first_refused
from condvest.batch_layer.fetching.loading.ordering import LastLoad, known_from, placed_after
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.shared.clients.archive import Archive
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.payloads import Parsed, Payload
from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.batch_layer.shared.models.sessions import Dates, Sessions
from condvest.batch_layer.shared.utils.prefetch import submit_in_order

MOST_AT_ONCE = 10
"""Payloads in one transaction at most: more would gain little, and all their rows are in memory."""


@dataclass(frozen=True)
class Loader:
    """Loads payloads into one database.

    Attributes:
        database: where the rows go.
        archive: where the payloads' bytes go first.
        sessions: the calendar.
        parse: parses a payload of any provider; pure.
        now: the current instant, an aware datetime.
        is_rehearsal: whether nothing is archived or stored, and the summaries say what a load would do.
        is_rebuild: whether it loads for a rebuild from the archive; no other may while one has not ended.
        divide: reads a large file in portions, and gives None for any other payload; None if all are parsed
            whole.
    """

    database: Database
    archive: Archive
    sessions: Sessions
    parse: Callable[[Payload], Parsed]
    now: dt.datetime
    is_rehearsal: bool = False
    is_rebuild: bool = False
    divide: Callable[[Payload], Parsed | None] | None = None

    def load(self, payload: Payload) -> LoadSummary:
        """Load a payload; loading the same one again changes nothing. The summary is of its first table.

        Raises:
            InputError: the payload is not in the expected format. It is archived all the same.
            ArchiveError: it cannot be archived; nothing was loaded.
            RebuildRuns, UsageError: a rebuild runs in the database, or was stopped; nothing was loaded.
            TransientError, DatabaseError: the database is unreachable or refuses; nothing was loaded.
        """
        return self.load_all([self.read(payload)])[0]

    def load_archived(self, key: str) -> list[LoadSummary]:
        """Load what the archive holds under a key, as known from the instant when it was fetched.

        Raises:
            ArchiveError: the archive holds nothing there, or its bytes are damaged.
            InputError, TransientError, DatabaseError: as for `load`.
        """
        return self.load_all([self.read_archived(key)])

    def read(self, payload: Payload, parsed: Parsed | None = None) -> JudgedPayload:
        """Parse and judge a payload. Needs no database: another thread may do it.

        Args:
            payload: the payload.
            parsed: its rows, if its client has parsed them to check them.

        Raises:
            InputError, ArchiveError: as for `load`.
        """
        try:
            return self._judged(payload, None, parsed)
        except Exception:  # bytes that no parser can read are archived all the same
            self._archive(payload)
            raise

    def read_archived(self, key: str) -> JudgedPayload:
        """Parse and judge what the archive holds under a key; errors as for `load_archived`."""
        return self._judged(self.archive.read(key), key)

    def read_archived_whole(self, key: str) -> JudgedPayload:
        """Do as `read_archived`, and read a file whole, however large it is."""
        return replace(self, divide=None).read_archived(key)

    def load_all(self, judged: Sequence[JudgedPayload]) -> list[LoadSummary]:
        """Load payloads as if one after the other, but in one transaction; errors as for `load`.

        The summaries are in the order of the payloads and of the tables in each of them.

        In phases, each over all payloads: put their instants in order; start to archive them; store their
        rows; wait until all are archived; commit. So nothing is committed that is not archived.
        """
        if not judged:
            return []
        judged = [table for payload in judged for table in (payload, *payload.also)]
        watch = _Stopwatch()
        archive_keys: list[Future[str]] = []
        try:
            with self.database.transaction(rehearsal=self.is_rehearsal) as connection:
                loads.lock_loads(connection, self.database.on_wait)
                if not self.is_rebuild:
                    rebuilds.keep_from_rebuild(connection, "load this again")
                ordered = self._in_order(judged, LastLoad.of(loads.last_instants(connection)))
                archive_keys = submit_in_order(self._archive_key, ordered)
                summaries = store_all(self._payload_loads(connection, ordered, archive_keys))
                for archive_key in archive_keys:
                    archive_key.result()
        except Exception:
            wait(archive_keys)  # what cannot be stored is archived all the same
            raise
        watch.lap("store")
        share = {"store": watch.laps["store"] / len(judged)}
        return [
            replace(summary, seconds={**payload.seconds, **share})
            for summary, payload in zip(summaries, judged, strict=True)
        ]

    def _judged(self, payload: Payload, archived: str | None, parsed: Parsed | None = None) -> JudgedPayload:
        watch = _Stopwatch()
        if parsed is None and self.divide is not None:
            parsed = self.divide(payload)
        parsed = parsed or self.parse(payload)
        watch.lap("parse")
        tables = []
        for table in (parsed, *parsed.also):
            part = payload if payload.dataset == table.dataset else replace(payload, dataset=table.dataset)
            verdict = self._judge(part, table)
            watch.lap("judge")
            tables.append(JudgedPayload(part, payload, archived, table, verdict, dict(watch.laps)))
            watch.laps.clear()
        return replace(tables[0], also=tuple(tables[1:]))

    def _judge(self, payload: Payload, parsed: Parsed) -> quality.Verdict:
        try:
            return DATASETS[parsed.dataset].judge(payload, parsed, self.sessions)
        except InputError as error:
            raise InputError(f"{payload.name}: {error}") from error

    def _in_order(self, judged: Sequence[JudgedPayload], last: LastLoad | None) -> list[JudgedPayload]:
        """Return the payloads with instants that ascend from the last load's.

        For example, the last load's payload was fetched at 10:00:07 and loaded at 10:00:09:

            ================== ==================== ================================================
            payload            its instant of fetch what happens
            ================== ==================== ================================================
            new                10:00:05             fetched_at becomes 10:00:07.000001, and it is
                                                    judged again by that
            new                10:00:08             stays as it is
            new                yesterday            keeps fetched_at, but has its place in the archive behind
                                                    10:00:07; see `placed_after`
            from the archive   yesterday            keeps fetched_at; is known from 10:00:09 at the
                                                    earliest, for loads ascend with what was known
            ================== ==================== ================================================
        """
        ordered: list[JudgedPayload] = []
        shifted: dict[int, Payload] = {}
        for each in judged:
            payload, whole, verdict, known = each.payload, each.whole, each.verdict, None
            if each.archived is None:
                # The tables of one payload keep one instant, that of its place in the archive.
                whole = shifted.setdefault(id(whole), placed_after(whole, last))
                is_moved = whole.fetched_at != payload.fetched_at
                payload = replace(payload, fetched_at=whole.fetched_at, ordered_at=whole.ordered_at)
                verdict = self._judge(payload, each.parsed) if is_moved else verdict
            else:
                known = known_from(payload, last)
            last = LastLoad.then(payload, known or self.now, last)
            ordered.append(replace(each, payload=payload, whole=whole, verdict=verdict, known_from=known))
        return ordered

    def _archive_key(self, judged: JudgedPayload) -> str:
        return self._archive(judged.whole) if judged.archived is None else judged.archived

    def _archive(self, payload: Payload) -> str:
        return "" if self.is_rehearsal else self.archive.keep(payload)

    def _payload_loads(
        self, connection: Connection, judged: Sequence[JudgedPayload], archive_keys: Sequence[Future[str]]
    ) -> list[PayloadLoad]:
        names = dict.fromkeys(each.payload.provider for each in judged)
        provider_ids = {name: instruments.provider_id_of(connection, name) for name in names}
        doubted: dict[int, set[int]] = {id(each.whole): set() for each in judged}
        return [
            PayloadLoad(
                connection=connection,
                payload=each.payload,
                whole=each.whole,
                parsed=each.parsed,
                verdict=each.verdict,
                provider_id=provider_ids[each.payload.provider],
                archive=self.archive,
                archive_key=archive_key,
                known_from=each.known_from,
                sessions=self.sessions,
                summary=_summary(each.payload, each.parsed, each.verdict),
                doubted=doubted[id(each.whole)],
                is_rehearsal=self.is_rehearsal,
                read=self.read_archived_whole,
            )
            for each, archive_key in zip(judged, archive_keys, strict=True)
        ]


def _summary(payload: Payload, parsed: Parsed, verdict: quality.Verdict) -> LoadSummary:
    rows = parsed.rows
    return LoadSummary(
        name=payload.name,
        provider=payload.provider,
        dataset=parsed.dataset,
        rows=len(rows),
        duplicates=verdict.duplicates,
        refused=verdict.refused(),
        sessions=_count(rows.dates()[verdict.passed]),
        notices=parsed.notices,
        first_refused=first_refused(parsed, verdict)[1],
    )


def _count(dates: Dates) -> int:
    """Return the number of different dates; most answers are of one session, seen without sorting."""
    return 1 if len(dates) and (dates == dates[0]).all() else len(np.unique(dates))


class _Stopwatch:
    """Divides time into named laps, in seconds."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = now - self._since
        self._since = now
