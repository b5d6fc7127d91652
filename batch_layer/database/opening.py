"""Opening a database: from settings to an open connection and the calendar."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property

from batch_layer.database.postgres.connection import Database
from batch_layer.database.stores.sessions import extend_sessions, read_sessions, sessions_ahead
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.settings import Settings


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

    def extended_sessions(self) -> Sessions:
        """Extend the calendar, at least 400 days ahead, and return it."""
        return extend_sessions(self.database, self.now, dict(self.settings.disputed_sessions))

    @property
    def sessions_ahead(self) -> Sessions:
        """The calendar, extended only if it does not reach far enough."""
        return sessions_ahead(self.database, self.now, dict(self.settings.disputed_sessions))


@contextmanager
def open_database(
    settings: Settings, login: Callable[[], Mapping[str, str]] | None, *, may_create: bool = True
) -> Iterator[Database]:
    """Open the database of the settings, starting the embedded server if no URL is set.

    The embedded database is migrated as needed. Any other database gets its first schema if it is empty and
    ``may_create`` is true; at another schema version it is refused, because others may be using it.

    Args:
        settings: which database.
        login: returns connection parameters beside the URL's, for each connection anew (a password that
            expires); None if the URL is enough.
        may_create: whether an empty database may be given its first schema.

    Raises:
        DatabaseUnavailable, DatabaseError, SettingsError: it cannot be opened; the message says what to do.
        SchemaTooOld, SchemaTooNew, MigrationEdited: its schema does not match this version.
    """
    from batch_layer.database.migrate import check_schema, is_empty, migrate  # noqa: PLC0415  # see _leased

    with ExitStack() as stack:
        url = settings.database.url or stack.enter_context(_leased(settings))
        database = stack.enter_context(
            Database(url, login, reads_environment=settings.database.url is not None)
        )
        if settings.database.url is None or (may_create and is_empty(database)):
            migrate(database)
        else:
            check_schema(database)
        yield database


@contextmanager
def _leased(settings: Settings) -> Iterator[str]:
    """Keep the embedded server running; give its URL."""
    # Imported here, as the migrations are, so that `import condvest` stays quick.
    from batch_layer.database.embedded.server import EmbeddedServer  # noqa: PLC0415

    with EmbeddedServer(settings.home, binaries=settings.database.binaries).lease() as url:
        yield url
