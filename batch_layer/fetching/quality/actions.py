"""Judge splits and dividends.

Their ex-dates may lie ahead, for they are announced, and on a date without a session; but not outside
the calendar, where they would take the ordinal of another session.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from condvest.batch_layer.fetching.quality.rules import (
    LARGEST,
    LARGEST_RATIO,
    Refusals,
    beyond_bounds,
    not_finite,
    not_positive,
    ordinals_or_none,
)
from condvest.batch_layer.fetching.quality.verdict import Verdict
from condvest.batch_layer.shared.models.bars import Bools, Floats
from condvest.batch_layer.shared.models.given.payload_rows import DividendRows, SplitRows
from condvest.batch_layer.shared.models.sessions import Sessions


def takes_back(rows: SplitRows | DividendRows) -> Bools:
    """Return which rows say that there is no such action: those whose ratio or amount is all zeros."""
    is_zero: Bools
    if isinstance(rows, SplitRows):
        is_zero = (rows.split_from == 0) & (rows.split_to == 0)
    else:
        is_zero = rows.cash_amount == 0
    return is_zero


def judge_splits(
    rows: SplitRows, faults: Mapping[int, str], sessions: Sessions, *, may_take_back: bool = False
) -> Verdict:
    """Decide which splits may be loaded; 2-for-1 and 4-for-2 on one date are the same split.

    With ``may_take_back`` rows of zeros pass: see `takes_back`.
    """
    columns = {"split_from": rows.split_from, "split_to": rows.split_to}
    refusals = _refusals(rows, faults, columns, "ratio_not_positive", may_take_back=may_take_back)
    with np.errstate(all="ignore"):  # such rows are refused, and not compared
        ratio = np.where(takes_back(rows), 0.0, rows.split_to / rows.split_from)
    return _verdict(rows, refusals, sessions, ratio, "; if both took effect, give one row with the product")


def judge_dividends(
    rows: DividendRows, faults: Mapping[int, str], sessions: Sessions, *, may_take_back: bool = False
) -> Verdict:
    """Decide which cash dividends may be loaded; one amount a symbol and ex-date, the sum of all paid.

    With ``may_take_back`` an amount of zero passes: see `takes_back`.
    """
    columns = {"cash_amount": rows.cash_amount}
    refusals = _refusals(rows, faults, columns, "amount_not_positive", may_take_back=may_take_back)
    return _verdict(rows, refusals, sessions, rows.cash_amount, "; if both were paid, give one with the sum")


def _refusals(
    rows: SplitRows | DividendRows,
    faults: Mapping[int, str],
    columns: Mapping[str, Floats],
    code: str,
    *,
    may_take_back: bool,
) -> Refusals:
    refusals = Refusals(rows.symbol, rows.ex_date)
    refusals.refuse_faults(faults)
    refusals.refuse_names("ex_date")
    for name, values in columns.items():
        refusals.refuse("not_finite", ~np.isfinite(values), partial(not_finite, name, values))
    for name, values in columns.items():
        refusals.refuse("beyond_bounds", values > LARGEST, partial(beyond_bounds, name, values))
    if isinstance(rows, SplitRows):
        refusals.refuse("beyond_bounds", _is_vast(rows), partial(_vast, rows))
    allowed = takes_back(rows) & may_take_back
    for name, values in columns.items():
        refusals.refuse(code, (values <= 0) & ~allowed, partial(not_positive, name, values))
    return refusals


def _is_vast(rows: SplitRows) -> Bools:
    """Return which splits give more than LARGEST_RATIO shares for one, or take so many for one."""
    least, most = (function(rows.split_from, rows.split_to) for function in (np.minimum, np.maximum))
    with np.errstate(over="ignore", invalid="ignore"):
        vast: Bools = (least > 0) & (most > least * LARGEST_RATIO)
    return vast


def _vast(rows: SplitRows, row: int) -> str:
    return f"{rows.split_to[row]} for {rows.split_from[row]} is above {LARGEST_RATIO:.0e} for one"


def _verdict(
    rows: SplitRows | DividendRows, refusals: Refusals, sessions: Sessions, values: Floats, hint: str
) -> Verdict:
    refusals.refuse_outside(sessions)
    ordinal = ordinals_or_none(sessions.ordinals_on_or_after(rows.ex_date), rows.ex_date)
    return refusals.verdict(ordinal, values, hint=hint)
