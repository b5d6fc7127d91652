"""Massive's REST service: each endpoint asked until it answers what it should, or until it refuses.

Every call, repeated ones included, passes the rate limit first. What may pass is asked for again, within
the budget that `Retry` states; what will not is raised at once:

======================================================================  ================
an answer                                                               ends as
======================================================================  ================
429 with or without Retry-After, with or without a body                 asked again (1)
408, 425, 499, 5xx; 1xx to 3xx that are no answer                       asked again
connections refused, reset, timed out; bodies cut off; false gzip       asked again
200 with HTML, no JSON, cut-off JSON, nothing, ``{}``, status ERROR     asked again
200 that counts results and has fewer                                   asked again
200 with another session's bars, or with adjusted prices                asked again
a redirect to another host, port or scheme                              asked again (2)
401, 403, and other 4xx                                                 VendorRefused
403 "today's data before end of day"                                    NotReadyYet
404 for one symbol                                                      UnknownSymbol
more than 16 MB; all pages of a list, more than 200 MB                  InputError
======================================================================  ================

(1) After Retry-After, or one window of the plan's rate; other processes with this key wait, too.
(2) It is not followed, and the key is not sent along. One within the base's own origin is followed.

When the budget is spent the error is `VendorUnavailable`, with what was asked for and the last answer.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

from condvest.batch_layer.shared.clients.massive import json_seq
from condvest.batch_layer.shared.clients.massive.answers import check_status, read_page
from condvest.batch_layer.shared.clients.massive.grouped import read_grouped
from condvest.batch_layer.shared.clients.massive.reference import read_instruments, read_symbols
from condvest.batch_layer.shared.clients.massive.wire.transport import MAX_LIST_BYTES, Answer, Transport
from condvest.batch_layer.shared.clients.massive.wire.urls import Urls, origin_of, path_of
from condvest.batch_layer.shared.clients.rate_limit import RateLimit
from condvest.batch_layer.shared.errors import InputError, RateLimited, VendorUnavailable
from condvest.batch_layer.shared.models.given.payloads import Parsed
from condvest.batch_layer.shared.utils.clock import utc_now
from condvest.batch_layer.shared.utils.retry import RetriesSpent, Retry

T = TypeVar("T")

MAX_REDIRECTS = 3

MOST_PAGES = 20_000
"""Pages of one list: at 1,000 rows each far more than Massive has of anything."""

MOST_EMPTY_PAGES = 10
"""Pages one after the other without a row, of a list that does not end."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answered(Generic[T]):
    """A good answer.

    Attributes:
        content: the bytes as they came.
        value: what was read from them.
    """

    content: bytes = field(repr=False)
    value: T


