"""What is usual for a bar: the median of the values before it in its series. Pure.

A median of each of some millions of bars is most of the work of flagging them, and few of the flags want it
of more than some hundred bars. So medians are taken of the rows asked for, and the rows that are far from
theirs are looked for by counting: the median of 21 values is below a bound if 11 of them are.
"""

from __future__ import annotations

import numpy as np

from condvest.batch_layer.shared.models.bars import Bools, Floats, Positions

TRAILING = 21
"""Moves and volumes are compared with the median of so many bars before."""

_MIDDLE = TRAILING // 2

_ROWS_AT_ONCE = 1 << 14
"""What is compared of so many rows fits the processor's cache."""

_SLACK = 1 + 1e-9
"""Bounds are wider by so much than what is looked for: a product and a quotient round differently."""


def usual_before(values: Floats, same: Bools, rows: Positions) -> Floats:
    """Return, for some rows, the median of the TRAILING values before it; infinite where there are fewer.

    Args:
        values: float64, none of them NaN, by series.
        same: bool, per value whether it is of the same series as the one before it.
        rows: which values, ascending.
    """
    median = np.full(len(rows), np.inf)
    has_past = rows >= TRAILING
    if has_past.any():
        windows = np.lib.stride_tricks.sliding_window_view(values[:-1], TRAILING)
        begins = np.flatnonzero(~same)
        past = rows - begins[np.searchsorted(begins, rows, side="right") - 1]
        asked = np.flatnonzero(has_past & (past >= TRAILING))
        for start in range(0, len(asked), _ROWS_AT_ONCE):
            some = asked[start : start + _ROWS_AT_ONCE]
            # A partition by one place alone is five times as fast as `np.median`, which seeks NaN, too.
            median[some] = np.partition(windows[rows[some] - TRAILING], _MIDDLE, axis=1)[:, _MIDDLE]
    return median


def may_be_unusual(values: Floats, times: float) -> Positions:
    """Return, ascending, the rows whose value may be over so many times the median before, or as far below.

    None that is so is left out. `usual_before` tells which of them are; to it, too, the first TRAILING rows
    of a series have no past.

    Args:
        values: float64, none of them NaN or below 0.
        times: above 1.

    Example of the count, with 3 values in the place of 21 and 50 times: 120 comes after 1, 2 and 3. Two of
    them are below 120 / 50, so that their median is, too.
    """
    suspects = [np.zeros(0, dtype=np.intp)]
    most = times / _SLACK
    for start in range(TRAILING, len(values), _ROWS_AT_ONCE):
        end = min(start + _ROWS_AT_ONCE, len(values))
        own = values[start:end]
        low, high = own / most, own * most
        below, above = np.zeros((2, len(own)), dtype=np.uint8)
        for back in range(1, TRAILING + 1):
            before = values[start - back : end - back]
            below += before < low
            above += before > high
        suspects.append(start + np.flatnonzero((below > _MIDDLE) | (above > _MIDDLE)))
    return np.concatenate(suspects)
