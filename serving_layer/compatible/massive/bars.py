"""Bars as Massive writes them.

Numbers are those of `condvest.bars`, to the bit. A value that is unknown has no key.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE

Results = list[dict[str, Any]]

_KEYS = {
    "volume": "v",
    "vwap": "vw",
    "open": "o",
    "close": "c",
    "high": "h",
    "low": "l",
    "trades": "n",
}
"""Massive's keys, by our columns."""


def aggregates(bars: pa.Table) -> Results:
    """Return the results of a range: one object per bar of the table, in its order.

    Args:
        bars: columns of `condvest.bars`. ``t`` is midnight in New York of ``first_session``, in milliseconds
            since 1970, as Massive's is the beginning of a bar.
    """
    started: dict[dt.date, int] = {}
    for date in bars["first_session"].unique().to_pylist():
        started[date] = _milliseconds(dt.datetime.combine(date, dt.time(), EXCHANGE_ZONE))
    rows = _rows(bars)
    for row, date in zip(rows, bars["first_session"].to_pylist(), strict=True):
        row["t"] = started[date]
    return rows


def grouped(bars: pa.Table, symbols: Sequence[str], closes_at: dt.datetime) -> Results:
    """Return the results of a session: one object per bar, by symbol.

    Args:
        bars: daily bars of one session.
        symbols: that each row's instrument carried on that date; in the rows' order.
        closes_at: the session's close; ``t`` is it, as Massive's is the end of the bar.
    """
    stamp = _milliseconds(closes_at)
    rows = [{"T": symbol, **row, "t": stamp} for symbol, row in zip(symbols, _rows(bars), strict=True)]
    return sorted(rows, key=lambda row: str(row["T"]))


def previous(symbol: str, bar: pa.Table, closes_at: dt.datetime) -> Results:
    """Return the results of the newest daily bar, which ``bar`` holds."""
    return grouped(bar, [symbol], closes_at)


def open_close(symbol: str, bar: pa.Table) -> dict[str, Any]:
    """Return the answer for one daily bar. What came before the open and after the close is not known."""
    row = bar.to_pylist()[0]
    prices = {name: row[name] for name in ("open", "high", "low", "close", "volume") if row[name] is not None}
    return {"status": "OK", "from": row["last_session"].isoformat(), "symbol": symbol, **prices}


def with_results(head: Mapping[str, Any], results: Results) -> dict[str, Any]:
    """Return an answer about bars; without results it has no such key, as Massive's has none."""
    answer = {**head, "queryCount": len(results), "resultsCount": len(results), "status": "OK"}
    return answer | ({"results": results, "count": len(results)} if results else {})


def _rows(bars: pa.Table) -> Results:
    columns = [(key, bars[name].to_pylist()) for name, key in _KEYS.items()]
    keys = [key for key, _ in columns]
    return [
        {key: value for key, value in zip(keys, values, strict=True) if value is not None}
        for values in zip(*(values for _, values in columns), strict=True)
    ]


def _milliseconds(instant: dt.datetime) -> int:
    return round(instant.timestamp() * 1000)
