"""Which session a cell means: a date, a midnight, or nanoseconds since the epoch.

A session is a date of the exchange. A cell that holds an instant must be 00:00 in the zone that the file's
options name: the exchange's (America/New_York) unless they say UTC. Its date there is the session; any other
hour is a fault, for its session would be a guess. A time without a zone is taken as it stands.

A reader returns a datetime64[D], or what is wrong as text.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from functools import partial
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE, Dates

UTC = ZoneInfo("UTC")

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})|([0-9]{4})([0-9]{2})([0-9]{2})")
_PLAIN_DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_FIRST_DATE = np.datetime64("0001-01-01", "D")
"""There is no year 0."""
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6}0*)?)?"
    r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)?"
)
_WHOLE = re.compile(r"-?[0-9]{1,20}")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_SHOWN_LENGTH = 40

Session = np.datetime64 | str


def session_of_text(text: str, zone: ZoneInfo = EXCHANGE_ZONE) -> Session:
    """Read ``YYYY-MM-DD``, ``YYYYMMDD``, or an ISO 8601 timestamp at midnight in ``zone``."""
    shown = repr(text[:_SHOWN_LENGTH])
    try:
        if date := _DATE.fullmatch(text):
            year, month, day = (int(part) for part in date.groups() if part)
            return np.datetime64(dt.date(year, month, day), "D")
        if _INSTANT.fullmatch(text):
            return _midnight(dt.datetime.fromisoformat(text), shown, zone)
    except (ValueError, OverflowError):  # 2024-02-30, 25:00, year 0
        return f"{shown} is not a date"
    return f"{shown} is not a date (YYYY-MM-DD)"


def plain_dates(texts: pa.Array) -> Dates | None:
    """Return dates of the form ``YYYY-MM-DD``, all at once, and NaT behind them; None if one is not.

    Args:
        texts: the distinct cells of a column, none of them null.
    """
    if not pc.all(pc.match_substring_regex(texts, _PLAIN_DATE), min_count=0).as_py():
        return None
    try:
        cast = texts.cast(pa.date32())
    except pa.ArrowInvalid:  # 2024-02-30
        return None
    dates: Dates = np.append(cast.to_numpy(zero_copy_only=False), np.datetime64("NaT", "D"))
    return None if (dates[:-1] < _FIRST_DATE).any() else dates


def session_of_nanoseconds(text: str) -> Session:
    """Read nanoseconds since the epoch, as in the column ``window_start`` of a Massive flat file."""
    if not _WHOLE.fullmatch(text):
        return f"{text[:_SHOWN_LENGTH]!r} is not a number of nanoseconds"
    return _session_of_instant(int(text), unit="ns", is_aware=True, zone=EXCHANGE_ZONE)


def session_of_timestamps(
    unit: str, *, is_aware: bool, zone: ZoneInfo = EXCHANGE_ZONE
) -> Callable[[int], Session]:
    """Return the reader of a typed timestamp's integers.

    Args:
        unit: ``s``, ``ms``, ``us`` or ``ns``, since the epoch.
        is_aware: whether they are instants, or else times on a clock, whose date is taken as it stands.
        zone: in which zone an instant is 00:00.
    """
    return partial(_session_of_instant, unit=unit, is_aware=is_aware, zone=zone)


def _session_of_instant(count: int, *, unit: str, is_aware: bool, zone: ZoneInfo) -> Session:
    seconds, rest = divmod(count * _NANOSECONDS[unit], 1_000_000_000)
    try:
        instant = _EPOCH + dt.timedelta(seconds=seconds, microseconds=bool(rest))
        return _midnight(instant if is_aware else instant.replace(tzinfo=None), str(count), zone)
    except (ValueError, OverflowError):
        return f"{count} is not an instant of the years 1 to 9999"


def _midnight(instant: dt.datetime, shown: str, zone: ZoneInfo) -> Session:
    if instant.tzinfo is not None:
        instant = instant.astimezone(zone)
    if instant.time() != dt.time():
        return f"{shown} is {instant:%Y-%m-%d %H:%M:%S} in {zone.key}, not midnight"
    return np.datetime64(instant.date(), "D")
