"""Folding daily bars into bars of n sessions: examples worked by hand, and the refusals."""

from dataclasses import replace

import numpy as np
import pytest

from condvest.batch_layer.shared.core.folding import fold, fold_all
from condvest.batch_layer.shared.errors import UnorderedSessions, UsageError
from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES, Bars, DailyBars
from tests.support.strategies.histories import daily_bars, everything_loaded, splits_of

NAN = float("nan")
NO_SPLITS = splits_of([])


def daily(*rows):
    """Return daily bars of rows (instrument, ordinal, open, high, low, close, volume, vwap, trades)."""
    columns = list(zip(*rows, strict=True))
    dtypes = [np.int32, np.int32, *[np.float64] * 6, np.int64]
    return DailyBars(*(np.array(column, dtype=dtype) for column, dtype in zip(columns, dtypes, strict=True)))


def table(bars):
    """Return bars as rows, an unknown vwap as None."""
    rows = zip(*(getattr(bars, name).tolist() for name in bars.__dataclass_fields__), strict=True)
    return [tuple(None if value != value else value for value in row) for row in rows]  # noqa: PLR0124 - NaN


WEEK = daily(
    # Instrument 7: sessions 0 to 4, without 3; instrument 9: session 5 alone.
    (7, 0, 10.0, 12.0, 9.0, 11.0, 100.0, 10.5, 5),
    (7, 1, 11.0, 11.5, 8.0, 8.5, 300.0, 9.5, 7),
    (7, 2, 8.5, 14.0, 8.5, 13.0, 0.0, NAN, 0),
    (7, 4, 13.0, 13.5, 12.5, 12.75, 50.0, 13.1, 2),
    (9, 5, 1.0, 1.0, 1.0, 1.0, 0.0, NAN, 0),
)


def test_bars_of_three_sessions_worked_by_hand():
    """Open, close, extremes, sums and mean price of each window are those worked by hand."""
    bars = fold(WEEK, 3, splits=NO_SPLITS, coverage=everything_loaded([7, 9], last=4))
    assert table(bars) == [
        # vwap of window 0: (10.5 * 100 + 9.5 * 300) / 400
        (7, 0, 10.0, 14.0, 8.0, 13.0, 400.0, 9.75, 12, 3, True),
        (7, 1, 13.0, 13.5, 12.5, 12.75, 50.0, 13.1, 2, 1, False),
        (9, 1, 1.0, 1.0, 1.0, 1.0, 0.0, None, 0, 1, False),
    ]


def test_columns_have_the_documented_dtypes_even_without_rows():
    """Every column has its dtype, of an empty history too, whose result has no bars."""
    dtypes = ["int32", "int32", *["float64"] * 6, "int64", "int16", "bool"]
    nothing = WEEK.take(slice(0, 0))
    for given in (WEEK, nothing):
        for n in (1, 3, 34):
            bars = fold(given, n, splits=splits_of([(7, 1, 1, 2)]), coverage=everything_loaded([7]))
            assert [str(getattr(bars, name).dtype) for name in Bars.__dataclass_fields__] == dtypes
    assert len(fold(nothing, 3, splits=NO_SPLITS, coverage=everything_loaded([]))) == 0
    assert fold_all(WEEK, (), splits=NO_SPLITS, coverage=everything_loaded([7])) == {}


def test_windows_before_ordinal_zero():
    """Sessions -1 and 0 lie in different windows, however few rows lie between."""
    rows = [(1, ordinal, 2.0, 2.0, 2.0, 2.0, 1.0, 2.0, 1) for ordinal in (-4, -3, -1, 0)]
    bars = fold(daily(*rows), 3, splits=NO_SPLITS, coverage=everything_loaded([1]))
    assert list(zip(bars.window.tolist(), bars.sessions.tolist(), strict=True)) == [(-2, 1), (-1, 2), (0, 1)]


