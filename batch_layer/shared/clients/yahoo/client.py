"""Ask Yahoo for one symbol's chart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from condvest.batch_layer.shared.clients.yahoo.answer import Answer
from condvest.batch_layer.shared.clients.yahoo.chart import (
    Chart,
    ForeignExchange,
    RefusedChart,
    read_chart,
)
from condvest.batch_layer.shared.clients.yahoo.symbols import house_symbol, yahoo_symbol
from condvest.batch_layer.shared.errors import InputError, SymbolGone, VendorRefused, VendorUnavailable
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE
from condvest.batch_layer.shared.utils.extras import from_extra

if TYPE_CHECKING:
    from condvest.batch_layer.shared.clients.yahoo.wire import Wire

_OK = 200
_REFUSED = (400, 401, 403, 404, 422)
_SHOWN_LENGTH = 80


class YahooClient:
    """Asks for charts of daily bars with their splits and dividends.

    Args:
        base_url: asked instead of Yahoo's hosts; None for Yahoo itself.
        cache_dir: where yfinance keeps its cookies.
    """

    def __init__(self, base_url: str | None, cache_dir: Path) -> None:
        self._base_url, self._cache_dir = base_url, cache_dir
        self._opened: Wire | None = None

    def chart(self, symbol: str, first: dt.date, last: dt.date) -> bytes:
        """Return the body of the chart of a symbol, dates inclusive; it holds a row at least.

        Raises:
            VendorRefused: Yahoo does not know the symbol, has no row of it since ``first``, or will not say.
                The message begins with the symbol.
            VendorUnavailable: there is no answer, or none that can be believed.
        """
        params: dict[str, str | int] = {
            "period1": _midnight(first),
            "period2": _midnight(last + dt.timedelta(1)),  # exclusive
            "interval": "1d",
            "includePrePost": "false",
            "events": "div,splits",
        }
        spelt = yahoo_symbol(symbol)
        try:
            answer = self._wire.chart(spelt, params)
        except VendorRefused as error:
            raise VendorRefused(f"{symbol}: {error}") from error
        chart = _chart_in(answer, symbol, first)
        if chart.symbol != house_symbol(spelt):
            raise VendorUnavailable(f"Yahoo answered for {chart.symbol}")
        if not chart.stamps:
            raise _without_rows(symbol, first)
        return answer.content

    def quotes(self, symbols: Sequence[str]) -> bytes:
        """Return the body of the quotes of symbols; those that Yahoo does not know are left out of it.

        Raises:
            VendorUnavailable: there is no answer, or none that can be believed.
        """
        try:
            answer = self._wire.quotes([yahoo_symbol(symbol) for symbol in symbols])
        except VendorRefused as error:
            raise VendorUnavailable(str(error)) from error
        if answer.status != _OK:
            text = answer.content[:_SHOWN_LENGTH].decode("utf-8", "replace")
            raise VendorUnavailable(f"Yahoo answered {answer.status}: {text!r}")
        return answer.content

    @property
    def _wire(self) -> Wire:
        if self._opened is None:
            with from_extra("yahoo", "fetching from Yahoo"):
                from condvest.batch_layer.shared.clients.yahoo.wire import Wire  # noqa: PLC0415  # imports yfinance

            self._opened = Wire(self._base_url, self._cache_dir)
        return self._opened


def _chart_in(answer: Answer, symbol: str, first: dt.date) -> Chart:
    """Return the chart in an answer, or raise what the answer means."""
    if answer.status not in (_OK, *_REFUSED):
        text = answer.content[:_SHOWN_LENGTH].decode("utf-8", "replace")
        raise VendorUnavailable(f"Yahoo answered {answer.status}: {text!r}")
    try:
        chart = read_chart(answer.content, name=f"Yahoo's answer ({answer.status})")
    except RefusedChart as error:
        raise _refusal(error, answer.status, symbol, first) from error
    except ForeignExchange as error:
        raise VendorRefused(f"{symbol}: {error}") from error
    except InputError as error:
        raise VendorUnavailable(str(error)) from error
    if answer.status != _OK:
        raise VendorUnavailable(f"Yahoo answered {answer.status} with a chart")
    return chart


def _refusal(error: RefusedChart, status: int, symbol: str, first: dt.date) -> VendorRefused:
    if error.description.startswith("Data doesn't exist"):
        return _without_rows(symbol, first)
    if error.code == "Not Found":
        return SymbolGone(
            f"{symbol}: Yahoo has no symbol {yahoo_symbol(symbol)} ({error.description}); "
            "check its spelling, or leave it out if it is delisted"
        )
    return VendorRefused(f"{symbol}: Yahoo refuses ({status} {error.code}: {error.description})")


def _without_rows(symbol: str, first: dt.date) -> VendorRefused:
    return SymbolGone(
        f"{symbol}: Yahoo knows the symbol but has no bar of it since {first}; leave it out if it is delisted"
    )


def _midnight(date: dt.date) -> int:
    """Return the seconds since the epoch at which a date begins at the exchange."""
    return int(dt.datetime.combine(date, dt.time(), EXCHANGE_ZONE).timestamp())
