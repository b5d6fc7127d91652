"""Made histories of a small market, for Hypothesis: a few instruments with gaps, splits, partial loads."""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES, DailyBars
from condvest.batch_layer.shared.models.corporate_actions import Splits
from condvest.batch_layer.shared.models.coverage import NOTHING_LOADED, Coverage

FIRST, LAST = -40, 80
"""The sessions among which histories lie; ordinal 0 is in the midst on purpose."""

PROVIDERS = (0, 5, 63)
"""Bits of the providers that occur; 63 is the sign of an int64."""


@dataclass(frozen=True, eq=False)
class History:
    daily: DailyBars
    splits: Splits
    coverage: Coverage
    complete: set
    """Pairs (instrument, ordinal) of the sessions loaded in full, for the naive model."""
    last_loaded: dict
    """Instrument to the last session loaded for it, for the naive model."""

    def at(self, daily):
        """Return the history with other daily bars."""
        return replace(self, daily=daily)


def daily_bars(ids, ordinals, seed, *, fractions=True):
    """Return plausible daily bars at the sessions given."""
    rng = np.random.default_rng(seed)
    count = len(ids)
    corners = np.sort(np.round(rng.uniform(0.01, 500, (count, 3)), 4), axis=1)
    between = np.round(rng.uniform(corners[:, 0], corners[:, 2]), 4)
    volume = rng.integers(0, 1_000_000, count) * rng.integers(0, 2, count, endpoint=True).astype(float)
    if fractions:
        volume = volume + rng.choice([0.0, 0.1, 1 / 3], count)
    vwap = np.where(rng.random(count) < 0.9, corners[:, 1], np.nan)
    trades = np.where(rng.random(count) < 0.95, rng.integers(0, 10_000, count), UNKNOWN_TRADES)
    return DailyBars(
        instrument_id=np.array(ids, dtype=np.int32),
        ordinal=np.array(ordinals, dtype=np.int32),
        open=np.clip(between, corners[:, 0], corners[:, 2]),
        high=corners[:, 2],
        low=corners[:, 0],
        close=corners[:, 1],
        volume=volume,
        vwap=vwap,
        trades=trades.astype(np.int64),
    )


def splits_of(rows):
    """Return splits of rows (instrument, ex_ordinal, split_from, split_to)."""
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
    return Splits(
        np.array(columns[0], dtype=np.int32),
        np.array(columns[1], dtype=np.int32),
        np.array(columns[2], dtype=np.float64),
        np.array(columns[3], dtype=np.float64),
    )


def everything_loaded(ids, first=FIRST, last=LAST):
    """Return the coverage of instruments of one provider that has loaded all sessions."""
    ids = np.unique(np.array(ids, dtype=np.int32))
    through = np.full(64, NOTHING_LOADED, dtype=np.int32)
    through[0] = last
    ones = np.ones(last - first + 1, dtype=np.int64)
    return Coverage(ids, np.ones(len(ids), dtype=np.int64), first, ones, through)


@st.composite
def histories(draw, *, ratios=None, fractions=True, with_splits=True):
    """Draw a history. ``ratios`` are the (split_from, split_to) that occur."""
    ids = sorted(draw(st.sets(st.integers(0, 50), max_size=4)))
    pairs = []
    for instrument in ids:
        listed = draw(st.integers(FIRST, LAST))
        length = draw(st.integers(0, LAST - listed + 1))
        missing = draw(st.sets(st.integers(listed, listed + length), max_size=length))
        kept = [ordinal for ordinal in range(listed, listed + length) if ordinal not in missing]
        pairs += [(instrument, ordinal) for ordinal in kept]
    daily = daily_bars(
        [instrument for instrument, _ in pairs],
        [ordinal for _, ordinal in pairs],
        draw(st.integers(0, 2**32 - 1)),
        fractions=fractions,
    )
    coverage, complete, last_loaded = draw(coverages(ids))
    return History(
        daily=daily,
        splits=draw(splits(ids, ratios)) if with_splits else splits_of([]),
        coverage=coverage,
        complete=complete,
        last_loaded=last_loaded,
    )


def splits(ids, ratios=None):
    """Draw splits in any order: forward and reverse, several on one ex-date, some of no bar's instrument."""
    ratio = st.sampled_from(ratios or [(1, 2), (1, 4), (2, 3), (10, 1), (7, 3), (1.0, 1.1), (3, 1)])
    row = st.tuples(st.sampled_from([*ids, 99]), st.integers(FIRST - 5, LAST + 5), ratio)
    rows = st.lists(row, max_size=12).map(
        lambda rows: [(instrument, ex, *ratio) for instrument, ex, ratio in rows]
    )
    return rows.map(splits_of)


@st.composite
def coverages(draw, ids):
    """Draw a coverage, and what it means in plain sets and dictionaries."""
    known = sorted({*ids, 77})
    providers = {number: draw(st.sets(st.sampled_from(PROVIDERS))) for number in known}
    if draw(st.booleans()):
        del providers[known[0]]
    first = draw(st.integers(FIRST, 0))
    last = draw(st.integers(0, LAST))
    loaded = {number: draw(st.sets(st.integers(first, last))) for number in PROVIDERS}
    partial = {number: draw(st.integers(first, last + 5)) for number in PROVIDERS}
    through = {
        number: max([*loaded[number], partial[number]], default=int(NOTHING_LOADED))
        for number in draw(st.sets(st.sampled_from(PROVIDERS)))
    }
    loaded = {number: loaded[number] if number in through else set() for number in PROVIDERS}
    mask = np.array([sum(1 << bit for bit in bits) for bits in providers.values()], dtype=np.uint64)
    complete = [
        sum(1 << bit for bit in PROVIDERS if ordinal in loaded[bit]) for ordinal in range(first, last + 1)
    ]
    columns = np.full(64, NOTHING_LOADED, dtype=np.int32)
    for bit, ordinal in through.items():
        columns[bit] = ordinal
    coverage = Coverage(
        instrument_id=np.array(list(providers), dtype=np.int32),
        providers=mask.view(np.int64),
        first_ordinal=first,
        complete=np.array(complete, dtype=np.uint64).view(np.int64),
        loaded_through=columns,
    )
    complete_pairs = {
        (number, ordinal) for number, bits in providers.items() for bit in bits for ordinal in loaded[bit]
    }
    ends = {
        number: max((through[bit] for bit in providers.get(number, ()) if bit in through), default=-(2**31))
        for number in [*known, 99]
    }
    return coverage, complete_pairs, ends
