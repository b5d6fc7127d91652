"""Folding made histories: against the naive model, and what holds of every history."""

from dataclasses import fields, replace
from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.core import folding
from condvest.batch_layer.shared.core.adjustment import rescaled, split_factors
from condvest.batch_layer.shared.core.folding import fold, fold_all
from condvest.batch_layer.shared.core.windows import last_ordinals, windows_of
from condvest.batch_layer.shared.models.bars import Bars, DailyBars
from condvest.batch_layer.shared.models.corporate_actions import Splits
from tests.support.naive import bars as naive
from tests.support.strategies.histories import (
    FIRST,
    LAST,
    daily_bars,
    everything_loaded,
    histories,
    splits_of,
)

INTERVALS = (3, 5, 8, 13, 21, 34)
intervals = st.sampled_from([1, 2, 3, 5, 7, 8, 13, 21, 34, 100])
POWERS_OF_TWO = [(1, 2), (1, 4), (2, 1), (8, 1)]


def folded(history, n, **others):
    return fold(history.daily, n, splits=history.splits, coverage=history.coverage, **others)


def assert_same(one, other):
    """Assert that two columns' sets are the same to the bit, NaN where NaN."""
    for field in fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), field.name)


@given(history=histories(), n=intervals, portion=st.sampled_from([1, 20, 1 << 17]), threads=st.integers(1, 3))
def test_bars_are_those_of_the_naive_model(history, n, portion, threads):
    """Every column is the same to the bit, in whatever portions and on however many threads."""
    with mock.patch.object(folding, "PORTION", portion):
        bars = folded(history, n, threads=threads)
    expected = naive.fold(
        naive.rows_of(history.daily), n, naive.rows_of(history.splits), history.complete, history.last_loaded
    )
    assert naive.rows_of(bars) == expected


@given(history=histories(), n=intervals)
def test_bars_counted_from_the_listing_are_those_of_the_naive_model(history, n):
    """With each instrument's own anchor, too, every column is the same to the bit."""
    rows = naive.rows_of(history.daily)
    anchors = {}
    for row in rows:
        anchors.setdefault(row["instrument_id"], row["ordinal"])
    anchor = np.array([anchors[row["instrument_id"]] for row in rows], dtype=np.int32)
    expected = naive.fold(
        rows, n, naive.rows_of(history.splits), history.complete, history.last_loaded, anchors
    )
    assert naive.rows_of(folded(history, n, anchor=anchor)) == expected


@given(history=histories())
def test_all_intervals_at_once_are_each_of_them(history):
    """fold_all gives what fold gives for each, whatever their order, and each once."""
    given_intervals = (34, 3, 13, 3, 5, 1)
    together = fold_all(
        history.daily, given_intervals, splits=history.splits, coverage=history.coverage, threads=1
    )
    assert list(together) == [34, 3, 13, 5, 1]
    for n, bars in together.items():
        assert_same(bars, folded(history, n))


@given(history=histories())
def test_bars_of_one_session_are_the_daily_bars(history):
    """n = 1 is the identity, to the bit; only a vwap without volume is not kept."""
    bars = folded(history, 1)
    daily = history.daily
    for name in ("instrument_id", "open", "high", "low", "close", "volume", "trades"):
        np.testing.assert_array_equal(getattr(bars, name), getattr(daily, name))
    np.testing.assert_array_equal(bars.window, daily.ordinal)
    np.testing.assert_array_equal(bars.vwap, np.where(daily.volume > 0, daily.vwap, np.nan))
    assert (bars.sessions == 1).all()


@given(history=histories(with_splits=False, fractions=False), n=intervals)
def test_volume_is_conserved(history, n):
    """Without splits no whole share is lost or made."""
    bars = folded(history, n)
    assert bars.volume.sum() == history.daily.volume.sum()
    assert bars.sessions.sum() == len(history.daily)


@given(history=histories(), n=intervals)
def test_prices_of_a_bar_are_ordered(history, n):
    """Low is at most open and close, high at least; splits change nothing about that."""
    bars = folded(history, n)
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()


@given(history=histories(with_splits=False))
def test_high_is_the_maximum_and_low_the_minimum(history):
    """Over one window that holds everything, the extremes are those of all daily bars."""
    anchor = np.full(len(history.daily), FIRST, dtype=np.int32)
    bars = folded(history, LAST - FIRST + 1, anchor=anchor)
    for bar in naive.rows_of(bars):
        own = history.daily.instrument_id == bar["instrument_id"]
        assert bar["high"] == history.daily.high[own].max()
        assert bar["low"] == history.daily.low[own].min()


