"""What the exchanges do now, and their holidays to come; pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batch_layer.shared.clients.massive.answers import read_json
from batch_layer.shared.clients.massive.columns import shown
from batch_layer.shared.errors import InputError


@dataclass(frozen=True)
class MarketStatus:
    """What the market does now.

    Attributes:
        market: ``open``, ``closed`` or ``extended-hours``.
        server_time: the vendor's clock, an aware datetime.
        exchanges: the same word, by exchange (``nyse``, ``nasdaq``, ``otc``).
        is_early_hours, is_after_hours: whether trading before the open, or after the close, goes on.
    """

    market: str
    server_time: dt.datetime
    exchanges: Mapping[str, str]
    is_early_hours: bool
    is_after_hours: bool


@dataclass(frozen=True)
class MarketHoliday:
    """A day on which an exchange does not trade, or closes early.

    Attributes:
        date: in the exchange's time zone.
        exchange: ``NYSE``, ``NASDAQ`` ...
        name: of the holiday.
        is_early_close: whether it trades, for some hours.
        opens_at, closes_at: the hours of an early close, aware datetimes; None if it does not trade.
    """

    date: dt.date
    exchange: str
    name: str
    is_early_close: bool
    opens_at: dt.datetime | None
    closes_at: dt.datetime | None


def read_market_status(body: bytes) -> MarketStatus:
    """Read the market's status.

    Raises:
        InputError: the body is no such answer.
    """
    value = read_json(body)
    try:
        return MarketStatus(
            market=_text(value, "market"),
            server_time=_instant(_text(value, "serverTime")),
            exchanges={str(name): str(word) for name, word in value["exchanges"].items()},
            is_early_hours=bool(value.get("earlyHours")),
            is_after_hours=bool(value.get("afterHours")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"no market status: {shown(value)} ({error})") from error


def read_market_holidays(body: bytes) -> tuple[MarketHoliday, ...]:
    """Read the holidays and early closes to come, in the answer's order.

    Raises:
        InputError: the body is no such answer.
    """
    value = read_json(body)
    if not isinstance(value, list):
        raise InputError(f"no list of holidays: {shown(value)}")
    try:
        return tuple(_holiday(one) for one in value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"no list of holidays: {error}") from error


def _holiday(value: Any) -> MarketHoliday:  # noqa: ANN401  # what JSON may hold
    opens_at, closes_at = value.get("open"), value.get("close")
    return MarketHoliday(
        date=dt.date.fromisoformat(_text(value, "date")),
        exchange=_text(value, "exchange"),
        name=_text(value, "name"),
        is_early_close=_text(value, "status") == "early-close",
        opens_at=_instant(opens_at) if opens_at else None,
        closes_at=_instant(closes_at) if closes_at else None,
    )


def _text(value: Any, key: str) -> str:  # noqa: ANN401  # what JSON may hold
    text = value[key]
    if not isinstance(text, str):
        raise TypeError(f"{key} is {shown(text)}")
    return text


def _instant(text: str) -> dt.datetime:
    instant = dt.datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return instant
