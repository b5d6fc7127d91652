"""A question whose answer would not fit is refused before any bar is read."""

import datetime as dt

import numpy as np
import pytest

from condvest.batch_layer.shared.models.coverage import NOTHING_LOADED, Coverage
from condvest.batch_layer.shared.models.spans import Spans
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.queries.bars.size import BAR, DAILY_BAR, Largest, TooLarge, check_size, size_of

COUNT = 4
IDS = np.arange(1, COUNT + 1, dtype=np.int32)
FIRST, LAST = 600, 999
"""Ordinals of the first and last daily bars: 400 sessions."""


class Listed:
    """Four instruments that are listed from FIRST to LAST; of their bars nothing can be read.

    Sessions were loaded from 100 before FIRST to LAST.
    """

    def __init__(self, sessions):
        self.sessions = sessions
        self.has_bars = True

    def names(self, ids=None):
        return {each: f"S{each}" for each in IDS.tolist() if ids is None or each in ids}

    def carriers(self, symbol, on=None):  # noqa: ARG002
        return [int(symbol[1:])]

    def coverage(self, ids):
        through = np.full(64, NOTHING_LOADED, np.int32)
        through[3] = LAST
        complete = np.zeros(LAST - FIRST + 101, np.int64)
        return Coverage(ids, np.full(len(ids), 1 << 3, np.int64), FIRST - 100, complete, through)

    def listed(self, ids):
        assert self.has_bars, "no daily bar had to be looked for"
        return Spans(ids, np.full(len(ids), FIRST, np.int32), np.full(len(ids), LAST, np.int32))


@pytest.fixture
def source(sessions):
    return Listed(sessions)


@pytest.fixture
def fits(source):
    def does(bars, daily=10**9, **asked):
        try:
            check_size(source, Question(**asked), Largest(bars * BAR, daily * DAILY_BAR))
        except TooLarge:
            return False
        return True

    return does


def test_the_whole_market_is_counted_by_the_first_and_last_bars(source, fits):
    """400 sessions hold 40 bars of ten, or 41 where they begin within one, and their last may end later."""
    size = size_of(source, Question(interval=10), IDS)
    assert COUNT * 40 <= size.bars <= COUNT * 42
    assert size.daily == 10 * size.bars
    assert fits(size.bars, size.daily, interval=10)
    assert not fits(size.bars - 1, size.daily, interval=10)
    assert not fits(size.bars, size.daily - 1, interval=10)


def test_stored_bars_are_not_folded_unless_they_are_of_the_past_or_total(source):
    assert size_of(source, Question(interval=13), IDS).daily == 0
    past = Question(interval=13, as_of=dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
    assert size_of(source, past, IDS).daily >= COUNT * 400
    end = source.sessions.session(FIRST + 20)
    total = size_of(source, Question(interval=13, adjust="total", end=end), IDS)
    assert total.bars <= COUNT * 3
    assert total.daily >= COUNT * 400  # the factors need all later sessions


def test_a_bound_in_time_makes_it_fit(fits, sessions):
    assert not fits(COUNT * 20, interval=1)
    assert fits(COUNT * 20, interval=1, start=sessions.session(LAST - 19))
    assert fits(COUNT * 20, interval=1, end=sessions.session(FIRST + 19))


def test_symbols_are_counted_too(source, fits):
    every = len(source.sessions.date)
    assert fits(2 * every, symbols=["S1", "S2"], interval=1)
    assert fits(2 * 400, symbols=["S1", "S2"], interval=1)  # by the first and last bars
    assert not fits(2 * 400 - 1, symbols=["S1", "S2"], interval=1)
    with pytest.raises(TooLarge, match=r"up to 800 bars, folded from 800 daily bars; .* at most 10 at once"):
        check_size(source, Question(["S1", "S2"], interval=1), Largest(10 * BAR, 10**9))
    with pytest.raises(TooLarge, match=r"published files: /v1/datasets/bars_13"):
        check_size(source, Question(interval=13), Largest(0, 0))


def test_what_fits_by_the_sessions_that_were_loaded_needs_no_look_at_the_bars(source, fits):
    """500 sessions were loaded; they hold at most 51 bars of ten, whose last may end later."""
    source.has_bars = False
    assert fits(COUNT * 52, interval=10)
    assert fits(COUNT * 500, interval=1)
    with pytest.raises(AssertionError, match="had to be looked for"):
        fits(COUNT * 500 - 1, interval=1)


def test_the_sessions_that_were_loaded_are_counted_within_the_bounds(source, fits, sessions):
    source.has_bars = False
    assert fits(COUNT * 20, interval=1, start=sessions.session(LAST - 19))
    assert fits(COUNT * 20, interval=1, end=sessions.session(FIRST - 81))
    assert fits(0, interval=1, end=sessions.session(FIRST - 101))
