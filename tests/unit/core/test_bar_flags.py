"""Flags of whole series, on series made by hand."""

import numpy as np
import pytest

from batch_layer.shared.core.bar_flags import FLAGS, STALE_SESSIONS, flagged
from batch_layer.shared.models.bars import DailyBars
from batch_layer.shared.models.corporate_actions import Splits

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
    assert found(series(QUIET), dividends=[(1, 30, 100.0, 200.0)]) == []


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


def test_nothing_in_nothing_out():
    assert found(series([])) == []
