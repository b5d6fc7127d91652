"""Find the prices of a chart that a split in the same chart has not reached yet. Pure.

Yahoo announces a split from the morning of its ex-date, but brings the prices before it to the new basis
hours to weeks later, for some rows before others, or twice. A chart whose prices are on one basis does not
jump at the ex-date. One that does jump there, by the split's own ratio, is on two bases. A 10-for-1 split
with ex-date 06-10:

    =======  ========  ===========  =============
    session  adjusted  not yet      twice
    =======  ========  ===========  =============
    06-07    10.0      100.0        1.0
    06-10    10.1      10.1         10.1
    06-07    is fine   is in doubt  is in doubt
    =======  ========  ===========  =============

What is traded moves too, so a jump counts only if it is near the ratio, and a ratio near 1 cannot be told
from a move of the market.

Before the first trade on the new basis nothing can be seen at all: on the morning of 06-10 the chart lists
the split and ends with 06-07, adjusted or not. Until there is a row of 06-10 or later, every price before it
is in doubt; but not for ever, for what was halted or delisted may have no such row.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.clients.yahoo.basis import beyond_all_numbers
from condvest.batch_layer.shared.models.bars import Floats

SMALLEST_RATIO = 1.4
"""Splits of less than 1.4 for 1, either way, are smaller than many a move in a session."""

WIDEST = 0.2
"""At the ex-date a jump is the split's if it differs from its ratio by no more than this, in logarithms, and
by no more than a third of the ratio's own logarithm."""

NARROW = 0.05
"""The same for a jump in the sessions before the ex-date, where nothing else points to the split."""

SESSIONS_BEFORE = 30
"""How many rows before the ex-date are looked at for the place at which the adjustment ends."""

UNSEEN_FOR = dt.timedelta(days=30)
"""So long after an ex-date its split is taken to be in the prices, though nothing was traded since."""


@beyond_all_numbers
def in_doubt(
    session: npt.NDArray[np.datetime64],
    opened: Floats,
    closed: Floats,
    ratios: Mapping[np.datetime64, float],
    today: dt.date,
) -> dict[int, str]:
    """Return the rows whose split basis is in doubt, by position, with the reason.

    Args:
        session: datetime64[D], one per row, any order.
        opened: float64, opens as Yahoo gives them; NaN where unknown.
        closed: float64, closes, likewise; NaN too in rows that are no trade.
        ratios: new shares per old share, by ex-date; none after today.
        today: the date in New York when the chart was fetched.
    """
    order = np.argsort(session, kind="stable")
    order = order[np.isfinite(closed[order]) & (closed[order] > 0)]
    if not len(order) or not ratios:
        return {}
    dates, close = session[order], closed[order]
    first = np.where(np.isfinite(opened[order]) & (opened[order] > 0), opened[order], close)
    jump = np.log(close[:-1] / first[1:])  # of row i to row i + 1
    doubts: dict[int, str] = {}
    for ex_date, ratio in ratios.items():
        if dates[-1] < ex_date and ex_date >= np.datetime64(today - UNSEEN_FOR):
            reason = (
                f"in doubt: nothing was traded since the split of {ex_date} ({ratio:g} new shares per old "
                "one), so whether the prices before it were brought to its basis cannot be seen"
            )
            return dict.fromkeys(np.flatnonzero(session < ex_date).tolist(), reason)
        boundary = _unadjusted_until(dates, jump, ex_date, math.log(ratio))
        if boundary is not None:
            reason = (
                f"in doubt: prices before {dates[boundary]} are not on the basis of the split of {ex_date} "
                f"({ratio:g} new shares per old one): they jump there by {math.exp(jump[boundary - 1]):.4g}"
            )
            for row in np.flatnonzero(session < dates[boundary]).tolist():
                doubts.setdefault(row, reason)
    return doubts


def _unadjusted_until(
    dates: npt.NDArray[np.datetime64], jump: Floats, ex_date: np.datetime64, log_ratio: float
) -> int | None:
    """Return the position of the first row on the split's basis, if those before it are on another."""
    if abs(log_ratio) < math.log(SMALLEST_RATIO):
        return None
    at = int(np.searchsorted(dates, ex_date))
    if not 0 < at < len(dates):
        return None
    width = min(WIDEST, abs(log_ratio) / 3)
    if abs(abs(jump[at - 1]) - abs(log_ratio)) <= width:
        return at
    start = max(1, at - SESSIONS_BEFORE)
    near = np.flatnonzero(np.abs(np.abs(jump[start - 1 : at - 1]) - abs(log_ratio)) <= NARROW)
    return start + int(near[-1]) if len(near) else None
