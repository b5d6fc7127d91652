"""Yahoo as a provider."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from batch_layer.shared.clients.yahoo.chart import EXCHANGE_ZONE, read_chart
from batch_layer.shared.clients.yahoo.client import YahooClient
from batch_layer.shared.clients.yahoo.symbols import house_symbol, is_symbol, yahoo_symbol
from batch_layer.shared.errors import UsageError, VendorRefused, VendorUnavailable
from batch_layer.shared.models.payloads import Payload
from batch_layer.shared.models.providers import Cost

FIRST_SESSION = dt.date(1962, 1, 2)
"""Yahoo's oldest bars."""

MARGIN = dt.timedelta(days=40)
"""A chart is asked for from so long before the first session wanted: to hold the splits and dividends that
may have been late, and a row of every living symbol even if a holiday alone is asked for."""

PAUSE = 2.5
"""Seconds between two symbols: two requests in five seconds, as yfinance's documentation advises."""

GIVE_UP_AFTER = 3
"""When so many symbols in a row were not to be had, Yahoo is limiting or away, and the rest is not asked."""

_ROW_MEGABYTES = 3e-5

Failure = VendorRefused | VendorUnavailable


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class YahooProvider:
    """A ``Provider`` of given symbols, by one chart a symbol. Needs no key.

    A chart is asked for through the present whatever the sessions, since its prices are on the present
    split basis and only the splits in the answer lead back.

    A symbol that fails does not hold the others up: its failure is kept in ``failures`` and raised when all
    that came has been handed out, which is at the end of ``corporate_actions``; at the end of ``fetch`` if no
    symbol answered. So both are to be used, in this order, or ``failures`` to be looked at.

    Attributes:
        name: ``"yahoo"``.
        corrects: True.
        symbols: the symbols asked for, as Condvest spells them, each once.
    """

    name = "yahoo"
    corrects = True

    def __init__(
        self,
        symbols: Sequence[str],
        *,
        base_url: str | None = None,
        cache_dir: Path,
        start: dt.date = FIRST_SESSION,
        clock: Callable[[], dt.datetime] = _now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Make the provider; nothing is asked yet.

        Args:
            symbols: in Yahoo's spelling or the house's.
            base_url: asked instead of Yahoo's hosts, and without PAUSE; None for Yahoo itself.
            cache_dir: where yfinance keeps its cookies; made when first needed.
            start: the first date wanted of any symbol.
            clock: tells when an answer came, as an aware datetime.
            sleep: waits for seconds.

        Raises:
            UsageError: there is no symbol, or something that cannot be one.
        """
        junk = [symbol for symbol in symbols if not is_symbol(symbol)]
        if junk or not symbols:
            what = f"{junk[0]!r} is no symbol" if junk else "no symbols"
            raise UsageError(f"{what}; Yahoo is asked for symbols such as AAPL or BRK.B")
        self.symbols = tuple(dict.fromkeys(house_symbol(yahoo_symbol(symbol)) for symbol in symbols))
        self._start, self._clock, self._sleep = start, clock, sleep
        self._pause = PAUSE if base_url is None else 0.0
        self._client = YahooClient(base_url, cache_dir, sleep)
        self._answers: list[Payload] = []
        self._failures: dict[str, Failure] = {}

    @property
    def failures(self) -> Mapping[str, Failure]:
        """The symbols that failed since ``fetch`` began, each with its error."""
        return MappingProxyType(self._failures)

    def coverage(self, last_closed: dt.date) -> tuple[dt.date, dt.date]:
        """Return the first date wanted and the last closed session, inclusive."""
        return min(self._start, last_closed), last_closed

    def cost(self, sessions: int) -> Cost:
        """Return the calls, one a symbol however many sessions, their pauses, and about what comes over."""
        calls = len(self.symbols) if sessions else 0
        rows = calls * (sessions + MARGIN.days)
        return Cost(calls, max(0, calls - 1) * self._pause, rows * _ROW_MEGABYTES)

    def reference(self) -> Sequence[Payload]:
        """Return no answer: a chart says nothing about its company."""
        return ()

    def details(self, symbols: Sequence[str]) -> Sequence[Payload]:  # noqa: ARG002  # a chart has none
        """Return no answer: there is nothing more to tell about a company."""
        return ()

    def renames(self, figis: Sequence[str]) -> Sequence[Payload]:  # noqa: ARG002  # Yahoo has no FIGIs
        """Return no answer: Yahoo files a whole history under today's symbol."""
        return ()

    def fetch(self, sessions: Sequence[dt.date]) -> Iterator[Payload]:
        """Yield the chart of each symbol, as it comes, as daily bars from the first session to the last.

        Raises:
            VendorRefused, VendorUnavailable: no symbol has answered; the message names each and why.
        """
        if not sessions:
            return
        yield from self._ask_all(min(sessions), max(sessions))
        if not self._answers:
            self._raise_failures()

    def corporate_actions(self, since: dt.date | None = None) -> Iterator[Payload]:
        """Yield the answers of ``fetch`` once more, as splits and as dividends where they hold any.

        Without a ``fetch`` before, asks for those from ``since`` on, or from the start.

        Raises:
            VendorRefused, VendorUnavailable: symbols have failed, here or in ``fetch``; the message names
                each and why. VendorUnavailable if asking again may help for any of them.
        """
        if not (self._answers or self._failures):
            today = self._today()
            for _ in self._ask_all(min(since or self._start, today), today):
                pass  # the answers are kept
        for answer in self._answers:
            chart = read_chart(answer.content, name=answer.name)
            if chart.splits:
                yield replace(answer, dataset="splits")
            if chart.dividends:
                yield replace(answer, dataset="dividends")
        self._raise_failures()

    def _ask_all(self, first: dt.date, last: dt.date) -> Iterator[Payload]:
        self._answers, self._failures = [], {}
        in_a_row = 0
        for place, symbol in enumerate(self.symbols):
            if in_a_row == GIVE_UP_AFTER:
                self._failures[symbol] = VendorUnavailable(
                    f"{symbol}: not asked for, since the {GIVE_UP_AFTER} symbols before it were not to be had"
                )
                continue
            if place:
                self._sleep(self._pause)
            try:
                content = self._client.chart(symbol, first - MARGIN, self._today())
            except (VendorRefused, VendorUnavailable) as error:
                self._failures[symbol] = error
                in_a_row = in_a_row + 1 if isinstance(error, VendorUnavailable) else 0
                continue
            in_a_row = 0
            self._answers.append(self._payload(symbol, content, first, last))
            yield self._answers[-1]

    def _payload(self, symbol: str, content: bytes, first: dt.date, last: dt.date) -> Payload:
        return Payload(
            provider=self.name,
            dataset="daily_bars",
            content=content,
            media="json",
            first_session=first,
            last_session=last,
            fetched_at=self._clock(),
            is_whole=False,
            name=f"yahoo/chart/{symbol}",
        )

    def _today(self) -> dt.date:
        return self._clock().astimezone(EXCHANGE_ZONE).date()

    def _raise_failures(self) -> None:
        if not self._failures:
            return
        kinds = [VendorUnavailable, VendorRefused]
        kind = next(one for one in kinds if any(isinstance(each, one) for each in self._failures.values()))
        reasons = "; ".join(str(error) for error in self._failures.values())
        raise kind(f"{len(self._failures)} of {len(self.symbols)} symbols failed at Yahoo: {reasons}")
