"""TradingView's Universal Data Feed: what its charts ask a server, and how they are answered. Pure.

Times are seconds since 1970. A bar's is midnight UTC of its window's first session, as TradingView wants of
bars of days. A bar whose window has not ended yet is given as any chart gives its last one, with a mark.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.settings import INTERVALS

Record = dict[str, Any]

RESOLUTIONS: Mapping[str, int] = {f"{n}D": n for n in (1, *INTERVALS)}
"""TradingView's names of the bars that are given, and their sessions."""

_COLUMNS = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
_DAY = 86_400
_EARLIEST = dt.date(1, 1, 1)
_DEAREST_PENNY = 1.0
"""Prices below it are shown with four decimals."""


def config() -> Record:
    """Return what the feed can do."""
    return {
        "supported_resolutions": list(RESOLUTIONS),
        "supports_search": True,
        "supports_group_request": False,
        "supports_marks": True,
        "supports_timescale_marks": True,
        "supports_time": True,
        "exchanges": [{"value": "", "name": "All exchanges", "desc": ""}],
        "symbols_types": [{"value": "", "name": "All types"}],
    }


def interval_of(resolution: str) -> int:
    """Return the sessions of a bar of a resolution.

    Raises:
        UsageError: there are no such bars.
    """
    name = {"D": "1D", "1": ""}.get(resolution, resolution)
    if name not in RESOLUTIONS:
        raise UsageError(f"resolution {resolution!r}: choose one of {', '.join(RESOLUTIONS)}")
    return RESOLUTIONS[name]


def date_before(name: str, text: str) -> dt.date:
    """Return the last date whose midnight lies before an instant, and which has a day after it.

    Raises:
        UsageError: the text is no number of seconds.
    """
    try:
        days = (int(text) - 1) // _DAY
    except ValueError as error:
        raise UsageError(f"{name} {text!r}: expected seconds since 1970") from error
    earliest, latest = (_days(date) for date in (_EARLIEST, dt.date.max))
    return dt.date(1970, 1, 1) + dt.timedelta(days=min(max(days, earliest), latest - 1))


def symbol_info(symbol: str, known: Mapping[str, Any], last_close: float | None) -> Record:
    """Return what a chart has to know of a symbol.

    Args:
        symbol: as it was asked for.
        known: name, type and exchange of its instrument, as far as they are known.
        last_close: its newest close, which says how many decimals there are; None if it has none.
    """
    is_penny = last_close is not None and last_close < _DEAREST_PENNY
    exchange = known.get("exchange") or ""
    return {
        "name": symbol,
        "ticker": symbol,
        "description": known.get("name") or symbol,
        "type": "stock",
        "exchange": exchange,
        "listed_exchange": exchange,
        "session": "0930-1600",
        "timezone": "America/New_York",
        "minmov": 1,
        "pricescale": 10_000 if is_penny else 100,
        "has_intraday": False,
        "has_daily": True,
        "has_weekly_and_monthly": False,
        "daily_multipliers": [str(n) for n in RESOLUTIONS.values()],
        "supported_resolutions": list(RESOLUTIONS),
        "volume_precision": 0,
        "data_status": "endofday",
        "format": "price",
    }


def matching(instruments: Sequence[Mapping[str, Any]], query: str, limit: int) -> list[Record]:
    """Return the instruments whose symbol or name holds a text, the nearest first; case does not count.

    Args:
        instruments: each with symbol, and name, type and exchange as far as they are known.
        query: the text.
        limit: how many at most.
    """
    text = query.lower()

    def distance(row: Mapping[str, Any]) -> tuple[bool, bool, bool, str]:
        symbol = str(row["symbol"])
        return symbol != query, symbol.lower() != text, not symbol.lower().startswith(text), symbol

    matches = [
        row
        for row in instruments
        if text in str(row["symbol"]).lower() or text in str(row.get("name") or "").lower()
    ]
    return [
        {
            "symbol": row["symbol"],
            "full_name": row["symbol"],
            "ticker": row["symbol"],
            "description": row.get("name") or row["symbol"],
            "exchange": row.get("exchange") or "",
            "type": "stock",
        }
        for row in sorted(matches, key=distance)[:limit]
    ]


def history(bars: pa.Table, since: dt.date, countback: int | None) -> Record:
    """Return bars that begin before the end of what is asked for.

    Args:
        bars: columns of `condvest.bars`, of one symbol, up to that end.
        since: none begins earlier, unless more are counted back.
        countback: how many are asked for, counted back from the end; None for all since ``since``.

    An open that is unknown is null. A chart that asks for a stretch without bars is told where the next
    earlier one begins, so that it does not go through years one by one.
    """
    begins = bars["first_session"].to_pylist()
    first = next((at for at, date in enumerate(begins) if date >= since), len(bars))
    if first == len(bars):
        return {"s": "no_data"} | ({"nextTime": time_of(begins[-1])} if begins else {})
    if countback is not None:
        first = max(len(bars) - countback, 0)
    given = bars.slice(first)
    columns = {key: given[name].to_pylist() for key, name in _COLUMNS.items()}
    return {"s": "ok", "t": [time_of(date) for date in begins[first:]], **columns}


def marks(bars: pa.Table, splits: pa.Table, dividends: pa.Table) -> list[Record]:
    """Return a mark for each split, each dividend, and a bar that has not ended; each at its bar's time.

    All are of one symbol. What lies in none of the bars has no mark.
    """
    texts = [
        (
            row["ex_date"],
            "S",
            "red",
            _split(row),
        )
        for row in splits.to_pylist()
    ]
    texts += [
        (row["ex_date"], "D", "green", f"Dividend {row['cash_amount']:g} on {row['ex_date']}")
        for row in dividends.to_pylist()
    ]
    rows = bars.select(["first_session", "last_session", "sessions", "is_complete"]).to_pylist()
    found_marks = [
        _mark(row["first_session"], label, color, text)
        for row in rows
        for date, label, color, text in texts
        if row["first_session"] <= date <= row["last_session"]
    ]
    if rows and not rows[-1]["is_complete"]:
        row = rows[-1]
        text = f"Not complete: {row['sessions']} sessions, the window ends on {row['last_session']}"
        found_marks.append(_mark(row["first_session"], "O", "blue", text))
    return found_marks


def on_timescale(given: Sequence[Record]) -> list[Record]:
    """Return the marks in the form of those below the chart."""
    return [
        {key: mark[key] for key in ("id", "time", "color", "label")} | {"tooltip": [mark["text"]]}
        for mark in given
    ]


def time_of(date: dt.date) -> int:
    """Return midnight UTC of a date, in seconds since 1970."""
    return _days(date) * _DAY


def _days(date: dt.date) -> int:
    return (date - dt.date(1970, 1, 1)).days


def _mark(begins: dt.date, label: str, color: str, text: str) -> Record:
    return {
        "id": f"{label}-{text}",
        "time": time_of(begins),
        "color": color,
        "text": text,
        "label": label,
        "labelFontColor": "white",
        "minSize": 14,
    }


def _split(row: Mapping[str, Any]) -> str:
    return f"Split {row['split_to']:g} for {row['split_from']:g} on {row['ex_date']}"