def test_unknown_vwap_with_volume_and_unknown_trades_make_theirs_unknown():
    """One session with volume but no vwap leaves the bar without; one without trades likewise."""
    given = daily(
        (1, 0, 1.0, 1.0, 1.0, 1.0, 10.0, NAN, 3),
        (1, 1, 1.0, 1.0, 1.0, 1.0, 10.0, 1.0, 4),
        (1, 2, 1.0, 1.0, 1.0, 1.0, 10.0, 1.0, UNKNOWN_TRADES),
        (1, 3, 1.0, 1.0, 1.0, 1.0, 10.0, 1.0, 5),
    )
    bars = fold(given, 2, splits=NO_SPLITS, coverage=everything_loaded([1]))
    assert [row[7:9] for row in table(bars)] == [(None, 7), (1.0, UNKNOWN_TRADES)]


@pytest.mark.parametrize(
    ("ex_ordinal", "last_loaded", "rescaled"),
    [
        (0, 9, []),  # on the first daily bar
        (1, 9, [0]),
        (2, 9, [0, 1]),  # on the first window's last session
        (3, 9, []),  # on the second window's first session
        (4, 9, [3]),
        (5, 9, [3, 4]),  # after the last daily bar, on its window's last session
        (5, 4, []),  # the same, not loaded yet: the open window's basis is session 4
        (6, 9, []),  # after the last window's end
    ],
)
def test_which_daily_bars_a_split_rescales(ex_ordinal, last_loaded, rescaled):
    """A 2-for-1 split rescales the daily bars before it in its own window, those alone, once loaded."""
    given = daily(*[(1, ordinal, 8.0, 8.0, 8.0, 8.0, 1.0, 8.0, 1) for ordinal in (0, 1, 2, 3, 4)])
    bars = fold(
        given,
        3,
        splits=splits_of([(1, ex_ordinal, 1, 2), (2, 1, 1, 4)]),
        coverage=everything_loaded([1, 2], last=last_loaded),
    )
    volumes = [2.0 if ordinal in rescaled else 1.0 for ordinal in (0, 1, 2, 3, 4)]
    assert bars.volume.tolist() == [sum(volumes[:3]), sum(volumes[3:])]
    assert bars.open.tolist() == [4.0 if 0 in rescaled else 8.0, 4.0 if 3 in rescaled else 8.0]
    assert bars.close.tolist() == [8.0, 4.0 if 4 in rescaled else 8.0]
    assert bars.low.tolist() == [4.0 if rescaled and rescaled[0] < 3 else 8.0, 4.0 if 3 in rescaled else 8.0]


def test_splits_within_one_window_worked_by_hand():
    """Two splits in a window: the first daily bar takes both, the second one, the last none."""
    given = daily(
        (1, 0, 120.0, 126.0, 114.0, 120.0, 10.0, 120.0, 1),
        (1, 1, 60.0, 64.0, 58.0, 62.0, 20.0, 60.0, 1),
        (1, 2, 20.0, 22.0, 19.0, 21.0, 60.0, 20.0, 1),
    )
    splits = splits_of([(1, 2, 1, 3), (1, 1, 1, 2)])
    bars = fold(given, 3, splits=splits, coverage=everything_loaded([1]))
    third, sixth = 1 / 3, 1 * (1 / 2) * (1 / 3)
    high = max(126.0 * sixth, 64.0 * third, 22.0)
    low = min(114.0 * sixth, 58.0 * third, 19.0)
    vwap = (120.0 * sixth * 60.0 + 60.0 * third * 60.0 + 20.0 * 60.0) / 180.0
    assert table(bars) == [(1, 0, 120.0 * sixth, high, low, 21.0, 180.0, vwap, 3, 3, True)]
    assert vwap == pytest.approx(20.0, rel=1e-15)