class MassiveClient:
    """Asks Massive. Threads may share it; use it as a context manager, or `close` it.

    All methods raise VendorRefused, VendorUnavailable and InputError as the module says.

    Attributes:
        urls: the endpoints.
        limit: the rate that the plan allows.
    """

    def __init__(
        self,
        transport: Transport,
        limit: RateLimit,
        *,
        retry: Retry | None = None,
        now: Callable[[], dt.datetime] = utc_now,
        max_bytes: int = MAX_LIST_BYTES,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            transport: sends the requests, and holds the key.
            limit: the rate that the plan allows.
            retry: how often and how soon a call is made again.
            now: tells the instant, as an aware datetime.
            max_bytes: the most that all pages of one list may hold together.
        """
        self.urls: Urls = transport.urls
        self.limit = limit
        self._transport = transport
        self._retry = retry or Retry()
        self._now = now
        self._max_bytes = max_bytes

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def grouped_daily(self, session: dt.date) -> Answered[Parsed]:
        """Return the daily bars (BarRows) of one session, the whole market as traded: one call.

        Raises:
            NotReadyYet: the session's bars are not served before a later hour.
        """
        return self._ask(
            self.urls.grouped_daily(session),
            f"daily bars of {session}",
            lambda body: read_grouped(body, session),
        )

    def snapshot(self, read: Callable[[bytes], T]) -> Answered[T]:
        """Return the session under way, the whole market in one answer, as ``read`` reads it."""
        return self._ask(self.urls.snapshot(), "snapshot of the market", read)

    def tickers(self, *, active: bool) -> bytes:
        """Return all tickers that are listed, or all that no longer are, as a JSON text sequence of pages."""
        kind = "listed" if active else "delisted"
        return self._pages(self.urls.tickers(active=active), f"list of {kind} tickers")

    def splits(self, since: dt.date | None = None) -> bytes:
        """Return the splits with ex-dates from ``since`` on (inclusive), as a JSON text sequence of pages."""
        return self._pages(self.urls.splits(since), f"list of splits{_span(since, None)}")

    def dividends(self, since: dt.date | None = None, before: dt.date | None = None) -> bytes:
        """Return the dividends with ex-dates in [since, before), as a JSON text sequence of pages."""
        return self._pages(self.urls.dividends(since, before), f"list of dividends{_span(since, before)}")

    def ticker_details(self, symbol: str) -> Answered[Parsed]:
        """Return the details of the instrument that carries a symbol today (InstrumentRows, one row).

        Raises:
            UnknownSymbol: no instrument carries it today.
        """
        url = self.urls.ticker_details(symbol)
        return self._ask(url, f"details of {symbol}", lambda body: read_instruments([body]), symbol)

    def ticker_events(self, identifier: str) -> Answered[Parsed]:
        """Return the symbols (SymbolRows, newest first) of who carries a symbol today, or has a FIGI.

        Raises:
            UnknownSymbol: there is nobody.
        """
        url = self.urls.ticker_events(identifier)
        return self._ask(url, f"events of {identifier}", lambda body: read_symbols([body]), identifier)

    def _pages(self, url: str, what: str) -> bytes:
        """Return all pages of a list, each as it came."""
        pages: list[bytes] = []
        asked: set[str] = set()
        size = 0
        empty = 0
        following: str | None = url
        while following is not None:
            if following in asked:
                raise VendorUnavailable(f"{what}: page {len(pages)} leads back to an earlier one; try later")
            asked.add(following)
            answered = self._ask(following, f"{what}, page {len(pages) + 1}", read_page)
            pages.append(answered.content)
            size += len(answered.content)
            empty = 0 if answered.value[0] else empty + 1
            if answered.value[1] and (len(pages) >= MOST_PAGES or empty >= MOST_EMPTY_PAGES):
                raise VendorUnavailable(
                    f"{what}: expected an end, got {len(pages):,} pages that lead to further ones, the last "
                    f"{empty:,} without a row; try later"
                )
            if size > self._max_bytes:
                raise InputError(
                    f"{what}: {len(pages)} pages hold {size:,} bytes, above the limit of {self._max_bytes:,}"
                )
            next_url = answered.value[1]
            following = self.urls.next_page(next_url) if next_url else None
        return json_seq.join(pages)

    def _ask(self, url: str, what: str, read: Callable[[bytes], T], symbol: str | None = None) -> Answered[T]:
        """Ask until ``read`` takes the body of an answer, which it does not by raising InputError."""

        def attempt() -> Answered[T]:
            answer = self._get(url)
            try:
                check_status(answer, what, self._now(), symbol=symbol)
            except RateLimited as limited:
                self.limit.push(limited.retry_after)
                raise
            try:
                return Answered(answer.body, read(answer.body))
            except InputError as error:
                raise VendorUnavailable(str(error)) from error

        try:
            return self._retry.call(attempt, VendorUnavailable, self._asked_wait)
        except RetriesSpent as spent:
            raise VendorUnavailable(
                f"{what}: Massive gave no usable answer in {spent}; the last one: {spent.__cause__}. "
                "Try again later: what is loaded stays"
            ) from spent.__cause__

    def _get(self, url: str) -> Answer:
        """Return the answer at a URL, or where it redirects to within the same origin."""
        for _ in range(MAX_REDIRECTS + 1):
            self.limit.acquire()
            answer = self._transport.get(url)
            _log.debug("%s %s %s bytes", answer.status, path_of(url), len(answer.body))
            location = answer.headers.get("Location")
            if not 300 <= answer.status < 400 or not location:  # noqa: PLR2004  # redirects
                return answer
            target = self.urls.redirected(url, location)
            if target is None:
                raise VendorUnavailable(
                    f"{answer.status}, a redirect to {_shown_origin(location)}, which was not followed: "
                    "the key goes nowhere else than to the base URL (CONDVEST_MASSIVE_BASE_URL)"
                )
            url = target
        raise VendorUnavailable(f"more than {MAX_REDIRECTS} redirects")

    def _asked_wait(self, failure: Exception) -> float:
        """Return the seconds that a failure asks to be waited: the vendor's, or one window of the rate."""
        if not isinstance(failure, RateLimited):
            return 0.0
        return self.limit.rate.seconds if failure.retry_after is None else failure.retry_after


def _span(since: dt.date | None, before: dt.date | None) -> str:
    return (f" from {since}" if since else "") + (f" before {before}" if before else "")


def _shown_origin(location: str) -> str:
    origin = origin_of(location)
    return f"{origin[0]}://{origin[1]}:{origin[2]}" if origin else "another address"
