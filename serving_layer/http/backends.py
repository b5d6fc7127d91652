"""What a server answers from: a database, or a published data set."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

from batch_layer.database.opening import OpenDatabase
from batch_layer.database.postgres.connection import Connection
from batch_layer.database.stores import loads
from batch_layer.database.stores.fingerprints import identity
from batch_layer.database.stores.sessions import read_sessions
from batch_layer.database.stores.status import ledger_by_provider
from batch_layer.shared.errors import CondvestError
from batch_layer.shared.models.loads import EVERY_LOAD
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.settings import Settings
from serving_layer.opening import open_for_reading, open_published
from serving_layer.sources import BarSource
from serving_layer.sources.database import DatabaseSource


class NotServed(CondvestError):
    """This server's source cannot answer the question; another one can."""


@dataclass(frozen=True)
class State:
    """One state of the data.

    Attributes:
        version: a text that changes whenever an answer might.
        load: the last load stored; 0 where there is no telling.
    """

    version: str
    load: int


class Backend(Protocol):
    """One source of answers. Its methods may be called from several threads at once."""

    def state(self) -> State:
        """Return the present state of the data."""
        ...

    def reading(
        self, as_of: dt.datetime | None = None, known_by: int | None = None
    ) -> AbstractContextManager[tuple[BarSource, State]]:
        """Give a source of one state of the data, and that state.

        Args:
            as_of: read what was known at this instant; what is known now if None.
            known_by: read what was known when this load had been stored; before ``as_of``.
        """
        ...

    @property
    def opened(self) -> OpenDatabase:
        """The database, for what a published data set does not hold; raises NotServed if there is none."""
        ...

    def loaded_through(self) -> dict[str, str]:
        """Return the last session loaded by provider, as ISO dates."""
        ...

    def close(self) -> None:
        """Close what is open, of every thread."""
        ...


class DatabaseBackend:
    """Answers from the database, over one connection per thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._own = threading.local()
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._identity = ""

    @property
    def opened(self) -> OpenDatabase:
        """The database of this thread."""
        opened: OpenDatabase | None = getattr(self._own, "opened", None)
        if opened is None:
            with self._lock:
                opened = self._stack.enter_context(open_for_reading(self._settings))
            # Read here, and not within a transaction: an empty database is given its calendar now.
            self._own.sessions = opened.sessions
            self._own.opened = opened
        return opened

    def state(self) -> State:
        """Return the present state of the database."""
        with self.opened.database.transaction(read_only=True) as connection:
            return self._state(connection)

    def _state(self, connection: Connection) -> State:
        """Return the state that a transaction sees.

        PostgreSQL's snapshot names the transactions that are not over (xmin:xmax:those in between), so two
        snapshots with the same text see the same rows. ANALYZE and other databases of the server change it
        too, which costs a recomputation and nothing else.
        """
        row = connection.execute(
            "SELECT pg_current_snapshot()::text, coalesce((SELECT max(load_id) FROM loads), 0)"
        ).fetchone()
        if not self._identity:
            self._identity = hashlib.sha256(identity(connection).encode()).hexdigest()[:8]
        snapshot, load = row or ("", 0)
        return State(f"d-{self._identity}-{str(snapshot).replace(',', '.')}", int(str(load)))

    @contextmanager
    def reading(
        self, as_of: dt.datetime | None = None, known_by: int | None = None
    ) -> Iterator[tuple[BarSource, State]]:
        """Give a source within one transaction."""
        with self.opened.database.transaction(snapshot=True, read_only=True) as connection:
            if known_by is None:
                known_by = EVERY_LOAD if as_of is None else loads.last_load_by(connection, as_of)
            yield DatabaseSource(connection, self._sessions(connection), known_by), self._state(connection)

    def _sessions(self, connection: Connection) -> Sessions:
        """Return the calendar; read anew if a night has extended it while the server runs."""
        kept: Sessions = self._own.sessions
        row = connection.execute("SELECT max(ordinal) FROM sessions").fetchone()
        if row != (kept.last_ordinal,):
            kept = self._own.sessions = read_sessions(connection) or kept
        return kept

    def loaded_through(self) -> dict[str, str]:
        """Return the last session loaded by provider."""
        opened = self.opened
        with opened.database.transaction(read_only=True) as connection:
            providers = ledger_by_provider(connection)
        return {each["provider"]: opened.sessions.session(each["last"]).isoformat() for each in providers}

    def close(self) -> None:
        """Close the connections of all threads."""
        self._stack.close()


class PublishedBackend:
    """Answers from the current version of a published data set."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def opened(self) -> OpenDatabase:
        """There is no database."""
        raise NotServed(
            "a published data set does not hold this; ask a server that reads the database "
            "(condvest serve --source database)"
        )

    def state(self) -> State:
        """Return the current version."""
        return State(open_published(self._settings).version, 0)

    @contextmanager
    def reading(
        self, as_of: dt.datetime | None = None, known_by: int | None = None
    ) -> Iterator[tuple[BarSource, State]]:
        """Give the current version."""
        if as_of is not None or known_by is not None:
            raise NotServed(
                "as_of: a published data set has no history; ask a server that reads the database"
            )
        source = open_published(self._settings)
        yield source, State(source.version, 0)

    def loaded_through(self) -> dict[str, str]:
        """A published data set names providers by number only."""
        return {}

    def close(self) -> None:
        """Nothing stays open."""
