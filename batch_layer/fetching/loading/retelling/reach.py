"""Which archived payloads may hold rows of which dates, by their keys alone."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.shared.models.bars import Int64s
from condvest.batch_layer.shared.models.difference import unpack

CHART_MARGIN = dt.timedelta(days=60)
"""A chart may list splits and dividends so long before the first session asked for, and any time after."""

_EVER, _FOREVER = dt.date.min.isoformat(), dt.date.max.isoformat()


def dates_of_keys(load: PayloadLoad, dataset: str, keys: Int64s) -> list[str]:
    """Return the dates of keys (see `pack`) as ISO texts, ascending, each once."""
    _, number = unpack(keys)
    distinct = np.unique(number)
    dates = load.sessions.dates_of(distinct) if dataset == "daily_bars" else distinct.astype("datetime64[D]")
    return [str(date) for date in dates]


def may_concern(archive_key: str, dataset: str, dates: Sequence[str]) -> bool:
    """Return whether a payload may hold rows of a data set of one of some dates (ascending)."""
    first, last = _reach(archive_key, dataset)
    at = bisect_left(dates, first)
    return at < len(dates) and dates[at] <= last


def reaches(archive_key: str, dataset: str, first: dt.date, last: dt.date) -> bool:
    """Return whether a payload may hold rows of a data set from a date to another, both inclusive."""
    least, greatest = _reach(archive_key, dataset)
    return least <= last.isoformat() and first.isoformat() <= greatest


def is_undated(archive_key: str) -> bool:
    """Return whether a payload was asked for no dates: of what it leaves out, it says nothing."""
    return archive_key.split("/")[2] == "all"


def _reach(archive_key: str, dataset: str) -> tuple[str, str]:
    """Return from which date to which a payload may hold rows.

    The key ``massive/daily_bars/2024-05-30..2024-05-31/...`` holds no row of another date; ``all`` may.
    """
    if is_undated(archive_key):
        return _EVER, _FOREVER
    _, kind, asked = archive_key.split("/")[:3]
    first, _, last = asked.partition("..")
    if kind == "chart" and dataset != "daily_bars":
        return (dt.date.fromisoformat(first) - CHART_MARGIN).isoformat(), _FOREVER
    return first, last or first
