"""What a server answers from with a database: its present state, and every earlier one."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from condvest.batch_layer.database.migrate import check_schema_again
from condvest.batch_layer.database.opening import OpenDatabase
from condvest.batch_layer.database.postgres.asked import Asked
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.prepared import ask
from condvest.batch_layer.database.stores.fingerprints import identity
from condvest.batch_layer.database.stores.loading import loads
from condvest.batch_layer.database.stores.sessions import present_sessions
from condvest.batch_layer.database.stores.status import loaded_through
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.loads import EVERY_LOAD
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.published.manifest import CURRENT
from condvest.batch_layer.shared.published.target import PublishTarget
from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.contract import Source
from condvest.serving_layer.http.backends.published_backend import PublishedBackend
from condvest.serving_layer.http.backends.reference import Reference
from condvest.serving_layer.http.backends.sessions import LONGEST_STATEMENT, SESSION
from condvest.serving_layer.http.backends.states import State
from condvest.serving_layer.http.backends.stored import Asking, StoredAnswers
from condvest.serving_layer.opening import open_for_reading, open_published
from condvest.serving_layer.queries.bars.answering import Answer
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.sources import BarSource
from condvest.serving_layer.sources.database import DatabaseSource
from condvest.serving_layer.sources.live import LiveSource
from condvest.serving_layer.sources.published import PublishedSource
from condvest.serving_layer.sources.snapshots import NOW, Snapshots

if TYPE_CHECKING:
    from condvest.serving_layer.http.backends.backend import Backend


class DatabaseBackend:
    """Answers from the database, over one connection per thread."""

    has_database = True

    def __init__(self, settings: Settings, session: Mapping[str, str] = SESSION) -> None:
        """Answer from the database of the settings, in sessions with PostgreSQL's parameters ``session``."""
        self._settings = settings
        self._session = session
        self.reference = Reference(self)
        self._own = threading.local()
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._is_closed = False
        self._identity = ""
        self._snapshots = Snapshots()
        self._soon: Asked | None = None
        self._published = PublishedBackend(settings)
        self._stored = StoredAnswers(self._named)
        self._sessions: Sessions | None = None

    @property
    def opened(self) -> OpenDatabase:
        """The database of this thread, with the calendar as it is now."""
        opened = self._opened
        opened.refresh_sessions()
        return opened

    @property
    def _opened(self) -> OpenDatabase:
        opened: OpenDatabase | None = getattr(self._own, "opened", None)
        if opened is None:
            self._own.opened = opened = self._open()
        return opened

    def _open(self) -> OpenDatabase:
        with self._lock:
            opened = self._stack.enter_context(open_for_reading(self._settings))
        return self._readied(opened)

    def _readied(self, opened: OpenDatabase) -> OpenDatabase:
        opened.refresh_sessions()  # not within a transaction: an empty database is given its calendar now
        opened.database.restrict(self._session)
        self._sessions = opened.sessions
        return opened

    def state(self, *, live: bool = False) -> State:  # noqa: ARG002  # a tick is another state as it is
        """Return the present state of the database."""
        database = self._opened.database
        now = self._snapshots.now(database) if self._identity else None
        if now is not None:
            return self._named(*now)
        self._snapshots.prepare(database)
        with database.transaction(snapshot=True, read_only=True) as connection:
            return self._state(connection)

    def prepare_soon(self) -> None:
        """Connect anew for `state_soon`."""
        if self._soon is None:
            self._soon = Asked(self._open().database)
        self._soon.prepare()

    async def state_soon(self) -> State | None:
        """Return the present state over a connection of its own."""
        row = None if self._soon is None else await self._soon.row(LONGEST_STATEMENT, NOW)
        now = None if row is None or not self._identity else self._snapshots.snapshot_in(row)
        return None if now is None else self._named(*now)

    def _state(self, connection: Connection) -> State:
        """Return the state that a transaction sees."""
        snapshot, load = self._snapshots.seen(connection)
        if not self._identity:
            self._identity = hashlib.sha256(identity(connection).encode()).hexdigest()[:8]
        return self._named(snapshot, load)

    def _named(self, snapshot: str, load: int) -> State:
        return State(f"d-{self._identity}-{snapshot.replace(',', '.')}", load)

    @contextmanager
    def reading(
        self, as_of: dt.datetime | None = None, known_by: int | None = None
    ) -> Iterator[tuple[BarSource, State]]:
        """Give a source within one transaction."""
        opened = self._opened
        self._snapshots.prepare(opened.database)
        with opened.database.transaction(snapshot=True, read_only=True) as connection:
            check_schema_again(connection, opened.database)
            known_by = EVERY_LOAD if known_by is None else known_by
            if as_of is not None:
                known_by = min(known_by, loads.last_load_by(connection, as_of))
            sessions = present_sessions(connection, opened.sessions)
            opened.keep(sessions)
            self._sessions = sessions
            state = self._state(connection)
            through = self._stored.known(state) if known_by == EVERY_LOAD else None
            if through is None:
                through = {
                    provider: sessions.session(last).isoformat()
                    for provider, last in loaded_through(connection, known_by).items()
                }
            state = replace(state, loaded_through=through)
            if known_by == EVERY_LOAD:
                self._stored.know(state)
            yield DatabaseSource(connection, sessions, known_by), state

    def stored(self, question: Question) -> tuple[Answer, State] | None:
        """Answer by one statement, where that is enough."""
        opened = self._opened
        asking = self._stored.asking(opened.sessions, question) if self._identity else None
        if asking is None:
            return None
        return asking.read(ask(opened.database, asking.statement), opened.database.schema)

    def asking(self, question: Question) -> Asking | None:
        """Return what answers by one statement, with the calendar that was read last."""
        sessions = self._sessions
        return self._stored.asking(sessions, question) if self._identity and sessions is not None else None

    def line(self) -> Asked | None:
        """Return a connection of its own; None once this is closed, which nobody would close any more."""
        with self._lock:
            if self._is_closed:
                return None
            opened = self._readied(self._stack.enter_context(open_for_reading(self._settings)))
            asked = Asked(opened.database)
            asked.prepare()
            return asked

    def with_live(self, source: Any, state: State) -> tuple[LiveSource, State]:  # noqa: ANN401  # of `reading`
        """Return the source with the live rows of its own transaction."""
        return source.with_live(), state

    def published(self) -> PublishedSource:
        """Return the current version of what this database's settings publish."""
        return open_published(self._settings)

    def target(self) -> PublishTarget:
        """Return where this database's settings publish."""
        return self._published.target()

    def at(self, version: str) -> Backend:
        """Return what answers from one of the versions that this database's settings publish."""
        return self._published.at(version)

    def of(self, source: Source) -> Backend:
        """Return this, or what answers from the files that this database's settings publish."""
        if source == "database":
            return self
        if self.target().read(CURRENT) is None:
            raise UsageError("source: nothing is published yet; run condvest publish, or leave out source")
        return self._published

    def close(self) -> None:
        """Close the connections of all threads."""
        if self._soon is not None:
            self._soon.forget()
        with self._lock:
            self._is_closed = True
            self._stack.close()
