"""Under which ticker Lean looks for a stock on each date: none that another company's bars lie under. Pure.

Lean knows a bar by a ticker and a date alone. So the tickers of two stocks never meet on a date, not even
where the stocks have no bars: Lean would find the other's::

    12 carried X to 06-13, bars to 06-13        X to 06-13, where its map file ends
    17 carried OLD to 05-31, X from 06-14       OLD to 05-31, x_17 between, for X is 12's, X from 06-14
    30 carries ABCp, 31 carries ABCP            abcp_ and abcp, for case does not count
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence

from condvest.batch_layer.shared.models.instruments.symbols import SymbolSpan

_DAY = dt.timedelta(days=1)

Ticker = tuple[str, dt.date]
"""A ticker and its last date, inclusive; FOREVER if it has none."""


class Tickers:
    """The tickers of all stocks.

    Args:
        spans: per instrument, all symbols that it carried, ascending by date; of every instrument, exported
            or not.
    """

    def __init__(self, spans: Mapping[int, Sequence[SymbolSpan]]) -> None:
        self._spans = spans
        carriers = {(span.symbol, each) for each, carried in spans.items() for span in carried}
        self._carriers = Counter(symbol for symbol, _ in carriers)
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()
        # Of symbols that differ in case alone, the one in capitals keeps its name.
        for symbol in sorted(self._carriers, key=lambda each: (each != each.upper(), each)):
            self._names[symbol] = self._free(_ticker(symbol), "_")

    def of(self, instrument_id: int, first: dt.date, last: dt.date, *, is_gone: bool) -> list[Ticker]:
        """Return the tickers of a stock from its first bar on, by date, none twice in a row.

        Args:
            instrument_id: of the stock; it carries or carried a symbol.
            first: the date of its first bar.
            last: the date of its last bar.
            is_gone: whether it ends with its last bar; if not, it ends when it carries no symbol any more,
                but not before its last bar.
        """
        carried = self._spans[instrument_id]
        end = last if is_gone else max(last, carried[-1].last)
        tickers: list[Ticker] = []
        after = first
        for span in carried:
            if span.last < after or span.first > end:
                continue
            if span.first > after:
                tickers.append((self._beside(instrument_id, span.symbol), span.first - _DAY))
            tickers.append((self._names[span.symbol], min(span.last, end)))
            if span.last >= end:
                break
            after = span.last + _DAY
        if not tickers or tickers[-1][1] < end:
            tickers.append((self._beside(instrument_id, carried[-1].symbol), end))
        following = [ticker for ticker, _ in tickers[1:]]
        ends = [at for at, ticker in enumerate([*following, None]) if ticker != tickers[at][0]]
        return [tickers[at] for at in ends]

    def _beside(self, instrument_id: int, symbol: str) -> str:
        """Return the ticker of a stock on dates when it carried no symbol, its next or last one given."""
        if self._carriers[symbol] == 1:
            return self._names[symbol]
        own = f"{symbol}#{instrument_id}"
        if own not in self._names:
            self._names[own] = self._free(f"{_ticker(symbol)}_{instrument_id}", "_")
        return self._names[own]

    def _free(self, name: str, more: str) -> str:
        while name in self._taken:
            name += more
        self._taken.add(name)
        return name


def _ticker(symbol: str) -> str:
    """Return a symbol as Lean's file names have it."""
    return "".join(sign if sign.isalnum() or sign in ".-" else "_" for sign in symbol.lower())
