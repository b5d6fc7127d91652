"""Yahoo as a provider."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from condvest.batch_layer.shared.clients.yahoo.client import YahooClient
from condvest.batch_layer.shared.clients.yahoo.rounds import Rounds
from condvest.batch_layer.shared.clients.yahoo.symbols import house_symbol, is_symbol, yahoo_symbol
from condvest.batch_layer.shared.errors import CondvestError, UsageError
from condvest.batch_layer.shared.models.given.payloads import Fetched, Payload
from condvest.batch_layer.shared.models.instruments.provider_kinds import PROVIDERS
from condvest.batch_layer.shared.models.instruments.providers import Cost, Failed
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE
from condvest.batch_layer.shared.settings import Settings
from condvest.batch_layer.shared.utils.clock import utc_now

FIRST_SESSION = dt.date(1962, 1, 2)
"""Yahoo's oldest bars."""

MARGIN = dt.timedelta(days=40)
"""A chart is asked for from so long before the first session wanted: to hold the splits and dividends that
may have been late, and a row of every living symbol even if a holiday alone is asked for."""

PAUSE = 2.5
"""Seconds between two symbols: two requests in five seconds, as yfinance's documentation advises."""

_ROW_MEGABYTES = 3e-5


class YahooProvider:
    """A `Provider` of given symbols, by one chart per symbol. Needs no key.

    A chart is asked for through the present whatever the sessions, since its prices are on the present
    split basis and only the splits in the answer lead back. It holds the splits and dividends of its time
    too, so there is nothing else to ask for.

    A symbol that fails is yielded as `Failed` and does not hold the others up.

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
        clock: Callable[[], dt.datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the provider; nothing is asked yet.

        Args:
            symbols: in Yahoo's spelling or the house's.
            base_url: asked instead of Yahoo's hosts, and without PAUSE; None for Yahoo itself.
            cache_dir: where yfinance keeps its cookies; made when first needed.
            start: the first date wanted of any symbol.
            clock: tells when an answer came, as an aware datetime.
            sleep: waits for seconds.
            timer: tells how long Yahoo has been silent, in seconds.

        Raises:
            UsageError: there is no symbol, or something that cannot be one.
        """
        junk = [symbol for symbol in symbols if not is_symbol(symbol)]
        if junk or not symbols:
            what = f"{junk[0]!r} is no symbol" if junk else "no symbols"
            raise UsageError(f"{what}; Yahoo is asked for symbols such as AAPL or BRK.B")
        self.symbols = tuple(dict.fromkeys(house_symbol(yahoo_symbol(symbol)) for symbol in symbols))
        self._start, self._clock, self._sleep, self._timer = start, clock, sleep, timer
        self._pause = PAUSE if base_url is None else 0.0
        self._client = YahooClient(base_url, cache_dir)

    @classmethod
    def from_settings(cls, settings: Settings, symbols: Sequence[str]) -> Self:
        """Make a provider of these symbols that asks where the settings say."""
        return cls(symbols, base_url=settings.yahoo.base_url, cache_dir=settings.home / "yahoo")

    def coverage(self, last_closed: dt.date) -> tuple[dt.date, dt.date]:
        """Return the first date wanted and the last closed session, inclusive."""
        return min(self._start, last_closed), last_closed

    def cost(self, sessions: int) -> Cost:
        """Return the calls, one a symbol however many sessions, their pauses, and about what comes over."""
        calls = len(self.symbols) if sessions else 0
        rows = calls * (sessions + MARGIN.days)
        return Cost(calls, max(0, calls - 1) * self._pause, rows * _ROW_MEGABYTES)

    def fetch(self, sessions: Sequence[dt.date]) -> Iterator[Fetched | Failed]:
        """Yield the chart of each symbol, as it comes, for the first session through the last."""
        if sessions:
            yield from self.fetch_since(dict.fromkeys(self.symbols, min(sessions)), max(sessions))

    def fetch_since(self, first_of: Mapping[str, dt.date], last: dt.date) -> Iterator[Fetched | Failed]:
        """Yield the chart of each symbol, as it comes, for its own first session through ``last``.

        Symbols that are not answered take further turns while others are asked about. When Yahoo is away or
        limits the rate for good, the rest is not asked about and fails too; see `rounds`.
        """
        rounds = Rounds(
            lambda symbol: self._chart(symbol, first_of[symbol]), self._pause, self._timer, self._sleep
        )
        for symbol, answer in rounds.answers(first_of):
            if isinstance(answer, CondvestError):
                yield Failed(symbol, answer)
            else:
                yield Fetched(self._payload(symbol, answer, first_of[symbol], last))

    def _chart(self, symbol: str, first: dt.date) -> bytes:
        return self._client.chart(symbol, first - MARGIN, self._today())

    def _payload(self, symbol: str, content: bytes, first: dt.date, last: dt.date) -> Payload:
        return Payload(
            provider=self.name,
            dataset="chart",
            content=content,
            media="json",
            first_session=first,
            last_session=last,
            fetched_at=self._clock(),
            is_whole=False,
            name=f"{PROVIDERS['yahoo'].named_by}{symbol}",
        )

    def _today(self) -> dt.date:
        return self._clock().astimezone(EXCHANGE_ZONE).date()
