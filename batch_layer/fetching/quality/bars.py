"""Judge daily bars."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from condvest.batch_layer.fetching.quality.rules import (
    LARGEST,
    MOST_TRADES,
    Refusals,
    beyond_bounds,
    not_finite,
    not_positive,
)
from condvest.batch_layer.fetching.quality.verdict import Verdict
from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES, Bools, Floats, Int32s
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.batch_layer.shared.models.sessions import NO_ORDINAL, Sessions

_PRICES = ("open", "high", "low", "close")

RANGE_TOLERANCE = 1e-12
"""By how much of itself a price may cross the low or high.

Prices that a library has adjusted are products, each rounded for itself, so that an open that was the high
may come out some last bits (2.2e-16 each) above it. The stored range is widened to hold them.
"""


def judge_bars(
    rows: BarRows,
    faults: Mapping[int, str],
    sessions: Sessions,
    last_closed: int,
    bounds: tuple[dt.date, dt.date] | None = None,
) -> Verdict:
    """Decide which daily bars may be loaded.

    The order of the rows decides nothing but which of several copies is the one that passes. An open of 0
    beside good prices is unknown, not wrong: Yahoo's charts of the sixties and seventies have no other.

    Args:
        rows: as parsed.
        faults: of the parsing, by row.
        sessions: the calendar.
        last_closed: ordinal of the last session that the exchange has closed.
        bounds: first and last session asked for, inclusive; None where the payload alone says.
    """
    refusals = Refusals(rows.symbol, rows.session)
    refusals.refuse_faults(faults)
    refusals.refuse_names("session")
    with np.errstate(invalid="ignore"):  # comparisons with NaN; such rows are refused before
        is_known = ~_lacks_open(rows)
        # Judged as if it had opened where it closed: by what is known.
        _judge_values(rows if is_known.all() else _opened_at_close(rows, ~is_known), refusals)
    ordinal = sessions.ordinals_of(rows.session)
    _judge_sessions(rows, ordinal, refusals, sessions, last_closed)
    if bounds is not None:
        first, last = (np.datetime64(bound, "D") for bound in bounds)
        refusals.refuse(
            "outside_payload",
            (rows.session < first) | (rows.session > last),
            lambda _: f"outside the sessions asked for, {first}..{last}",
        )
    columns = (*_PRICES, "volume", "vwap", "trades")
    return refusals.verdict(ordinal, *(getattr(rows, column) for column in columns))


def _lacks_open(rows: BarRows) -> Bools:
    """Return which rows have an open of 0 and three good prices, and are the only ones of their session.

    One beside a row with an open is what a vendor gives before the open is there: the other counts.
    """
    lacks: Bools = (rows.open == 0) & (rows.high > 0) & (rows.low > 0) & (rows.close > 0)
    if lacks.any():
        given = list(zip(rows.symbol.tolist(), rows.session.tolist(), strict=True))
        with_open = {given[row] for row in np.flatnonzero(~lacks).tolist()}
        lacks &= np.fromiter((key not in with_open for key in given), dtype=np.bool_, count=len(given))
    return lacks


def _opened_at_close(rows: BarRows, chosen: Bools) -> BarRows:
    return replace(rows, open=np.where(chosen, rows.close, rows.open))


def _judge_values(rows: BarRows, refusals: Refusals) -> None:
    open_, high, low, close = (getattr(rows, name) for name in _PRICES)
    for name in (*_PRICES, "volume"):
        values = getattr(rows, name)
        refusals.refuse("not_finite", ~np.isfinite(values), partial(not_finite, name, values))
    for name in (*_PRICES, "volume"):
        values = getattr(rows, name)
        refusals.refuse("beyond_bounds", values > LARGEST, partial(beyond_bounds, name, values))
    is_vast = (rows.vwap > LARGEST) & np.isfinite(rows.vwap)
    refusals.refuse("beyond_bounds", is_vast, partial(beyond_bounds, "vwap", rows.vwap))
    refusals.refuse(
        "beyond_bounds",
        rows.trades > MOST_TRADES,
        lambda row: f"trades {rows.trades[row]} above {MOST_TRADES}",
    )
    for name in _PRICES:
        values = getattr(rows, name)
        refusals.refuse("price_not_positive", values <= 0, partial(not_positive, name, values))
    least, most = low * (1 - RANGE_TOLERANCE), high * (1 + RANGE_TOLERANCE)
    refusals.refuse("high_below_low", most < low, lambda row: f"high {high[row]} below low {low[row]}")
    for name, values in (("open", open_), ("close", close)):
        refusals.refuse(
            f"{name}_outside_range",
            (values < least) | (values > most),
            partial(_outside_range, name, values, rows),
        )
    volume, vwap, trades = rows.volume, rows.vwap, rows.trades
    refusals.refuse("negative_volume", volume < 0, lambda row: f"volume {volume[row]} below 0")
    refusals.refuse(
        "vwap_not_positive",
        (vwap <= 0) | np.isinf(vwap),
        lambda row: f"vwap {vwap[row]} is not a finite number above 0",
    )
    refusals.refuse("negative_trades", trades < UNKNOWN_TRADES, lambda row: f"trades {trades[row]} below 0")


def _outside_range(name: str, values: Floats, rows: BarRows, row: int) -> str:
    return f"{name} {values[row]} outside low {rows.low[row]}..high {rows.high[row]}"


def _judge_sessions(
    rows: BarRows, ordinal: Int32s, refusals: Refusals, sessions: Sessions, last_closed: int
) -> None:
    first, last = sessions.date[0], sessions.date[-1]
    refusals.refuse(
        "before_calendar", rows.session < first, lambda _: f"before the calendar's first session, {first}"
    )
    # Past the calendar's end nobody knows what is a session, but it has not closed yet.
    refusals.refuse(
        "not_a_session",
        (ordinal == NO_ORDINAL) & (rows.session <= last),
        lambda _: "the exchange held no session on that date",
    )
    refusals.refuse(
        "future_session",
        (ordinal > last_closed) | (rows.session > last),
        lambda _: f"after the last closed session, {_date_of(sessions, last_closed)}",
    )


def _date_of(sessions: Sessions, ordinal: int) -> str:
    if ordinal < sessions.first_ordinal:
        return "none"
    return str(sessions.dates_of(np.array([ordinal]))[0])