@given(seed=st.integers(0, 2**32 - 1), length=st.integers(1, 100), splits=histories())
def test_a_new_session_touches_one_window_and_no_complete_bar(seed, length, splits):
    """One more session, for all instruments, changes the bar of its own window and nothing else."""
    ids, ordinals = np.repeat([1, 2], length), np.tile(np.arange(FIRST, FIRST + length), 2)
    daily = daily_bars(ids, ordinals, seed)
    earlier = ordinals < FIRST + length - 1
    before = fold_all(
        daily.take(earlier),
        INTERVALS,
        splits=splits.splits,
        coverage=everything_loaded([1, 2], last=FIRST + length - 2),
    )
    after = fold_all(
        daily,
        INTERVALS,
        splits=splits.splits,
        coverage=everything_loaded([1, 2], last=FIRST + length - 1),
    )
    for n in INTERVALS:
        [window] = windows_of(np.array([FIRST + length - 1], dtype=np.int32), n)
        assert not before[n].is_complete[before[n].window == window].any()
        assert_same(before[n].take(before[n].window != window), after[n].take(after[n].window != window))
        assert (after[n].window == window).sum() == 2


@given(history=histories(), n=intervals, cut=st.integers(FIRST, LAST))
def test_dropping_old_history_changes_only_the_windows_it_cuts(history, n, cut):
    """Bars of windows that begin at or after the cut keep all their bits."""
    kept = history.at(history.daily.take(history.daily.ordinal >= cut))
    [window] = windows_of(np.array([cut - 1], dtype=np.int32), n)
    before, after = folded(history, n), folded(kept, n)
    assert_same(before.take(before.window > window), after.take(after.window > window))
    assert (after.window >= window).all()


@given(history=histories(), n=intervals, seed=st.integers(0, 2**32 - 1))
def test_renumbering_the_instruments_only_reorders_the_bars(history, n, seed):
    """No instrument's bars depend on its number or on its neighbours."""
    number = np.random.default_rng(seed).permutation(100).astype(np.int32)
    order = np.lexsort((history.daily.ordinal, number[history.daily.instrument_id]))
    daily = history.daily.take(order)
    daily = replace(daily, instrument_id=number[daily.instrument_id])
    splits = replace(history.splits, instrument_id=number[history.splits.instrument_id])
    known = number[history.coverage.instrument_id]
    by_number = np.argsort(known)
    coverage = replace(
        history.coverage, instrument_id=known[by_number], providers=history.coverage.providers[by_number]
    )
    bars = folded(history, n)
    reordered = bars.take(np.lexsort((bars.window, number[bars.instrument_id])))
    renumbered = replace(reordered, instrument_id=number[reordered.instrument_id])
    assert_same(fold(daily, n, splits=splits, coverage=coverage), renumbered)


@given(
    history=histories(),
    n=intervals,
    ratio=st.sampled_from([(1, 2), (10, 1), (3, 2)]),
    late=st.integers(0, 20),
)
def test_a_split_after_a_windows_end_never_changes_its_bar(history, n, ratio, late):
    """A split of every instrument changes no bar whose window ended before its ex-date."""
    ex_ordinal = LAST - late
    more = splits_of([(one, ex_ordinal, *ratio) for one in np.unique(history.daily.instrument_id).tolist()])
    before = folded(history, n)
    later = fold(history.daily, n, splits=Splits.concat([history.splits, more]), coverage=history.coverage)
    ended = last_ordinals(before.window, n) < ex_ordinal
    assert_same(before.take(ended), later.take(ended))


@given(history=histories(ratios=POWERS_OF_TWO, fractions=False), n=intervals)
def test_adjusting_then_folding_is_folding_then_adjusting(history, n):
    """With ratios that floating point holds exactly, both ways agree to the bit.

    Vwap too, since powers of two scale every product and sum alike.
    """

    def adjusted(bars: Bars | DailyBars, basis):
        until = history.coverage.last_loaded(bars.instrument_id)
        factors = split_factors(bars.instrument_id, np.minimum(basis, until), until, history.splits)
        return rescaled(bars, *factors)

    through = history.coverage.last_loaded(history.daily.instrument_id)
    loaded = history.at(history.daily.take(history.daily.ordinal <= through))
    bars = folded(loaded, n)
    folded_first = adjusted(bars, last_ordinals(bars.window, n))
    adjusted_first = loaded.at(adjusted(loaded.daily, loaded.daily.ordinal))
    no_splits = replace(adjusted_first, splits=splits_of([]))
    assert_same(folded(no_splits, n), folded_first)
