"""Values of a manifest's JSON, checked: a damaged one may hold anything. Pure."""

from __future__ import annotations

import datetime as dt

_FIRST_YEAR, _LAST_YEAR = 1000, 9999


def count_of(value: object) -> int:
    """Return a count; ValueError if it is none."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def first_year_of(value: object) -> int | None:
    """Return a year of four digits, or None; ValueError if it is neither."""
    if value is not None and (type(value) is not int or not _FIRST_YEAR <= value <= _LAST_YEAR):
        raise ValueError(f"{value!r} is no year")
    return value


def instant_of(text: str) -> dt.datetime:
    """Return an aware datetime; ValueError if it is none."""
    instant = dt.datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text} names no zone")
    return instant


def date_of(text: str | None) -> dt.date | None:
    """Return a date, or None; ValueError if it is neither."""
    return dt.date.fromisoformat(text) if text else None
