"""Flags of whole series, on series made by hand."""

import numpy as np
import pytest

from condvest.batch_layer.shared.core.flags.bar_flags import FLAGS, flagged
from condvest.batch_layer.shared.core.flags.flag_criteria import STALE_SESSIONS
from condvest.batch_layer.shared.models.bars import DailyBars
from condvest.batch_layer.shared.models.corporate_actions import Splits

# A quiet series: closes swing by 1 % around 100, volumes by 10 % around 1,000.
QUIET = [100.0 + (place % 3 - 1) for place in range(40)]
USUAL = [1000.0 + 100 * (place % 3 - 1) for place in range(40)]


def series(closes, volumes=None, instrument_id=1):
    close = np.array(closes, dtype=float)
    count = len(close)
    return DailyBars(
        np.full(count, instrument_id, dtype=np.int32),
        np.arange(count, dtype=np.int32),
        close,
        close + 0.5,
        close - 0.5,
        close,
        np.array(USUAL[:count] if volumes is None else volumes, dtype=float),
        np.full(count, np.nan),
        np.full(count, -1),
    )


def splits(*events):
    columns = list(zip(*events, strict=True)) or [(), (), (), ()]
    kinds = (np.int32, np.int32, float, float)
    return Splits(*(np.array(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True)))


def found(daily, known=(), dividends=()):
    """``dividends``: instrument, ex-ordinal, close of the ex-date, and that close plus the cash."""
    flags = flagged(daily, splits(*known), splits(*dividends))
    return list(zip(flags.instrument_id.tolist(), flags.ordinal.tolist(), flags.flag.tolist(), strict=True))


def test_a_quiet_series_has_no_flag():
    assert found(series(QUIET)) == []


def test_a_split_that_the_prices_follow_has_no_flag():
    closes = QUIET[:30] + [price / 2 for price in QUIET[30:]]
    volumes = USUAL[:30] + [volume * 2 for volume in USUAL[30:]]
    assert found(series(closes, volumes), [(1, 30, 1, 2)]) == []


def test_a_split_that_the_prices_deny_is_flagged_on_its_ex_date():
    assert found(series(QUIET), [(1, 30, 1, 2)]) == [(1, 30, "split_denied")]


@pytest.mark.parametrize("day", [3, 30])
@pytest.mark.parametrize(("old", "new"), [(1, 2), (2, 3), (10, 1)])
def test_a_split_that_the_prices_follow_twice_is_flagged(day, old, new):
    """Prices as traded that were led back as if they were split-adjusted, early and late in a history."""
    led_back = [price * (new / old) ** 2 for price in QUIET[:day]] + QUIET[day:]
    assert found(series(led_back), [(1, day, old, new)]) == [(1, day, "split_twice")]
    followed = [price * new / old for price in QUIET[:day]] + QUIET[day:]
    assert found(series(followed), [(1, day, old, new)]) == []


def test_news_on_the_day_of_a_split_is_no_second_split():
    """2-for-1 and a fall of a quarter; a reverse split and a fall, which goes the other way."""
    fallen = QUIET[:30] + [price / 2 * 0.75 for price in QUIET[30:]]
    assert "split_twice" not in [flag for _, _, flag in found(series(fallen), [(1, 30, 1, 2)])]
    reverse = QUIET[:30] + [price * 10 * 0.6 for price in QUIET[30:]]
    assert "split_twice" not in [flag for _, _, flag in found(series(reverse), [(1, 30, 10, 1)])]


def test_a_halved_price_with_usual_turnover_lacks_a_split():
    closes = QUIET[:30] + [price / 2 for price in QUIET[30:]]
    volumes = USUAL[:30] + [volume * 2 for volume in USUAL[30:]]
    assert found(series(closes, volumes)) == [(1, 30, "split_missing")]


def test_a_halved_price_in_a_rush_of_trading_is_news():
    closes = QUIET[:30] + [price / 2 for price in QUIET[30:]]
    volumes = [*USUAL[:30], 20000.0, *USUAL[31:]]
    assert found(series(closes, volumes)) == [(1, 30, "outlier_move")]


@pytest.mark.parametrize("scale", [100.0, 0.01])
def test_volume_in_another_unit_is_flagged(scale):
    volumes = USUAL[:30] + [volume * scale for volume in USUAL[30:31]] + USUAL[31:]
    assert found(series(QUIET, volumes)) == [(1, 30, "volume_scale")]


def test_a_price_carried_forward_is_flagged_once_when_it_has_stood_long_enough():
    closes = QUIET[:20] + [QUIET[19]] * 15 + QUIET[35:]
    assert found(series(closes)) == [(1, 19 + STALE_SESSIONS - 1, "stale_price")]


def test_a_move_that_a_dividend_explains_has_no_flag():
    """From 27 to 15 over a dividend of 12.00; news of the same size has no dividend."""
    closes = [price * 0.27 for price in QUIET[:30]] + [price * 0.15 for price in QUIET[30:]]
    assert found(series(closes), dividends=[(1, 30, 15.0, 27.0)]) == []
    assert found(series(closes)) == [(1, 30, "outlier_move")]


