"""The wiring: settings to an open database, the calendar, the archive and the providers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from condvest.batch_layer.database.opening import OpenDatabase, open_database
from condvest.batch_layer.database.stores.identity.symbols import symbols_by_instrument
from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.settings import Settings
from condvest.batch_layer.shared.utils.extras import from_extra

if TYPE_CHECKING:
    from condvest.batch_layer.fetching.fetch import Fetcher
    from condvest.batch_layer.fetching.loading.loader import Loader
    from condvest.batch_layer.shared.clients.archive import Archive
    from condvest.batch_layer.shared.models.instruments.providers import Provider


@dataclass(frozen=True)
class Workspace(OpenDatabase):
    """One open database, with the archive and the providers that belong to it.

    What fetches and loads is imported when it is asked for: a command that only reads or publishes waits for
    none of it.
    """

    @property
    def archive(self) -> Archive:
        """The archive of what providers answered."""
        location = self.settings.archive
        if isinstance(location, Path):
            from condvest.batch_layer.shared.clients.archive.directory import DirectoryArchive  # noqa: PLC0415

            return DirectoryArchive(location)
        # Imported here: only who keeps the archive in S3 waits for boto3.
        with from_extra("aws", "an archive in S3"):
            from condvest.batch_layer.shared.clients.archive.s3 import S3Archive  # noqa: PLC0415

        return S3Archive.of(location, aws.client("s3"))

    def loader(self, sessions: Sessions, *, rehearsal: bool = False) -> Loader:
        """Return what loads payloads into this workspace; a rehearsal stores nothing."""
        from condvest.batch_layer.fetching.loading.loader import Loader  # noqa: PLC0415
        from condvest.batch_layer.shared.clients.parsing import divided, parse  # noqa: PLC0415

        return Loader(
            self.database, self.archive, sessions, parse, self.now, is_rehearsal=rehearsal, divide=divided
        )

    @contextmanager
    def ingest(
        self,
        provider: str,
        symbols: Sequence[str] = (),
        *,
        from_files: bool = False,
        only_cost: bool = False,
    ) -> Iterator[Fetcher]:
        """Open a provider and give what fetches from it, the calendar extended.

        Args:
            provider: one of PROVIDERS.
            symbols: for Yahoo, whom to ask about; those of its list if none are given.
            from_files: whether to take the daily bars from the files that the provider publishes.
            only_cost: whether it is only asked what it covers and costs, which needs no key.

        Raises:
            UsageError: there is no such provider to ask, or nothing to ask it about.
            SettingsError: it needs a key, and there is none.
        """
        from condvest.batch_layer.fetching.fetch import Fetcher  # noqa: PLC0415
        from condvest.batch_layer.shared.clients.providers import without_need_of_keys  # noqa: PLC0415
        from condvest.batch_layer.shared.models.instruments.provider_kinds import PROVIDERS  # noqa: PLC0415

        asking = replace(self, settings=without_need_of_keys(self.settings)) if only_cost else self
        with ExitStack() as stack:
            if provider in PROVIDERS and PROVIDERS[provider].needs_symbols:
                symbols = symbols or self.asked_symbols(provider)
            yield Fetcher(
                asking._provider(provider, symbols, stack, from_files=from_files),  # noqa: SLF001  # our own
                self.loader(self.extended_sessions()),
            )

    def asked_symbols(self, provider: str) -> list[str]:
        """Return the symbols of a provider's list: supplied or added, and neither left out nor set aside."""
        from condvest.batch_layer.database.stores.identity.watched import read_watched  # noqa: PLC0415

        with self.database.transaction(read_only=True) as connection:
            watched = read_watched(connection, provider)
        every = {*self.supplied_symbols(provider), *watched}
        return sorted(each for each in every if each not in watched or watched[each].state == "watched")

    def supplied_symbols(self, provider: str) -> list[str]:
        """Return the symbols whose bars a provider has supplied."""
        from condvest.batch_layer.database.stores.identity import instruments  # noqa: PLC0415

        with self.database.transaction(read_only=True) as connection:
            provider_id = instruments.known_provider(connection, provider)
            if provider_id is None:
                return []
            ids = instruments.supplied_by(connection, provider_id)
            names = symbols_by_instrument(connection)
        return sorted(names[instrument] for instrument in ids.tolist())

    def _provider(
        self, provider: str, symbols: Sequence[str], stack: ExitStack, *, from_files: bool
    ) -> Provider:
        from condvest.batch_layer.shared.clients.providers import open_provider  # noqa: PLC0415

        return open_provider(provider, self.settings, symbols, stack, from_files=from_files)


@contextmanager
def open_workspace(
    settings: Settings, *, may_create: bool = True, now: dt.datetime | None = None
) -> Iterator[Workspace]:
    """Open the database of the settings, starting the embedded server if it is that.

    Raises what `open_database` does.
    """
    login = aws.database_login(settings)
    with open_database(settings, login, may_create=may_create) as database:
        yield Workspace(settings, database, now or dt.datetime.now(dt.UTC))
