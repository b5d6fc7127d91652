"""Which rows and which sessions may pass, and why not; pure.

A row passes, is refused under one code of ``RULES``, or is a further copy of a row that passes.
"""

from condvest.batch_layer.fetching.quality.actions import judge_dividends, judge_splits, takes_back
from condvest.batch_layer.fetching.quality.bars import judge_bars
from condvest.batch_layer.fetching.quality.listings import judge_listings, judge_renames
from condvest.batch_layer.fetching.quality.market import looks_partial, spelling_twins
from condvest.batch_layer.fetching.quality.verdict import (
    CODES,
    MAX_REFUSED_ROWS,
    NUMBER_OF,
    PASSED,
    RULES,
    Verdict,
    too_many_refused,
)

__all__ = [
    "CODES",
    "MAX_REFUSED_ROWS",
    "NUMBER_OF",
    "PASSED",
    "RULES",
    "Verdict",
    "judge_bars",
    "judge_dividends",
    "judge_listings",
    "judge_renames",
    "judge_splits",
    "looks_partial",
    "spelling_twins",
    "takes_back",
    "too_many_refused",
]
