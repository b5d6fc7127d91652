"""A session's grouped answer: the daily bars of the whole market; pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import numpy as np

from condvest.batch_layer.shared.clients.massive import columns
from condvest.batch_layer.shared.clients.massive.answers import read_results
from condvest.batch_layer.shared.clients.massive.faults import Faults, Values, shown
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.given_rows import GivenRows
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.batch_layer.shared.models.given.payloads import Parsed
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE

_KEYS = {
    "symbol": "T",
    "open": "o",
    "high": "h",
    "low": "l",
    "close": "c",
    "volume": "v",
    "vwap": "vw",
    "trades": "n",
    "time": "t",
    "otc": "otc",
}
"""Massive's keys, by what they hold."""

_REQUIRED = ("open", "high", "low", "close", "volume")


def read_grouped(body: bytes, session: dt.date) -> Parsed:
    """Read the daily bars (BarRows) of a grouped answer.

    The session is the one asked for; each row's time stamp ``t`` (milliseconds since the epoch, the end or
    the start of the bar) must lie on its date in America/New_York. A row whose stamp does not is a fault of
    the row; if most rows' stamps agree on another date, it is the answer of another session. A value that
    cannot be read is a fault of its row, and so is a key that is missing, except ``vw`` and ``n``.
    ``line`` counts the rows from 1.

    Raises:
        InputError: the body is no grouped answer, or that of another session (the message has both dates),
            or holds adjusted prices.
    """
    value = read_results(body)
    if value.get("adjusted") is True:
        raise InputError("prices adjusted for later splits, where prices as traded were asked for")
    results = value["results"]
    if not isinstance(results, list):
        raise InputError(f"results that are no list: {shown(results)}")
    faults = Faults()
    rows = columns.objects(results, faults)
    given = {name: columns.values_of(rows, key) for name, key in _KEYS.items()}
    _check_sessions(given["time"], session, faults)
    values: dict[str, Any] = {
        "line": np.arange(1, len(rows) + 1, dtype=np.int64),
        "symbol": columns.texts(given["symbol"], "symbol", faults, required=True),
        "session": np.full(len(rows), np.datetime64(session, "D")),
        **{name: columns.numbers(given[name], name, faults, required=True) for name in _REQUIRED},
        "vwap": columns.numbers(given["vwap"], "vwap", faults),
        "trades": columns.counts(given["trades"], "trades", faults),
    }
    source = GivenRows({key: given[name] for name, key in _KEYS.items()}, len(rows))
    return Parsed(rows=BarRows(**values), faults=faults, source=source)


def _check_sessions(stamps: Values, session: dt.date, faults: Faults) -> None:
    """Note the rows of other dates, or refuse the answer if it is another session's."""
    if _agree(stamps, session):
        return
    keys = list(map(_key, stamps))
    date_of = {stamp: _date_of(stamp) for stamp in set(keys)}
    dates = [date_of[key] for key in keys]
    commonest = Counter(date for date in dates if date is not None).most_common(1)
    if commonest and commonest[0][0] != session:
        raise InputError(
            f"the bars of {commonest[0][0]} in the place of those of {session}: {commonest[0][1]:,} of "
            f"{len(stamps):,} time stamps say so (t, in America/New_York)"
        )
    for row, (stamp, date) in enumerate(zip(stamps, dates, strict=True)):
        if stamp is None:
            faults.note(row, "t: missing")
        elif date is None:
            faults.note(row, f"t: {shown(stamp)} is no instant in milliseconds")
        elif date != session:
            faults.note(row, f"t: {stamp} is on {date} in America/New_York, not on {session}")


def _agree(stamps: Values, session: dt.date) -> bool:
    """Return whether all stamps are on the session's date: they are few different ones."""
    try:
        different = set(stamps)
    except TypeError:  # a list has no hash
        return False
    return all(_date_of(_key(stamp)) == session for stamp in different)


def _key(stamp: object) -> float | int | None:
    """Return a stamp that is a number, None for whatever else (true is none, and a list has no hash)."""
    return stamp if isinstance(stamp, int | float) and not isinstance(stamp, bool) else None


def _date_of(stamp: float | None) -> dt.date | None:
    try:
        return None if stamp is None else dt.datetime.fromtimestamp(stamp / 1000, EXCHANGE_ZONE).date()
    except (ValueError, OverflowError, OSError):
        return None
