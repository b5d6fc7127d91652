"""Opening a database: from settings to an open connection and the calendar."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property

from condvest.batch_layer.database.migrate import check_schema, is_empty, migrate
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores.sessions import present_sessions, read_sessions
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.settings import Settings


@dataclass(frozen=True)
class OpenDatabase:
    """One open database and its calendar.

    Attributes:
        settings: where things are kept.
        database: the open database, its schema up to date.
        now: the present instant for everything done with this database, an aware datetime.
    """

    settings: Settings
    database: Database
    now: dt.datetime

    @cached_property
    def sessions(self) -> Sessions:
        """The calendar as stored; made if there is none yet."""
        with self.database.transaction(read_only=True) as connection:
            stored = read_sessions(connection)
        return stored or self.extended_sessions()

    def refresh_sessions(self) -> None:
        """Let `sessions` be the calendar as it is now; for who keeps the database open for long."""
        earlier = self.sessions
        with self.database.transaction(read_only=True) as connection:
            self.keep(present_sessions(connection, earlier))

    def keep(self, sessions: Sessions) -> None:
        """Let `sessions` be a calendar that was just read."""
        self.__dict__["sessions"] = sessions  # where cached_property has it

    def extended_sessions(self) -> Sessions:
        """Extend the calendar, at least 400 days ahead, and return it."""
        # Imported here: a reader finds the calendar stored, and waits for nothing that makes one.
        from condvest.batch_layer.database.stores.calendar_extension import extend_sessions  # noqa: PLC0415 - seldom

        return extend_sessions(self.database, self.now, dict(self.settings.disputed_sessions))

    @property
    def sessions_ahead(self) -> Sessions:
        """The calendar, extended only if it does not reach far enough."""
        from condvest.batch_layer.database.stores.calendar_extension import sessions_ahead  # noqa: PLC0415  # as above

        return sessions_ahead(self.database, self.now, dict(self.settings.disputed_sessions))


@contextmanager
def open_database(
    settings: Settings,
    login: Callable[[], Mapping[str, str]] | None,
    *,
    may_create: bool = True,
    may_revive: bool = False,
) -> Iterator[Database]:
    """Open the database of the settings, starting the embedded server if no URL is set.

    The embedded database is migrated as needed. Any other database gets its first schema if it is empty and
    ``may_create`` is true; at another schema version it is refused, because others may be using it.

    Args:
        settings: which database.
        login: returns connection parameters beside the URL's, for each connection anew (a password that
            expires); None if the URL is enough.
        may_create: whether an empty database may be given its first schema.
        may_revive: whether to start the embedded server again when it is stopped under us
            (``condvest db down --now``). For readers: who stops it means to end what writes.

    Raises:
        DatabaseUnavailable, DatabaseError, SettingsError: it cannot be opened; the message says what to do.
        SchemaTooOld, SchemaTooNew, MigrationEdited: its schema does not match this version.
    """
    with ExitStack() as stack:
        if settings.database.url is not None:
            database = Database(settings.database.url, login)
        else:
            url, revive = stack.enter_context(_leased(settings))
            database = Database(url, login, reads_environment=False, revive=revive if may_revive else None)
        stack.enter_context(database)
        if settings.database.url is None or (may_create and is_empty(database)):
            migrate(database)
        else:
            check_schema(database)
        yield database


@contextmanager
def _leased(settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    """Keep the embedded server running; give its URL, and what starts it again if somebody stops it."""
    # Imported here: only a home without a URL waits for the modules of the server.
    from condvest.batch_layer.database.embedded.server import EmbeddedServer  # noqa: PLC0415 - as said

    server = EmbeddedServer(settings.home, binaries=settings.database.binaries)
    with server.lease() as url:
        yield url, server.revive