def test_a_split_and_a_dividend_on_one_ex_date_explain_it_together():
    """2-for-1, then 6.00 a new share: from 54 to 21."""
    closes = [price * 0.54 for price in QUIET[:30]] + [price * 0.21 for price in QUIET[30:]]
    assert found(series(closes), [(1, 30, 1, 2)], [(1, 30, 21.0, 27.0)]) == []


def test_a_dividend_makes_no_move_of_what_is_none():
    """Half the price was paid and nothing fell: that is said of the dividend, and not of the price."""
    assert found(series(QUIET), dividends=[(1, 30, 100.0, 200.0)]) == [(1, 30, "dividend_denied")]


@pytest.mark.parametrize(
    ("vwap", "flags"),
    [
        (100.4, []),
        (100.6, ["vwap_outside_range"]),
        (99.4, ["vwap_outside_range"]),
        (100.5 * (1 + 1e-12), []),  # the last bits of a quotient
        (np.nan, []),
    ],
)
def test_a_vwap_outside_low_and_high_is_flagged(vwap, flags):
    """The low is 99.5, the high 100.5."""
    daily = series([100.0])
    daily.vwap[0] = vwap
    assert [flag for _, _, flag in found(daily)] == flags


def test_the_first_bar_of_an_instrument_is_not_compared_with_the_last_of_another():
    both = DailyBars.concat([series(QUIET), series([price / 50 for price in QUIET], instrument_id=2)])
    assert found(both) == []


def test_every_flag_has_a_severity_and_says_what_to_do():
    assert all(severity in {"error", "warning"} and text for severity, text in FLAGS.values())


def paid(*events):
    """Return dividends (session, cash per share) as they fall on bars that close at 100."""
    return [(1, session, 100.0, 100.0 + cash) for session, cash in events]


LEVEL = [100.0] * 40
ROUGH = [1000.0 + place for place in range(40)]


def of_dividends(closes, dividends, known=()):
    flags = found(series(closes, ROUGH), known, dividends)
    return [(session, flag) for _, session, flag in flags if flag.startswith("dividend")]


@pytest.mark.parametrize(
    ("after", "cash", "flags"),
    [
        (100, 24, [(30, "dividend_denied")]),  # 0.24 in cents
        (100, 9, []),  # as much as news moves it
        (80, 20, []),
        (91, 20, [(30, "dividend_denied")]),
        (25, 80, []),
        (40, 20, []),  # it fell further: no word about the dividend
    ],
)
def test_a_large_dividend_that_the_price_did_not_fall_by_is_flagged(after, cash, flags):
    closes = LEVEL[:30] + [after] * 10
    assert of_dividends(closes, [(1, 30, after, after + cash)]) == flags


def test_a_dividend_and_a_split_on_one_ex_date_are_judged_on_the_new_basis():
    closes = LEVEL[:30] + [40.0] * 10
    assert of_dividends(closes, [(1, 30, 40, 50)], [(1, 30, 1, 2)]) == []
    closes = LEVEL[:30] + [50.0] * 10
    assert of_dividends(closes, [(1, 30, 50, 60)], [(1, 30, 1, 2)]) == [(30, "dividend_denied")]


@pytest.mark.parametrize(
    ("second", "cash", "flags"),
    [
        (23, 0.5, [(23, "dividend_twice")]),
        (24, 0.5, []),
        (21, 0.4, [(21, "dividend_twice")]),  # 0.5 in another currency
        (21, 2.0, []),  # a special one beside it
    ],
)
def test_much_the_same_dividend_within_days_is_flagged(second, cash, flags):
    assert of_dividends(LEVEL, paid((20, 0.5), (second, cash))) == flags


@pytest.mark.parametrize(
    ("cash", "flags"),
    [
        (0.005, [(20, "dividend_scale")]),
        (8, [(20, "dividend_scale")]),  # 0.08 in cents
        (0.1, []),
        (0.4, []),
        (2, []),
    ],
)
def test_a_dividend_unlike_its_neighbours_by_a_hundred_is_flagged(cash, flags):
    usual = 0.5 if cash < 1 else 0.08
    around = [(session, usual) for session in (0, 5, 10, 15, 25, 30)]
    assert of_dividends(LEVEL, paid(*around[1:], (20, cash))) == flags


def test_two_neighbours_say_nothing_about_a_dividends_scale():
    assert of_dividends(LEVEL, paid((10, 0.5), (20, 0.005), (30, 0.5))) == []


def test_dividends_of_another_instrument_are_no_neighbours():
    both = DailyBars.concat([series(LEVEL, ROUGH), series(LEVEL, ROUGH, instrument_id=2)])
    dividends = [(2, 1, 100.0, 100.5), *((1, place, 100.0, 100.005) for place in (22, 27, 33, 39))]
    assert [flag for _, _, flag in found(both, (), dividends) if flag.startswith("dividend")] == []


def test_nothing_in_nothing_out():
    assert found(series([])) == []


def test_a_bar_that_copies_the_one_before_it_denies_no_split_but_the_next_one_may():
    """Carried forward over the ex-date, then 100 again, or half of it."""
    copied, split = [100, 101, 101, 101], [(1, 2, 1, 2)]
    assert found(series(copied, [9, 8, 8, 8]), split) == []
    assert found(series([*copied, 100], [9, 8, 8, 8, 7]), split) == [(1, 4, "split_denied")]
    assert found(series([*copied, 50], [9, 8, 8, 8, 16]), split) == []
