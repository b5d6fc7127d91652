"""Yahoo's quotes of some symbols, all in one answer: what anchors its stream.

A quote holds the regular session's prices of a date and its volume. The date is that of its newest regular
trade: before the open it is still the last session's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import orjson

from condvest.batch_layer.shared.clients.massive import columns
from condvest.batch_layer.shared.clients.massive.faults import Faults
from condvest.batch_layer.shared.clients.yahoo.symbols import house_symbol
from condvest.batch_layer.shared.errors import InputError, VendorUnavailable
from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES
from condvest.batch_layer.shared.models.given.given_rows import GivenRows
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.speed_layer.core.snapshot import Snapshot
from condvest.speed_layer.core.state import NEVER
from condvest.speed_layer.feeds.massive.massive_values import instants
from condvest.speed_layer.feeds.polling import Answered
from condvest.speed_layer.feeds.yahoo.yahoo_messages import as_printed

MOST_SYMBOLS = 200
"""Symbols of one answer."""

_PRICES = {
    "open": "regularMarketOpen",
    "high": "regularMarketDayHigh",
    "low": "regularMarketDayLow",
    "close": "regularMarketPrice",
}
_ENDED = frozenset({"POST", "POSTPOST", "CLOSED"})
_MINUTES = 60_000_000
_SHOWN_LENGTH = 120


class QuotesClient(Protocol):
    """Asks Yahoo for quotes."""

    def quotes(self, symbols: Sequence[str]) -> bytes:
        """Return the body of the quotes; raises VendorUnavailable."""
        ...


@dataclass(frozen=True)
class YahooQuotes:
    """A `Feed` of the quotes of some symbols.

    Attributes:
        client: asks.
        symbols: as Condvest spells them, MOST_SYMBOLS at most.
        now: the instant, microseconds since 1970-01-01 UTC.
    """

    client: QuotesClient
    symbols: Sequence[str]
    now: Callable[[], int]
    provider: str = "yahoo"
    name: str = "poll"

    def ask(self, session: dt.date) -> Answered:
        """Return the quotes of this moment; see `Feed`.

        What is kept of them is the answer as it came, with when it was asked for.
        """
        asked_at = self.now()
        answer = self.client.quotes(self.symbols)
        content = b'{"asked_at":%d,"answer":%b}' % (asked_at, answer.strip())
        try:
            return Answered(content, read_quotes(content, session))
        except InputError as error:
            raise VendorUnavailable(f"Yahoo's quotes: {error}") from error


def read_quotes(content: bytes, session: dt.date) -> Snapshot:
    """Read an answer as `YahooQuotes` keeps it; ``session`` is checked by the collector.

    Nothing in it is known to be later than the question. Once the regular session has ended, all of it is
    known up to the question. What is wrong with one row is a fault of the row.

    Raises:
        InputError: it is no such answer.
    """
    asked_at, quotes = _quotes_in(content)
    faults = Faults()
    rows = columns.objects(quotes, faults)
    traded_at = instants(columns.values_of(rows, "regularMarketTime"), "regularMarketTime", faults)
    values: dict[str, Any] = {
        name: as_printed(columns.numbers(columns.values_of(rows, key), name, faults))
        for name, key in _PRICES.items()
    }
    has_bar = np.logical_or.reduce([~np.isnan(prices) for prices in values.values()])
    volume = columns.numbers(columns.values_of(rows, "regularMarketVolume"), "volume", faults)
    for row in np.flatnonzero(has_bar).tolist():
        for name in ("high", "low", "close"):
            if np.isnan(values[name][row]) and f"{name}: " not in faults.get(row, ""):
                faults.note(row, f"{name}: missing")
        if np.isnan(volume[row]):
            faults.note(row, "volume: missing")
    values["open"] = np.nan_to_num(values["open"], nan=0.0)
    symbols = columns.texts(columns.values_of(rows, "symbol"), "symbol", faults, required=True)
    bars = BarRows(
        line=np.arange(1, len(rows) + 1, dtype=np.int64),
        symbol=np.array([house_symbol(symbol) for symbol in symbols.tolist()], dtype=object),
        session=np.full(len(rows), np.datetime64(session, "D")),
        **values,
        volume=volume,
        vwap=np.full(len(rows), np.nan),
        trades=np.full(len(rows), UNKNOWN_TRADES, dtype=np.int64),
    )
    given = ("symbol", "regularMarketTime", "marketState", *_PRICES.values(), "regularMarketVolume")
    return Snapshot(
        rows=bars,
        faults=faults,
        has_bar=has_bar,
        updated=_known_through(rows, traded_at, asked_at),
        last_price=values["close"],
        last_at=traded_at,
        source=GivenRows({key: columns.values_of(rows, key) for key in given}, len(rows)),
    )


def _known_through(rows: Sequence[Mapping[str, Any]], traded_at: Any, asked_at: int) -> Any:  # noqa: ANN401  # arrays
    """Return up to when each row's regular session is known; NEVER where it has no trade."""
    delay = np.array([_delay_of(row) for row in rows], dtype=np.int64)
    has_ended = np.array([row.get("marketState") in _ENDED for row in rows], dtype=np.bool_)
    through = np.where(has_ended, np.maximum(traded_at, asked_at - delay), traded_at)
    return np.where(traded_at == NEVER, NEVER, np.minimum(through, asked_at))


def _delay_of(row: Mapping[str, Any]) -> int:
    minutes = row.get("exchangeDataDelayedBy")
    return minutes * _MINUTES if isinstance(minutes, int) and 0 <= minutes <= 60 else 0  # noqa: PLR2004  # an hour


def _quotes_in(content: bytes) -> tuple[int, list[Any]]:
    try:
        kept = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InputError(f"expected JSON, got {content[:_SHOWN_LENGTH]!r} ({error})") from error
    asked_at = kept.get("asked_at") if isinstance(kept, dict) else None
    answer = kept.get("answer") if isinstance(kept, dict) else None
    response = answer.get("quoteResponse") if isinstance(answer, dict) else None
    quotes = response.get("result") if isinstance(response, dict) else None
    if not isinstance(asked_at, int) or not isinstance(quotes, list):
        raise InputError(f"expected an answer with quotes, got {content[:_SHOWN_LENGTH]!r}")
    if len(quotes) > MOST_SYMBOLS:
        raise InputError(f"{len(quotes):,} quotes, where at most {MOST_SYMBOLS} were asked for")
    return asked_at, quotes
