"""The wiring: settings to an open database, the calendar, the archive and the providers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from batch_layer.database import catalog_store, instruments_store
from batch_layer.database.connection import Database
from batch_layer.database.embedded import EmbeddedServer
from batch_layer.database.migrate import check_schema, is_empty, migrate
from batch_layer.database.sessions_store import extend_sessions, read_sessions, sessions_ahead
from batch_layer.fetching.ingest import Ingest
from batch_layer.fetching.load import Loader
from batch_layer.shared.clients import aws
from batch_layer.shared.clients.archive import Archive
from batch_layer.shared.clients.archive.directory import DirectoryArchive
from batch_layer.shared.clients.parsing import parse
from batch_layer.shared.clients.sample import SampleProvider
from batch_layer.shared.clients.yahoo import YahooProvider
from batch_layer.shared.errors import UsageError
from batch_layer.shared.models.payloads import Provider
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.settings import Settings

PROVIDERS = ("massive", "sample", "yahoo")
"""The providers that can be asked."""


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
        """Extend the calendar, at least 400 days ahead, and return it."""
        return extend_sessions(self.database, self.now)

    @property
    def sessions_ahead(self) -> Sessions:
        """The calendar, extended only if it does not reach so far."""
        return sessions_ahead(self.database, self.now)

    @property
    def archive(self) -> Archive:
        """The archive of what providers answered."""
        place = self.settings.archive
        if isinstance(place, Path):
            return DirectoryArchive(place)
        # Imported here: only who keeps the archive in S3 waits for boto3.
        from batch_layer.shared.clients.archive.s3 import S3Archive  # noqa: PLC0415

        return S3Archive.of(place, aws.client("s3"))

    def loader(self, sessions: Sessions, *, rehearsal: bool = False) -> Loader:
        """Return what loads payloads into this workspace; a rehearsal stores nothing."""
        return Loader(self.database, self.archive, sessions, parse, self.now, is_rehearsal=rehearsal)

    @contextmanager
    def ingest(
        self, provider: str, symbols: Sequence[str] = (), *, from_files: bool = False
    ) -> Iterator[Ingest]:
        """Open a provider and give what fetches from it, the calendar extended.

        Args:
            provider: one of PROVIDERS.
            symbols: for Yahoo, whom to ask about; those it was asked about before if none are given.
            from_files: whether to take the daily bars from the files that the provider publishes.

        Raises:
            UsageError: there is no such provider to ask, or nothing to ask it about.
            SettingsError: it needs a key, and there is none.
        """
        with ExitStack() as stack:
            loader = self.loader(self.extended_sessions())
            if from_files:
                yield Ingest(self._files_of(provider, symbols, stack), loader)
            else:
                yield Ingest(self._provider(provider, symbols, stack), loader)

    def supplied_symbols(self, provider: str) -> list[str]:
        """Return the symbols whose bars a provider has supplied."""
        with self.database.transaction() as connection:
            provider_id = instruments_store.provider_id_of(connection, provider)
            ids = instruments_store.supplied_by(connection, provider_id)
            names = catalog_store.symbols_by_instrument(connection)
        return sorted(names[one] for one in ids.tolist())

    def _files_of(self, provider: str, symbols: Sequence[str], stack: ExitStack) -> Provider:
        if provider != "massive" or symbols:
            raise UsageError("--from-files is for --provider massive, whose files hold whole sessions")
        from batch_layer.shared.clients.massive.flat_files import FlatFilesProvider  # noqa: PLC0415

        return stack.enter_context(FlatFilesProvider.from_settings(aws.with_secrets(self.settings)))

    def _provider(self, provider: str, symbols: Sequence[str], stack: ExitStack) -> Provider:
        if provider == "yahoo":
            asked = symbols or self.supplied_symbols("yahoo")
            if not asked:
                raise UsageError("Yahoo is asked by symbol: give --symbols AAPL,MSFT or --symbols-file FILE")
            cache = self.settings.home / "yahoo"
            return YahooProvider(asked, base_url=self.settings.yahoo_base_url, cache_dir=cache)
        if symbols:
            raise UsageError(f"{provider} gives whole sessions: symbols are for yahoo alone")
        if provider == "massive":
            # Imported here: only who asks Massive waits for its client of HTTP.
            from batch_layer.shared.clients.massive import MassiveProvider  # noqa: PLC0415

            return stack.enter_context(MassiveProvider.from_settings(aws.with_secrets(self.settings)))
        if provider == "sample":
            return SampleProvider()
        raise UsageError(f"no provider {provider!r} to ask; there are: {', '.join(PROVIDERS)}")


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
        database = stack.enter_context(Database(url, aws.database_login(settings)))
        if settings.database_url is None or (may_create and is_empty(database)):
            migrate(database)
        else:
            check_schema(database)
        yield Workspace(settings, database, now or dt.datetime.now(dt.UTC))
