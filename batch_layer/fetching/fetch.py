"""Service: ask a provider for sessions that the ledger lacks, and load what it answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

from condvest.batch_layer.database.stores.identity import instruments
from condvest.batch_layer.database.stores.loading.ledger import UNDER_WAY, keep_etag
from condvest.batch_layer.fetching import policy
from condvest.batch_layer.fetching.due import Due
from condvest.batch_layer.fetching.loading.judged import JudgedPayload
from condvest.batch_layer.fetching.loading.loader import MOST_AT_ONCE, Loader
from condvest.batch_layer.shared.errors import (
    InputError,
    VendorRefused,
    VendorUnavailable,
)
from condvest.batch_layer.shared.models.given.payloads import Fetched, VendorFile
from condvest.batch_layer.shared.models.instruments.providers import (
    ActionsProvider,
    Answers,
    Cost,
    Failed,
    Provider,
    ReferenceProvider,
    SymbolProvider,
    Unavailable,
)
from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.batch_layer.shared.utils.prefetch import prefetch_batches

OnLoad = Callable[[LoadSummary], None]


@dataclass
class FetchReport:
    """What came of asking.

    Attributes:
        loads: what each load did, in order.
        unavailable: sessions that the provider does not have yet, with its reason.
        failed: what could not be had or read; it holds nothing else up.
    """

    loads: list[LoadSummary] = field(default_factory=list)
    unavailable: list[Unavailable] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)


@dataclass(frozen=True)
class Fetcher:
    """Fetches from one provider.

    Attributes:
        provider: whom to ask.
        loader: where the answers go.
    """

    provider: Provider
    loader: Loader

    @property
    def due(self) -> Due:
        """What the provider can be asked for, and what of it is lacking."""
        return Due(self.provider, self.loader.database, self.loader.sessions, self.loader.now)

    def nightly(self, fetched: FetchReport, *, ask_again: int, on_load: OnLoad | None = None) -> None:
        """Load who is listed, every missing session, the newest again, and the corporate actions.

        Args:
            fetched: takes what comes, as it comes; so it is there if an error ends the night. A step or an
                answer of the vendor that fails is noted in it, and the night goes on.
            ask_again: how many of the newest sessions are asked for although they are there, since vendors
                correct them; of a provider that does not correct, none.
            on_load: called after each load.

        Raises:
            CondvestError: of the archive or the database; what was loaded before stays.
        """
        wanted = policy.sessions_of_night(
            self.due.missing(),
            self.due.covered(),
            ask_again if self.provider.corrects else 0,
            first_held=min(self.due.first_held(), default=None),
        )
        self._fetch(wanted, self.due.actions_since(), policy.renames_since(wanted), fetched, on_load)

    def metadata(
        self, symbols: Sequence[str], fetched: FetchReport, *, on_load: OnLoad | None = None
    ) -> None:
        """Load who is and was listed, and all that the provider says about the symbols."""
        if isinstance(self.provider, ReferenceProvider):
            self._load("reference", self.provider.reference, fetched, on_load)
            self._load("details", partial(self.provider.details, symbols), fetched, on_load)

    def backfill(
        self, sessions: Sequence[dt.date], fetched: FetchReport, *, on_load: OnLoad | None = None
    ) -> None:
        """Load sessions in the order given, then the corporate actions since the first that is held.

        Each session is stored as it comes, with those that come meanwhile: interrupted, the next backfill
        goes on where this one was. Failures as for `nightly`.
        """
        first = min([*sessions, *self.due.first_held()], default=None)
        self._fetch(sessions, first, None, fetched, on_load)

    def _fetch(
        self,
        sessions: Sequence[dt.date],
        actions_since: dt.date | None,
        renames_since: dt.date | None,
        fetched: FetchReport,
        on_load: OnLoad | None,
    ) -> None:
        provider = self.provider
        if isinstance(provider, ReferenceProvider):
            self._load("reference", provider.reference, fetched, on_load)
        self._load("daily_bars", partial(self._ask_for_bars, sessions), fetched, on_load)
        if sessions and provider.corrects:
            in_doubt = [
                session for session in self.due.in_doubt() if min(sessions) <= session <= max(sessions)
            ]
            self._load("daily_bars", partial(provider.fetch, in_doubt), fetched, on_load)
        if isinstance(provider, ReferenceProvider):
            self._load_renames(provider, renames_since, fetched, on_load)
        if isinstance(provider, ActionsProvider):
            actions = partial(provider.corporate_actions, actions_since)
            self._load("corporate_actions", actions, fetched, on_load)

    def _ask_for_bars(self, sessions: Sequence[dt.date]) -> Answers:
        provider = self.provider
        if not (sessions and isinstance(provider, SymbolProvider)):
            return provider.fetch(sessions)
        return provider.fetch_since(self.due.first_of_symbols(provider.symbols, sessions), max(sessions))

    def cost(self, sessions: int) -> Cost:
        """Return what asking for so many sessions costs."""
        return self.provider.cost(sessions)

    def _load(
        self, step: str, ask: Callable[[], Answers], fetched: FetchReport, on_load: OnLoad | None
    ) -> None:
        """Load the answers, those in one transaction that came while the ones before them were stored.

        A vendor that fails ends the step, and is noted under its name.
        """
        try:
            # Closed at once, so that nobody is asked for more when loading fails.
            with closing(prefetch_batches(map(self._read, ask()), MOST_AT_ONCE)) as batches:
                for batch in batches:
                    self._load_batch(batch, fetched, on_load)
        except (VendorRefused, VendorUnavailable) as error:
            fetched.failed.append(Failed(f"{self.provider.name}/{step}", error))

    def _load_batch(
        self,
        batch: Sequence[JudgedPayload | Unavailable | Failed],
        fetched: FetchReport,
        on_load: OnLoad | None,
    ) -> None:
        fetched.unavailable += [answer for answer in batch if isinstance(answer, Unavailable)]
        fetched.failed += [answer for answer in batch if isinstance(answer, Failed)]
        judged = [answer for answer in batch if isinstance(answer, JudgedPayload)]
        files = [answer.payload for answer in judged if isinstance(answer.payload, VendorFile)]
        for file in files:
            self._keep_etag(file, UNDER_WAY)
        loads = self.loader.load_all(judged)
        for file in files:
            self._keep_etag(file, file.etag)
        fetched.loads += loads
        if on_load is not None:
            for load in loads:
                on_load(load)

    def _read(self, answer: Fetched | Unavailable | Failed) -> JudgedPayload | Unavailable | Failed:
        """Parse and judge an answer; one that cannot be read is a failure of its own, and archived."""
        if not isinstance(answer, Fetched):
            return answer
        try:
            return self.loader.read(answer.payload, answer.parsed)
        except InputError as error:
            return Failed(answer.payload.name, error)

    def _keep_etag(self, file: VendorFile, etag: str) -> None:
        with self.loader.database.transaction() as connection:
            provider_id = instruments.provider_id_of(connection, file.provider)
            keep_etag(connection, provider_id, file.name, etag, file.fetched_at)

    def _load_renames(
        self,
        provider: ReferenceProvider,
        since: dt.date | None,
        fetched: FetchReport,
        on_load: OnLoad | None,
    ) -> None:
        """Ask for the renames of whom they are not known, and then of those that the answers bring to light.

        What one instrument carried before may have hidden that another took it up.
        """
        seen: set[str] = set()
        while unasked := [figi for figi in self.due.without_history(since) if figi not in seen]:
            self._load("renames", partial(provider.renames, unasked), fetched, on_load)
            seen.update(unasked)
