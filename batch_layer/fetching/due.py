"""What a provider can be asked for, and what of it the ledger lacks or doubts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores.daily.doubts import doubted_since, first_sessions
from condvest.batch_layer.database.stores.identity import instruments, metadata
from condvest.batch_layer.database.stores.loading.ledger import read_etags, read_ledger
from condvest.batch_layer.database.stores.loading.loads import is_any_loaded
from condvest.batch_layer.fetching import policy
from condvest.batch_layer.fetching.ledger import missing_sessions, sessions_in_doubt
from condvest.batch_layer.shared.errors import NotASession, UsageError
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.instruments.providers import FileProvider, Provider
from condvest.batch_layer.shared.models.loads import LedgerRows
from condvest.batch_layer.shared.models.sessions import Sessions


@dataclass(frozen=True)
class Due:
    """What one provider is to be asked for; each method reads the ledger anew.

    Attributes:
        provider: whom to ask.
        database: where the ledger is.
        sessions: the exchange's.
        now: when it is asked, aware.
    """

    provider: Provider
    database: Database
    sessions: Sessions
    now: dt.datetime

    def missing(self, start: dt.date | None = None, end: dt.date | None = None) -> list[dt.date]:
        """Return the closed sessions that the provider can be asked for and the ledger does not hold.

        Partial ones count as not held. Ascending; ``start`` and ``end`` are inclusive bounds, as is what
        the provider covers. Without ``start`` nothing before the first session that is held counts as
        missing: to reach further back is for a backfill.
        """
        ledger = self._ledger()
        sessions, (first, last) = self.sessions, self._bounds(start, end)
        if start is None and self.provider.corrects and len(ledger):
            first = max(first, int(ledger.ordinal[0]))
        return sessions.dates_of(missing_sessions(ledger, first, last)).tolist()  # type: ignore[no-any-return]  # NumPy's stub

    def first_covered(self) -> dt.date:
        """Return the first date that the provider can be asked for."""
        sessions = self.sessions
        return self.provider.coverage(sessions.session(sessions.last_closed(self.now)))[0]

    def republished(self, start: dt.date | None = None, end: dt.date | None = None) -> list[dt.date]:
        """Return the sessions, ascending, whose files were loaded and have been published anew since.

        Also those whose load was stopped before it was known that it had ended. None of a provider that
        publishes no files. ``start`` and ``end`` are inclusive bounds.
        """
        if not isinstance(self.provider, FileProvider):
            return []
        with self.database.transaction() as connection:
            provider_id = instruments.provider_id_of(connection, self.provider.name)
            loaded = read_etags(connection, provider_id)
        if not loaded:
            return []
        first, last = self._bounds(start, end)
        sessions = self.sessions
        there = (
            self.provider.published(sessions.session(first), sessions.session(last)) if first <= last else {}
        )
        return sorted(session for session, (name, etag) in there.items() if loaded.get(name, etag) != etag)

    def covered(self) -> list[dt.date]:
        """Return every closed session that the provider covers, ascending."""
        first, last = self._bounds(None, None)
        ordinals = np.arange(first, last + 1, dtype=np.int32)
        return self.sessions.dates_of(ordinals).tolist()  # type: ignore[no-any-return]  # NumPy's stub

    def in_doubt(self) -> list[dt.date]:
        """Return the sessions that were taken for complete when there was too little to compare them with."""
        ordinals = sessions_in_doubt(self._ledger())
        return self.sessions.dates_of(ordinals).tolist()  # type: ignore[no-any-return]  # NumPy's stub

    def without_history(self, since: dt.date | None) -> list[str]:
        """Return who may have had another symbol before the present one, by FIGI, or by symbol without one.

        With ``since``, only those whose bars, or whose present symbol, begin on that date or later.
        """
        first = None
        if since is not None:
            asked = np.array([since], dtype="datetime64[D]")
            first = int(self.sessions.ordinals_on_or_after(asked)[0])
        with self.database.transaction() as connection:
            provider_id = instruments.provider_id_of(connection, self.provider.name)
            return metadata.without_history(connection, provider_id, first)

    def first_held(self) -> list[dt.date]:
        """Return the first session that the ledger holds, alone; nothing if it holds none."""
        return self.sessions.dates_of(self._ledger().ordinal[:1]).tolist()  # type: ignore[no-any-return]  # NumPy's stub

    def first_of_symbols(self, symbols: Sequence[str], sessions: Sequence[dt.date]) -> dict[str, dt.date]:
        """Return the session from which on the provider is asked for each symbol, for these sessions."""
        with self.database.transaction(read_only=True) as connection:
            provider_id = instruments.provider_id_of(connection, self.provider.name)
            in_doubt = doubted_since(connection, provider_id)
            first_held = first_sessions(connection, symbols)
        return policy.first_of_symbols(
            symbols, min(sessions), in_doubt=in_doubt, first_held=first_held, night=max(sessions)
        )

    def actions_since(self) -> dt.date | None:
        """Return from which ex-date on actions are asked for: all of them at first, the late ones after."""
        ledger = self._ledger()
        with self.database.transaction() as connection:
            provider_id = instruments.provider_id_of(connection, self.provider.name)
            is_first = not is_any_loaded(connection, provider_id, "dividends")
        newest = self.sessions.session(int(ledger.ordinal[-1])) if len(ledger) else None
        first = self.sessions.session(int(ledger.ordinal[0])) if len(ledger) else None
        return policy.actions_since(first, newest, is_first=is_first)

    def _ledger(self) -> LedgerRows:
        with self.database.transaction() as connection:
            provider_id = instruments.provider_id_of(connection, self.provider.name)
            return read_ledger(connection, provider_id)

    def _bounds(self, start: dt.date | None, end: dt.date | None) -> tuple[int, int]:
        """Return the ordinals of the first and last session to be had, inclusive; first > last if none."""
        sessions = self.sessions
        last_closed = sessions.last_closed(self.now)
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
