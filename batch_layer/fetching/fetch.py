"""Service: ask a provider for sessions that the ledger lacks, and load what it answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from condvest.batch_layer.database.stores import instruments, metadata
from condvest.batch_layer.database.stores.doubts import doubted_since, first_sessions
from condvest.batch_layer.database.stores.ledger import UNDER_WAY, keep_etag, read_etags, read_ledger
from condvest.batch_layer.database.stores.loads import is_any_loaded
from condvest.batch_layer.fetching import policy
from condvest.batch_layer.fetching.ledger import missing_sessions, sessions_in_doubt
from condvest.batch_layer.fetching.loading.judged import JudgedPayload
from condvest.batch_layer.fetching.loading.loader import MOST_AT_ONCE, Loader
from condvest.batch_layer.shared.errors import (
    InputError,
    NotASession,
    UsageError,
    VendorRefused,
    VendorUnavailable,
)
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.loads import LedgerRows, LoadSummary
from condvest.batch_layer.shared.models.payloads import Fetched, VendorFile
from condvest.batch_layer.shared.models.providers import (
    ActionsProvider,
    Answers,
    Cost,
    Failed,
    FileProvider,
    Provider,
    ReferenceProvider,
    SymbolProvider,
    Unavailable,
)
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

    def missing(self, start: dt.date | None = None, end: dt.date | None = None) -> list[dt.date]:
        """Return the closed sessions that the provider can be asked for and the ledger does not hold.

        Partial ones count as not held. Ascending; ``start`` and ``end`` are inclusive bounds, as is what
        the provider covers. Without ``start`` nothing before the first session that is held counts as
        missing: to reach further back is for a backfill.
        """
        ledger = self._ledger()
        sessions, (first, last) = self.loader.sessions, self._bounds(start, end)
        if start is None and self.provider.corrects and len(ledger):
            first = max(first, int(ledger.ordinal[0]))
        return sessions.dates_of(missing_sessions(ledger, first, last)).tolist()  # type: ignore[no-any-return]  # NumPy's stub

    def first_covered(self) -> dt.date:
        """Return the first date that the provider can be asked for."""
        sessions = self.loader.sessions
        return self.provider.coverage(sessions.session(sessions.last_closed(self.loader.now)))[0]

    def republished(self, start: dt.date | None = None, end: dt.date | None = None) -> list[dt.date]:
        """Return the sessions, ascending, whose files were loaded and have been published anew since.

        Also those whose load was stopped before it was known that it had ended. None of a provider that
        publishes no files. ``start`` and ``end`` are inclusive bounds.
        """
        if not isinstance(self.provider, FileProvider):
            return []
        with self.loader.database.transaction() as connection:
            provider_id = instruments.provider_id_of(connection, self.provider.name)
            loaded = read_etags(connection, provider_id)
        if not loaded:
            return []
        first, last = self._bounds(start, end)
        sessions = self.loader.sessions
        there = (
            self.provider.published(sessions.session(first), sessions.session(last)) if first <= last else {}
        )
        return sorted(session for session, (name, etag) in there.items() if loaded.get(name, etag) != etag)

    def covered(self) -> list[dt.date]:
        """Return every closed session that the provider covers, ascending."""
        first, last = self._bounds(None, None)
        ordinals = np.arange(first, last + 1, dtype=np.int32)
        return self.loader.sessions.dates_of(ordinals).tolist()  # type: ignore[no-any-return]  # NumPy's stub

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
            self.missing(),
            self.covered(),
            ask_again if self.provider.corrects else 0,
            first_held=min(self._first_held(), default=None),
        )
        self._fetch(wanted, self._actions_since(), policy.renames_since(wanted), fetched, on_load)

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
        first = min([*sessions, *self._first_held()], default=None)
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
            in_doubt = [session for session in self._in_doubt() if min(sessions) <= session <= max(sessions)]
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
        last = max(sessions)
        with self.loader.database.transaction(read_only=True) as connection:
            provider_id = instruments.provider_id_of(connection, provider.name)
            in_doubt = doubted_since(connection, provider_id)
            first_held = first_sessions(connection, provider.symbols)
        first_of = policy.first_of_symbols(
            provider.symbols, min(sessions), in_doubt=in_doubt, first_held=first_held, night=last
        )
        return provider.fetch_since(first_of, last)

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

    def _in_doubt(self) -> list[dt.date]:
        """Return the sessions that were taken for complete when there was too little to compare them with."""
        ordinals = sessions_in_doubt(self._ledger())
        return self.loader.sessions.dates_of(ordinals).tolist()  # type: ignore[no-any-return]  # NumPy's stub

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
        while unasked := [figi for figi in self._without_history(since) if figi not in seen]:
            self._load("renames", partial(provider.renames, unasked), fetched, on_load)
            seen.update(unasked)

    def _without_history(self, since: dt.date | None) -> list[str]:
        first = None
        if since is not None:
            asked = np.array([since], dtype="datetime64[D]")
            first = int(self.loader.sessions.ordinals_on_or_after(asked)[0])
        with self.loader.database.transaction() as connection:
            provider_id = instruments.provider_id_of(connection, self.provider.name)
            return metadata.without_history(connection, provider_id, first)

    def _ledger(self) -> LedgerRows:
        with self.loader.database.transaction() as connection:
            provider_id = instruments.provider_id_of(connection, self.provider.name)
            return read_ledger(connection, provider_id)

    def _first_held(self) -> list[dt.date]:
        """Return the first session that the ledger holds, alone; nothing if it holds none."""
        return self.loader.sessions.dates_of(self._ledger().ordinal[:1]).tolist()  # type: ignore[no-any-return]  # NumPy's stub

    def _actions_since(self) -> dt.date | None:
        """Return from which ex-date on actions are asked for: all of them at first, the late ones after."""
        ledger = self._ledger()
        with self.loader.database.transaction() as connection:
            provider_id = instruments.provider_id_of(connection, self.provider.name)
            is_first = not is_any_loaded(connection, provider_id, "dividends")
        newest = self.loader.sessions.session(int(ledger.ordinal[-1])) if len(ledger) else None
        first = self.loader.sessions.session(int(ledger.ordinal[0])) if len(ledger) else None
        return policy.actions_since(first, newest, is_first=is_first)

    def _bounds(self, start: dt.date | None, end: dt.date | None) -> tuple[int, int]:
        """Return the ordinals of the first and last session to be had, inclusive; first > last if none."""
        sessions = self.loader.sessions
        last_closed = sessions.last_closed(self.loader.now)
        first, last = self.provider.coverage(sessions.session(last_closed))
        if start and end and start > end:
            raise UsageError(f"start {start} lies after end {end}")
        low, high = max(first, start or first), min(last, end or last)
        if low > high:
            raise NotASession(
                f"{self.provider.name} has no session from {start or first} to {end or last}: "
                f"it covers {first} to {last}"
            )
        bounds: Int32s = sessions.ordinals_on_or_after(
            np.array([low, high + dt.timedelta(1)], dtype="datetime64[D]")
        )
        return int(bounds[0]), min(int(bounds[1]) - 1, last_closed)
