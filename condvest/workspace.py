"""The wiring: settings to an open database, the calendar, the archive and the providers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property

from batch_layer.database.connection import Database
from batch_layer.database.embedded import EmbeddedServer
from batch_layer.database.migrate import check_schema, is_empty, migrate
from batch_layer.database.sessions_store import extend_sessions, read_sessions
from batch_layer.fetching.ingest import Ingest
from batch_layer.fetching.load import Loader
from batch_layer.shared.clients.archive.directory import DirectoryArchive
from batch_layer.shared.clients.parsing import parse
from batch_layer.shared.clients.sample import SampleProvider
from batch_layer.shared.errors import UsageError
from batch_layer.shared.models.payloads import Provider
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.settings import Settings

PROVIDERS: dict[str, Callable[[], Provider]] = {"sample": SampleProvider}
"""The providers that can be asked, by name."""

DEFAULT_PROVIDER = "sample"


@dataclass(frozen=True)
class Workspace:
    """One open database and what belongs to it.

    Attributes:
        settings: where things lie.
        database: the open database, its schema up to date.
        now: what time it is for everything done in this workspace, an aware datetime.
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
        """Extend the calendar to the end of next year and return it."""
        return extend_sessions(self.database, self.now)

    @property
    def archive(self) -> DirectoryArchive:
        """The archive of what providers answered."""
        return DirectoryArchive(self.settings.archive)

    def loader(self, sessions: Sessions, *, rehearsal: bool = False) -> Loader:
        """Return what loads payloads into this workspace; a rehearsal stores nothing."""
        return Loader(self.database, self.archive, sessions, parse, self.now, is_rehearsal=rehearsal)

    def ingest(self, provider: str) -> Ingest:
        """Return the nightly fetch from a provider, the calendar extended.

        Raises:
            UsageError: there is no such provider to ask.
        """
        if provider not in PROVIDERS:
            raise UsageError(f"no provider {provider!r} to ask; there are: {', '.join(PROVIDERS)}")
        return Ingest(PROVIDERS[provider](), self.loader(self.extended_sessions()))


@contextmanager
def open_workspace(
    settings: Settings, *, may_create: bool = True, now: dt.datetime | None = None
) -> Iterator[Workspace]:
    """Open the database of the settings, starting the embedded server if it is that.

    The embedded database is migrated as needed. Another one is given its first schema if it is empty and
    ``may_create``; one at another schema is refused, for others may be using it.

    Raises:
        DatabaseUnavailable, DatabaseError, SettingsError: it cannot be opened; the message says what to do.
        SchemaTooOld, SchemaTooNew, MigrationEdited: its schema is not the one of this version.
    """
    with ExitStack() as stack:
        url = settings.database_url or stack.enter_context(
            EmbeddedServer(settings.home, binaries=settings.postgres_bin).lease()
        )
        database = stack.enter_context(Database(url))
        if settings.database_url is None or (may_create and is_empty(database)):
            migrate(database)
        else:
            check_schema(database)
        yield Workspace(settings, database, now or dt.datetime.now(dt.UTC))
