"""Massive as a provider: whole sessions, one call each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Self

from condvest.batch_layer.shared.clients.massive import json_seq
from condvest.batch_layer.shared.clients.massive.client import MassiveClient
from condvest.batch_layer.shared.clients.massive.parse import JSON, JSON_SEQ
from condvest.batch_layer.shared.clients.massive.wire.transport import Transport
from condvest.batch_layer.shared.clients.massive.wire.urls import path_of
from condvest.batch_layer.shared.clients.rate_limit import Rate, RateLimit
from condvest.batch_layer.shared.errors import NotReadyYet, SettingsError, UnknownSymbol
from condvest.batch_layer.shared.models.given.payloads import DatasetName, Fetched, Payload
from condvest.batch_layer.shared.models.instruments.providers import Cost, Unavailable
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE
from condvest.batch_layer.shared.settings import Settings
from condvest.batch_layer.shared.utils.clock import utc_now
from condvest.batch_layer.shared.vendor_settings import MassivePlan

FIRST_SESSION = dt.date(2003, 9, 10)
"""The first session of which Massive has bars."""

BASIC_YEARS = 2

RATES: dict[MassivePlan, Rate] = {"basic": Rate(calls=5, seconds=61.0), "paid": Rate(calls=90, seconds=1.0)}
"""What the plans allow is 5 calls a minute, and below 100 a second. The extra second covers calls that
take longer on their way than later ones; the vendor counts them where they arrive."""

RENAMES_A_NIGHT: dict[MassivePlan, int] = {"basic": 5, "paid": 1000}
"""How many instruments' renames are asked for at once: a minute of the basic plan, some of another."""

MEGABYTES_A_SESSION = 0.5
"""A grouped answer of 12,500 rows, packed."""


