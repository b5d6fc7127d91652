"""The rules of splits and dividends."""

import numpy as np

from condvest.batch_layer.fetching.quality import (
    judge_dividends,
    judge_splits,
)
from condvest.batch_layer.shared.models.given.payload_rows import DividendRows, SplitRows
from condvest.batch_layer.shared.models.sessions import NO_ORDINAL
from tests.support.judged import SESSIONS, codes


def splits(*rows):
    symbol, ex_date, split_from, split_to = zip(*rows, strict=True)
    return SplitRows(
        np.arange(2, len(rows) + 2),
        np.array(symbol, dtype=object),
        np.array(ex_date, dtype="datetime64[D]"),
        np.array(split_from, dtype=np.float64),
        np.array(split_to, dtype=np.float64),
    )


def test_splits():
    verdict = judge_splits(
        splits(
            ("A", "2024-01-03", 1, 2),
            ("B", "2024-01-06", 10, 1),  # a Saturday: works from Monday on
            ("C", "2024-01-12", 1, 2),  # announced
            ("A", "2024-01-03", 2, 4),  # the same split
            ("D", "2024-01-03", 1, 2),
            ("D", "2024-01-03", 1, 3),
            ("E", "2024-01-03", 0, 2),
            ("E", "2024-01-03", 1, -2),
            ("F", "2024-01-03", np.inf, 2),
            ("F", "2024-01-03", 1, np.nan),
            ("", "2024-01-03", 1, 2),
            ("G", "NaT", 1, 2),
            ("H", "2023-12-29", 1, 2),
            ("I", "2024-01-13", 1, 2),
            ("J", "2024-01-03", np.nan, 2),
        ),
        {14: "split_from: 'one' is not a number"},
        SESSIONS,
    )
    assert codes(verdict) == [
        *("passed",) * 4,
        *("conflicting_duplicate",) * 2,
        *("ratio_not_positive",) * 2,
        *("not_finite",) * 2,
        "bad_symbol",
        "missing_value",
        "before_calendar",
        "after_calendar",
        "malformed",
    ]
    assert verdict.passed.tolist() == [True] * 3 + [False] * 12
    assert verdict.duplicates == 1
    assert verdict.ordinal[:3].tolist() == [101, 104, 108]
    assert verdict.ordinal[11] == NO_ORDINAL
    assert verdict.reasons[6] == "E 2024-01-03: split_from 0.0 is not above 0"


def test_ratios_and_amounts_beyond_all_markets():
    verdict = judge_splits(
        splits(
            ("A", "2024-01-03", 1, 1e6),
            ("B", "2024-01-03", 1, 1.1e6),
            ("C", "2024-01-03", 5e-324, 1),
            ("D", "2024-01-03", 1e16, 1e16),
        ),
        {},
        SESSIONS,
    )
    assert codes(verdict) == ["passed", *("beyond_bounds",) * 3]
    assert verdict.reasons[1] == "B 2024-01-03: 1100000.0 for 1.0 is above 1e+06 for one"
    rows = DividendRows(
        np.array([2]),
        np.array(["A"], dtype=object),
        np.array(["2024-01-03"], "datetime64[D]"),
        np.array([1e300]),
    )
    assert codes(judge_dividends(rows, {}, SESSIONS)) == ["beyond_bounds"]


def test_dividends():
    rows = DividendRows(
        np.arange(2, 8),
        np.array(["A", "A", "B", "C", "D", "D"], dtype=object),
        np.array(["2024-01-03"] * 6, dtype="datetime64[D]"),
        np.array([0.5, 0.5, 0.0, np.inf, 1.0, 2.0]),
    )
    verdict = judge_dividends(rows, {}, SESSIONS)
    assert codes(verdict) == [
        *("passed",) * 2,
        "amount_not_positive",
        "not_finite",
        *("conflicting_duplicate",) * 2,
    ]
    assert verdict.passed.tolist() == [True] + [False] * 5
    assert verdict.duplicates == 1
    assert verdict.ordinal.tolist() == [101] * 6
