"""The body of Yahoo's chart endpoint."""

from __future__ import annotations

import datetime as dt

import numpy as np

from tests.support.emulators.synthetic.sessions import NEW_YORK, new_york, new_york_date
from tests.support.emulators.yahoo.history import History

RANGES = {"1d": 1, "5d": 5, "1mo": 31, "3mo": 92, "6mo": 183, "1y": 365, "2y": 730, "5y": 1826, "10y": 3652}
_VALID_RANGES = [*RANGES, "ytd", "max"]


def stamp(session: dt.date) -> int:
    """Return the seconds since the epoch under which Yahoo files a session: its open, 9:30 in New York."""
    return int(new_york(session, 9, 30).timestamp())


def not_found() -> dict:
    """Return the body for a symbol that Yahoo does not have (status 404)."""
    return _error("Not Found", "No data found, symbol may be delisted")


def no_rows(period1: int, period2: int) -> dict:
    """Return the body for a span without any row (status 400)."""
    return _error("Bad Request", f"Data doesn't exist for startDate = {period1}, endDate = {period2}")


def bad_interval(interval: str) -> dict:
    """Return the body for an interval that is not served (status 422)."""
    return _error("Unprocessable Entity", f"Invalid input - interval={interval} is not supported")


def chart(
    history: History,
    query: dict[str, str],
    now: dt.datetime,
    *,
    nulls: list[str] = (),
    gaps: list[str] = (),
) -> dict | None:
    """Return the chart's body, None if no row lies within the span.

    Args:
        history: as traded.
        query: period1 and period2 (seconds, the second exclusive) or range; events.
        now: splits through this instant are in the prices.
        nulls: ISO dates whose row is there with null for every value.
        gaps: ISO dates whose row is not there.
    """
    today = new_york_date(now)
    stamps = np.array([stamp(session) for session in history.session.tolist()], dtype=np.int64)
    period1, period2 = _span(query, now)
    dates = np.datetime_as_string(history.session)
    inside = (stamps >= period1) & (stamps < period2) & ~np.isin(dates, list(gaps))
    if query.get("range") == "1d":
        inside &= np.arange(len(stamps)) == len(stamps) - 1
    if not inside.any():
        return None
    factor = history.split_factor(today)
    empty = np.isin(dates[inside], list(nulls))
    close = history.close * factor
    quote = {
        name: _single((getattr(history, name) * factor)[inside], empty)
        for name in ("open", "high", "low", "close")
    }
    volume = np.rint(history.volume / factor).astype(np.int64)[inside]
    quote["volume"] = [None if gone else int(value) for value, gone in zip(volume, empty, strict=True)]
    adjusted = _single(history.adjusted_close(close, today)[inside], empty)
    result = {"meta": _meta(history, float(np.float32(close[-1])), stamps, now, query)}
    result["timestamp"] = stamps[inside].tolist()
    events = _events(history, today, query, (period1, period2))
    if events:
        result["events"] = events
    result["indicators"] = {"quote": [quote], "adjclose": [{"adjclose": adjusted}]}
    return {"chart": {"result": [result], "error": None}}


def _span(query: dict[str, str], now: dt.datetime) -> tuple[int, int]:
    end = int(now.timestamp())
    if "period1" in query:
        return int(float(query["period1"])), int(float(query.get("period2", end)))
    word = query.get("range", "1mo")
    if word == "max":
        return -(10**11), end
    if word == "ytd":
        return int(new_york(new_york_date(now).replace(month=1, day=1)).timestamp()), end
    return (end - 86_400 * RANGES.get(word, 31) if word != "1d" else -(10**11)), end


def _events(history: History, today: dt.date, query: dict[str, str], span: tuple[int, int]) -> dict:
    """Return the splits and dividends within a span, as far as the query asks for them."""
    wanted, events = query.get("events", "").split(","), {}
    dividends = {
        str(stamp(ex_date)): {"amount": round(amount, 6), "date": stamp(ex_date)}
        for ex_date, amount in history.adjusted_dividends(today)
        if span[0] <= stamp(ex_date) < span[1]
    }
    splits = {
        str(stamp(ex_date)): {
            "date": stamp(ex_date),
            "numerator": float(split_to),
            "denominator": float(split_from),
            "splitRatio": f"{split_to:g}:{split_from:g}",
        }
        for ex_date, split_from, split_to in history.splits
        if ex_date <= today and span[0] <= stamp(ex_date) < span[1]
    }
    if dividends and {"div", "dividends"} & set(wanted):
        events["dividends"] = dividends
    if splits and {"split", "splits"} & set(wanted):
        events["splits"] = splits
    return events


def _meta(history: History, last: float, stamps: np.ndarray, now: dt.datetime, query: dict[str, str]) -> dict:
    offset = int(now.astimezone(NEW_YORK).utcoffset().total_seconds())
    today = new_york_date(now)
    hours = {"pre": (4, 0, 9, 30), "regular": (9, 30, 16, 0), "post": (16, 0, 20, 0)}
    return {
        "currency": "USD",
        "symbol": history.symbol,
        "exchangeName": "NMS",
        "fullExchangeName": "NasdaqGS",
        "instrumentType": history.kind,
        "firstTradeDate": int(stamps[0]),
        "regularMarketTime": int(stamps[-1]) + 23_400,
        "hasPrePostMarketData": True,
        "gmtoffset": offset,
        "timezone": now.astimezone(NEW_YORK).tzname(),
        "exchangeTimezoneName": "America/New_York",
        "regularMarketPrice": last,
        "chartPreviousClose": last,
        "priceHint": 2,
        "currentTradingPeriod": {
            name: {
                "timezone": now.astimezone(NEW_YORK).tzname(),
                "start": int(new_york(today, *clock[:2]).timestamp()),
                "end": int(new_york(today, *clock[2:]).timestamp()),
                "gmtoffset": offset,
            }
            for name, clock in hours.items()
        },
        "dataGranularity": "1d",
        "range": query.get("range", ""),
        "validRanges": _VALID_RANGES,
    }


def _single(values: np.ndarray, empty: np.ndarray) -> list[float | None]:
    """Return values as Yahoo's single-precision floats, None where the row is empty."""
    singles = values.astype(np.float32).astype(np.float64).tolist()
    return [None if gone else value for value, gone in zip(singles, empty, strict=True)]


def _error(code: str, description: str) -> dict:
    return {"chart": {"result": None, "error": {"code": code, "description": description}}}