class MassiveProvider:
    """A ``Provider``: the whole US market. Use it as a context manager, or `close` it.

    Attributes:
        name: ``"massive"``.
        corrects: True: bars of past sessions may change.
        client: the endpoints.
    """

    name = "massive"
    corrects = True

    def __init__(
        self, client: MassiveClient, plan: MassivePlan, now: Callable[[], dt.datetime] = utc_now
    ) -> None:
        """Make a provider.

        Args:
            client: asks Massive.
            plan: what the key may ask for.
            now: tells the instant, as an aware datetime.
        """
        self.client = client
        self._plan = plan
        self._now = now

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make a provider of the key, the plan and the base URL of the settings.

        Raises:
            SettingsError: there is no key.
        """
        if not settings.massive.api_key:
            raise SettingsError(
                "Massive needs an API key; set MASSIVE_API_KEY (or POLYGON_API_KEY) to the one of your "
                "dashboard, or use a provider that needs none (--provider yahoo)"
            )
        limit = RateLimit.for_key(
            settings.home / "limits", settings.massive.api_key, RATES[settings.massive.plan]
        )
        transport = Transport(settings.massive.base_url, settings.massive.api_key)
        return cls(MassiveClient(transport, limit), settings.massive.plan)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def coverage(self, last_closed: dt.date) -> tuple[dt.date, dt.date]:
        """Return the first and last date that the plan lets ask for, inclusive; they need not be sessions.

        The basic plan reaches two years back from today in New York; one day less is asked for, since the
        window moves on while a backfill runs.
        """
        return min(self._first(), last_closed), last_closed

    def cost(self, sessions: int) -> Cost:
        """Return what asking for so many sessions costs, from the calls that the limit has seen so far."""
        return Cost(
            calls=sessions,
            seconds=self.client.limit.seconds_until_made(sessions),
            megabytes=sessions * MEGABYTES_A_SESSION,
        )

    def fetch(self, sessions: Sequence[dt.date]) -> Iterator[Fetched | Unavailable]:
        """Yield one payload a session, in the order given, each asked for when the one before is taken.

        A session that is not ready yet is yielded as `Unavailable`.

        Raises:
            VendorRefused, VendorUnavailable, InputError: of the first session that cannot be had; those
                yielded before are good.
        """
        for session in sessions:
            try:
                answered = self.client.grouped_daily(session)
            except NotReadyYet as error:
                yield Unavailable(session, str(error))
                continue
            payload = Payload(
                provider=self.name,
                dataset="daily_bars",
                content=answered.content,
                media=JSON,
                first_session=session,
                last_session=session,
                fetched_at=self._now(),
                is_whole=True,
                name=path_of(self.client.urls.grouped_daily(session)),
            )
            yield Fetched(payload, answered.value)

    def corporate_actions(self, since: dt.date | None = None) -> Iterator[Fetched]:
        """Yield the splits and the dividends with ex-dates from ``since`` on (inclusive).

        None stands for the first date that the plan covers: earlier actions adjust no bar. Each list is one
        payload; dividends, of which there are more than a million, are divided by year of the ex-date, but
        for the present year and the one before, which are together.
        """
        first = since or self._first()
        yield self._actions("splits", self.client.splits(first), first, None)
        for start, before in _years(first, self._today().year - 1):
            yield self._actions("dividends", self.client.dividends(start, before), start, before)

    def reference(self) -> Iterator[Fetched]:
        """Yield the listed tickers and then the delisted ones, as one payload of ``instruments``.

        One, because only together they say who carried a symbol when.
        """
        # Of two RFC 7464 sequences, one after the other is one.
        content = self.client.tickers(active=True) + self.client.tickers(active=False)
        yield self._listed("instruments", content, "/v3/reference/tickers", is_whole=True)

    def details(self, symbols: Sequence[str]) -> Iterator[Fetched]:
        """Yield the details of the symbols, one call each, as one payload of ``instruments``.

        A symbol that nobody carries is left out.
        """
        bodies = []
        for symbol in symbols:
            try:
                bodies.append(self.client.ticker_details(symbol).content)
            except UnknownSymbol:
                continue  # the answer is that there is nothing to tell
        if bodies:
            yield self._listed("instruments", json_seq.join(bodies), "/v3/reference/tickers/{ticker}")

    def renames(self, figis: Sequence[str]) -> Iterator[Fetched]:
        """Yield the symbols that instruments took, one call for each FIGI (or symbol), as one payload.

        As many as RENAMES_A_NIGHT allows, the first; one that nobody has is left out.
        """
        bodies = []
        for figi in figis[: RENAMES_A_NIGHT[self._plan]]:
            try:
                bodies.append(self.client.ticker_events(figi).content)
            except UnknownSymbol:
                continue  # the answer is that there is nothing to tell
        if bodies:
            yield self._listed("symbols", json_seq.join(bodies), "/vX/reference/tickers/{id}/events")

    def _actions(
        self, dataset: DatasetName, content: bytes, since: dt.date, before: dt.date | None
    ) -> Fetched:
        """Return a list of all actions with ex-dates in [since, before)."""
        last = before - dt.timedelta(days=1) if before else dt.date.max
        listed = self._listed(dataset, content, f"/stocks/v1/{dataset}", is_whole=True)
        return Fetched(replace(listed.payload, first_session=since, last_session=last))

    def _listed(self, dataset: DatasetName, content: bytes, name: str, *, is_whole: bool = False) -> Fetched:
        payload = Payload(
            provider=self.name,
            dataset=dataset,
            content=content,
            media=JSON_SEQ,
            first_session=None,
            last_session=None,
            fetched_at=self._now(),
            is_whole=is_whole,
            name=name,
        )
        return Fetched(payload)

    def _today(self) -> dt.date:
        return self._now().astimezone(EXCHANGE_ZONE).date()

    def _first(self) -> dt.date:
        if self._plan == "paid":
            return FIRST_SESSION
        today = self._today()
        is_leap_day = (today.month, today.day) == (2, 29)
        earlier = today.replace(year=today.year - BASIC_YEARS, day=28 if is_leap_day else today.day)
        return earlier + dt.timedelta(days=1)


def _years(since: dt.date, last: int) -> Iterator[tuple[dt.date, dt.date | None]]:
    """Yield spans of ex-dates from ``since`` on, cut at each new year up to that of ``last``."""
    start = since
    while start.year < last:
        following = dt.date(start.year + 1, 1, 1)
        yield start, following
        start = following
    yield start, None
