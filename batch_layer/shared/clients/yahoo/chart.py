"""Yahoo's chart answer, read and checked as far as all its uses need. Pure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.clients.yahoo.symbols import house_symbol
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE

QUOTES = ("open", "high", "low", "close", "volume")

MOST_ROWS = 50_000
"""Of a chart, and of its splits or dividends each: sixty years have some 15,000 sessions."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SHOWN_LENGTH = 120


class ForeignExchange(InputError):
    """The chart is of an exchange in another time zone than New York's, with sessions of its own."""


class RefusedChart(InputError):
    """The body holds Yahoo's own words for giving no chart.

    Attributes:
        code: for example "Not Found".
        description: for example "No data found, symbol may be delisted".
    """

    def __init__(self, name: str, code: str, description: str) -> None:
        super().__init__(f"{name}: holds no chart but {code}: {description}")
        self.code, self.description = code, description


@dataclass(frozen=True, eq=False)
class Chart:
    """A chart answer; prices, volumes and amounts as Yahoo tells them, on the split basis of its instant.

    Attributes:
        symbol: as Condvest spells it.
        stamps: seconds since the epoch, one a row, in the answer's order.
        quotes: for each of QUOTES the rows' values: numbers, None, or whatever else came.
        splits, dividends: the events as they came.
        currency: what the prices are in, as Yahoo writes it; None if it does not say.
        session_ends: when the newest session's regular hours end, None if not told.
        quoted_at: the instant of the newest price, None if not told.
    """

    symbol: str
    stamps: Sequence[int]
    quotes: Mapping[str, Sequence[Any]]
    splits: Sequence[Mapping[str, Any]]
    dividends: Sequence[Mapping[str, Any]]
    currency: object
    session_ends: dt.datetime | None
    quoted_at: dt.datetime | None

    @cached_property
    def sessions(self) -> npt.NDArray[np.datetime64]:
        """The rows' dates at the exchange, datetime64[D]."""
        return np.array([date_at(stamp) for stamp in self.stamps], dtype="datetime64[D]")


def date_at(stamp: int) -> dt.date:
    """Return the exchange's date at seconds since the epoch, which may be negative."""
    return (_EPOCH + dt.timedelta(seconds=stamp)).astimezone(EXCHANGE_ZONE).date()


def read_chart(content: bytes, *, name: str) -> Chart:
    """Read the body of a chart answer for daily bars.

    A symbol without a row in the span asked for has no stamps; that is no error.

    Raises:
        InputError: it is no such body; the message begins with ``name``.
        RefusedChart: it holds Yahoo's refusal.
        ForeignExchange: it is, but its exchange is not in America/New_York.
    """
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError) as error:
        shown = content[:_SHOWN_LENGTH].decode("utf-8", "replace")
        raise InputError(f"{name}: is not JSON ({error}): {shown!r}") from error
    for family in ("chart", "finance"):
        refusal = _get(_get(answer, family), "error")
        if isinstance(refusal, dict):
            raise RefusedChart(name, str(refusal.get("code")), str(refusal.get("description")))
    results = _get(_get(answer, "chart"), "result")
    if not (isinstance(results, list) and len(results) == 1):
        raise InputError(f"{name}: is JSON but no chart of one symbol: {str(answer)[:_SHOWN_LENGTH]}")
    meta = _get(results[0], "meta")
    symbol, zone = _get(meta, "symbol"), _get(meta, "exchangeTimezoneName")
    if not (isinstance(symbol, str) and symbol and isinstance(zone, str)):
        raise InputError(f"{name}: the chart does not say its symbol and its exchange's time zone")
    if zone != EXCHANGE_ZONE.key:
        raise ForeignExchange(
            f"{name}: {symbol} trades at an exchange in {zone}; sessions here are New York's, so leave it out"
        )
    stamps = _stamps(results[0], name)
    events = _get(results[0], "events")
    return Chart(
        symbol=house_symbol(symbol),
        stamps=stamps,
        quotes=_quotes(results[0], len(stamps), name),
        splits=_events(_get(events, "splits"), name),
        dividends=_events(_get(events, "dividends"), name),
        currency=_currency(meta),
        session_ends=_instant(_get(_get(_get(meta, "currentTradingPeriod"), "regular"), "end")),
        quoted_at=_instant(_get(meta, "regularMarketTime")),
    )


def _currency(meta: object) -> object:
    """Return the currency that the chart names; "" where the key is there and empty, None without the key."""
    return (_get(meta, "currency") or "") if isinstance(meta, dict) and "currency" in meta else None


def _stamps(result: object, name: str) -> list[int]:
    stamps = _get(result, "timestamp") or []
    if not (isinstance(stamps, list) and all(_is_instant(stamp) for stamp in stamps)):
        raise InputError(f"{name}: a time stamp of the chart is no whole number of seconds")
    _check_count(len(stamps), "rows", name)
    return stamps


def _quotes(result: object, rows: int, name: str) -> dict[str, Sequence[Any]]:
    if not rows:
        return dict.fromkeys(QUOTES, ())
    quotes = _get(_get(result, "indicators"), "quote")
    given = quotes[0] if isinstance(quotes, list) and quotes else None
    columns: dict[str, Sequence[Any]] = {}
    for column in QUOTES:
        values = _get(given, column)
        if not isinstance(values, list) or len(values) != rows:
            count = len(values) if isinstance(values, list) else 0
            raise InputError(f"{name}: the chart has {rows:,} time stamps and {count:,} values of {column}")
        columns[column] = values
    return columns


def _events(events: object, name: str) -> list[Mapping[str, Any]]:
    """Return events in the order of their dates, however they came."""
    rows = list(events.values()) if isinstance(events, dict) else events or []
    if not isinstance(rows, list):
        raise InputError(f"{name}: the chart's events are no list: {str(events)[:_SHOWN_LENGTH]}")
    _check_count(len(rows), "splits or dividends", name)
    for event in rows:
        if not _is_instant(_get(event, "date")):
            raise InputError(f"{name}: an event has no date: {str(event)[:_SHOWN_LENGTH]}")
    return sorted(rows, key=lambda event: int(event["date"]))


def _check_count(count: int, what: str, name: str) -> None:
    if count > MOST_ROWS:
        raise InputError(f"{name}: the chart has {count:,} {what}, where at most {MOST_ROWS:,} are taken")


def _instant(stamp: object) -> dt.datetime | None:
    return _EPOCH + dt.timedelta(seconds=stamp) if _is_instant(stamp) else None


def _is_instant(stamp: object) -> TypeGuard[int]:
    # Through year 9999, so that it can be a date.
    return isinstance(stamp, int) and not isinstance(stamp, bool) and abs(stamp) < 2**37


def _get(value: object, key: str) -> Any:  # noqa: ANN401  # JSON may hold anything
    """Return a member of a JSON object, None if there is none or the value is no object."""
    return value.get(key) if isinstance(value, dict) else None
