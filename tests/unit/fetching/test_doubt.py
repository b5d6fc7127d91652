"""Which bars of an answer are on another basis than the stored ones, in tables worked by hand."""

import numpy as np
import pytest

from condvest.batch_layer.fetching.doubt import KnownSplits, rescaled
from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES, DailyBars

EX = 10
"""The ordinal of the split's ex-date; the bars stored are 0 to 9."""


def bars(prices, first=0):
    count = len(prices)
    close = np.array(prices, dtype=float)
    return DailyBars(
        np.ones(count, dtype=np.int32),
        np.arange(first, first + count, dtype=np.int32),
        close,
        close * 1.01,
        close * 0.99,
        close,
        np.full(count, 1000.0),
        np.full(count, np.nan),
        np.full(count, UNKNOWN_TRADES, dtype=np.int64),
    )


def splits(*ex_and_ratio):
    return KnownSplits(
        np.ones(len(ex_and_ratio), dtype=np.int32),
        np.array([ex for ex, _ in ex_and_ratio], dtype=np.int32),
        np.log([ratio for _, ratio in ex_and_ratio]),
    )


def doubted(told, stored, *, stored_at, told_at=EX, listed=(), known=()):
    """Return the ordinals in doubt of an answer about bars 0 on."""
    held = bars(stored)
    since = np.full(len(held), stored_at, dtype=np.int32)
    found = rescaled(bars(told), held, since, told_at, splits(*listed), splits(*known))
    return np.flatnonzero(found).tolist()


ALL = list(range(10))


@pytest.mark.parametrize("ratio", [10, 0.1, 2, 1.5, 1.05, 1.03, 0.98])
@pytest.mark.parametrize(
    ("listed", "known", "factor"),
    [(1, 0, 1), (1, 1, 1), (1, 1, -1), (0, 1, -1), (0, 0, -1)],
    ids=["late", "late-and-known", "twice", "lost", "too-soon"],
)
def test_what_was_stored_before_the_ex_date_was_as_traded(ratio, listed, known, factor):
    """An answer that is off by the split's factor, above or below, is in doubt; what is new there too."""
    told = [100 * ratio**factor] * 10
    split = ((EX, ratio),)
    asked = {"stored_at": 9, "listed": split * listed, "known": split * known}
    assert doubted(told, [100.0] * 10, **asked) == ALL
    assert doubted(told, [100.0] * 8, **asked) == ALL, "the last two were never stored"


@pytest.mark.parametrize("ratio", [10, 0.1, 2, 1.5, 1.05, 1.03])
@pytest.mark.parametrize("known", [0, 1])
def test_what_was_stored_after_the_ex_date_may_have_been_wrong(ratio, known):
    split = ((EX, ratio),)
    told, wrong = [100.0] * 10, [100 / ratio] * 10
    assert doubted(told, wrong, stored_at=EX, told_at=EX + 1, listed=split, known=split * known) == []


def test_a_split_that_was_lost_when_a_bar_was_stored_is_explained_in_the_end():
    """Adjusted before the ex-date, and listed since: after TRUSTED sessions the vendor's word counts."""
    told, wrong = [100.0] * 10, [10.0] * 10
    asked = {"stored_at": 9, "listed": ((EX, 10.0),)}
    assert doubted(told, wrong, told_at=EX + 20, **asked) == ALL
    assert doubted(told, wrong, told_at=EX + 21, **asked) == []


def test_after_the_ex_date_nothing_is_in_doubt():
    """Bars 0 to 9 are twice on the basis; 10 and 11 are new, and on the split's basis."""
    told = [1.0] * 10 + [10.0] * 2
    assert doubted(told, [100.0] * 10, stored_at=9, listed=((EX, 10.0),), known=((EX, 10.0),)) == ALL


def test_a_new_unit_is_in_doubt_with_the_newest_bar():
    assert doubted([10_000.0] * 11, [100.0] * 10, stored_at=9) == [*ALL, 10]


def test_a_bar_that_was_left_out_stays_in_doubt_when_later_ones_are_stored():
    told, held = bars([97.0] * 12), bars([100.0] * 9).take(np.arange(9))
    later = bars([97.0] * 2, first=10)
    stored = DailyBars.concat([held, later])
    since = np.full(len(stored), 9, dtype=np.int32)
    found = rescaled(told, stored, since, 11, splits((EX, 1.03)), splits((EX, 1.03)))
    assert np.flatnonzero(found).tolist() == ALL


@pytest.mark.parametrize("bar", [0, 4, 9])
def test_a_small_correction_of_one_bar_is_none(bar):
    told = [100.0] * 10
    told[bar] = 103.0
    assert doubted(told, [100.0] * 10, stored_at=9) == []


def test_a_dividend_told_as_a_move_of_some_bars_of_different_size_is_no_basis():
    told = [100.0, 101.0, 102.5, 99.0, 98.0, 104.0, 103.0, 97.0, 96.0, 95.0]
    assert doubted(told, [100.0] * 10, stored_at=9) == []