def test_each_instruments_own_listing_may_be_the_anchor():
    """Counted from its first session, each instrument's window 0 begins there, and splits follow it."""
    given = daily_bars([1, 1, 1, 2, 2, 2], [4, 5, 6, 9, 11, 12], seed=1)
    anchor = np.array([4, 4, 4, 9, 9, 9], dtype=np.int32)
    splits = splits_of([(1, 6, 1, 2), (2, 11, 1, 2)])
    bars = fold(given, 3, splits=splits, coverage=everything_loaded([1, 2], last=11), anchor=anchor)
    assert [(row[0], row[1], row[9], row[10]) for row in table(bars)] == [
        (1, 0, 3, True),
        (2, 0, 2, True),
        (2, 1, 1, False),
    ]
    assert bars.open.tolist() == [given.open[0] / 2, given.open[3] / 2, given.open[5]]


def test_fractional_volumes_are_summed_in_the_documented_order():
    """Seven volumes are (a + b) + (c + d), then (e + f), then g: not from the left, not exactly rounded."""
    volume = [0.1, 0.2, 0.3, 1e16, 0.7, -0.0, 3.3]
    a, b, c, d, e, f, g = volume
    given = replace(daily_bars([1] * 7, range(7), seed=1), volume=np.array(volume))
    bars = fold(given, 7, splits=NO_SPLITS, coverage=everything_loaded([1]))
    assert bars.volume.tolist() == [(((a + b) + (c + d)) + (e + f)) + g]


def test_a_single_daily_bar_keeps_its_vwap_to_the_bit():
    """A price that 3 * v / 3 would not give back is kept."""
    vwap, volume = 1.1, 3.0
    price = next(
        price for price in (vwap + step / 1000 for step in range(1000)) if price * volume / volume != price
    )
    given = daily((1, 0, 1.0, 9.0, 1.0, 1.0, volume, price, 1))
    assert fold(given, 5, splits=NO_SPLITS, coverage=everything_loaded([1])).vwap.tolist() == [price]


@pytest.mark.parametrize(
    ("ids", "ordinals", "message"),
    [
        ([1, 1, 1], [3, 5, 4], r"row 2 \(instrument 1, ordinal 4\) comes after instrument 1, ordinal 5"),
        ([1, 1, 1], [3, 4, 4], r"row 2 \(instrument 1, ordinal 4\) comes after instrument 1, ordinal 4"),
        ([1, 2, 1], [3, 4, 5], r"row 2 \(instrument 1, ordinal 5\) comes after instrument 2, ordinal 4"),
        ([5, 4, 4], [1, 2, 1], r"row 1 \(instrument 4, ordinal 2\) comes after instrument 5, ordinal 1"),
    ],
)
@pytest.mark.parametrize("portion", [1, 2, 1 << 17])
def test_rows_that_do_not_ascend_are_refused(ids, ordinals, message, portion, monkeypatch):
    """The first row out of order is named with the row before it, wherever a portion may end."""
    monkeypatch.setattr("condvest.batch_layer.shared.core.folding.PORTION", portion)
    with pytest.raises(UnorderedSessions, match=message):
        fold(daily_bars(ids, ordinals, seed=1), 3, splits=NO_SPLITS, coverage=everything_loaded([1]))


@pytest.mark.parametrize("n", [0, -1, 40_000])
@pytest.mark.parametrize("rows", [0, 5])
def test_an_impossible_interval_is_refused(n, rows):
    """Even where there is nothing to fold."""
    with pytest.raises(UsageError, match=f"not {n}$"):
        fold(WEEK.take(slice(0, rows)), n, splits=NO_SPLITS, coverage=everything_loaded([7, 9]))


def test_the_daily_bars_given_are_left_as_they_were():
    """Folding with splits writes nothing into its input."""
    given = daily_bars([1] * 6, range(6), seed=2)
    before = [getattr(given, name).copy() for name in given.__dataclass_fields__]
    for array in given.__dict__.values():
        array.flags.writeable = False
    fold(given, 3, splits=splits_of([(1, 2, 1, 2)]), coverage=everything_loaded([1]))
    for name, column in zip(given.__dataclass_fields__, before, strict=True):
        np.testing.assert_array_equal(getattr(given, name), column)
