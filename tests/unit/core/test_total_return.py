"""Dividends as ratios of prices, worked by hand."""

import datetime as dt

import numpy as np

from condvest.batch_layer.shared.core.total_return import dividend_ratios
from condvest.batch_layer.shared.models.bars import DailyBars
from condvest.batch_layer.shared.models.corporate_actions import DividendEvents
from condvest.batch_layer.shared.models.sessions import calendar_of
from condvest.batch_layer.shared.utils.calendar import exchange_sessions
from tests.support.strategies.histories import splits_of

SESSIONS = calendar_of(*exchange_sessions(1962, 1962))


def daily(*rows):
    """Bars from (instrument, ordinal, close)."""
    ids, ordinals, closes = zip(*rows, strict=True)
    close = np.array(closes, dtype=float)
    blank = np.full(len(rows), np.nan)
    return DailyBars(
        np.array(ids, dtype=np.int32), np.array(ordinals, dtype=np.int32),
        close, close, close, close, blank, blank, np.full(len(rows), -1),
    )  # fmt: skip


def ratios(bars, *dividends, splits=()):
    ids, dates, amounts = zip(*dividends, strict=True)
    events = DividendEvents(
        np.array(ids, dtype=np.int32), np.array(dates, dtype="datetime64[D]"), np.array(amounts, dtype=float)
    )
    found = dividend_ratios(events, bars, splits_of(splits), SESSIONS)
    return list(
        zip(
            found.instrument_id.tolist(),
            found.ex_ordinal.tolist(),
            found.split_from.tolist(),
            found.split_to.tolist(),
            strict=True,
        )
    )


BARS = daily((1, 0, 100.0), (1, 1, 98.0), (1, 3, 99.0), (2, 0, 50.0))


def test_a_dividend_is_reinvested_at_the_close_of_its_ex_date():
    """1962-01-03 has the ordinal 1; prices before it are multiplied by 98 / (98 + 2)."""
    assert ratios(BARS, (1, dt.date(1962, 1, 3), 2.0)) == [(1, 1, 98.0, 100.0)]


def test_without_a_bar_on_the_ex_date_the_next_one_counts():
    """1962-01-04 has the ordinal 2, on which the instrument has no bar."""
    assert ratios(BARS, (1, dt.date(1962, 1, 4), 1.0)) == [(1, 3, 99.0, 100.0)]


def test_an_ex_date_that_is_no_session_belongs_to_the_next():
    """1962-01-06 is a Saturday; the Monday has the ordinal 4, after the last bar."""
    assert ratios(BARS, (1, dt.date(1962, 1, 6), 1.0)) == []


def test_a_dividend_before_the_first_bar_or_after_the_last_counts_for_nothing():
    assert ratios(BARS, (1, dt.date(1962, 1, 2), 1.0), (2, dt.date(1962, 1, 3), 1.0)) == []


def test_several_that_fall_on_one_bar_are_one_sum():
    """1962-01-04 has no bar; what is paid then and on 1962-01-05 comes with that session's return."""
    paid = ((1, dt.date(1962, 1, 5), 0.5), (1, dt.date(1962, 1, 4), 1.0), (1, dt.date(1962, 1, 3), 2.0))
    assert ratios(BARS, *paid) == [(1, 1, 98.0, 100.0), (1, 3, 99.0, 100.5)]


def test_an_amount_of_a_halt_is_brought_over_the_splits_of_the_halt():
    """Paid on 1962-01-04 (ordinal 2) in old shares, split 2-for-1 with ordinal 3, where 1 trades again: 0.5.

    What is paid on the split's own ex-date is in new shares already, and no split of another counts.
    """
    paid = ((1, dt.date(1962, 1, 4), 1.0), (1, dt.date(1962, 1, 5), 0.25))
    splits = [(1, 3, 1, 2), (1, 2, 1, 10), (2, 3, 1, 4)]
    assert ratios(BARS, *paid, splits=splits) == [(1, 3, 99.0, 99.75)]


def test_an_amount_crosses_every_split_of_its_halt():
    """Halted from ordinal 1 to 4: 3.00 paid before a 1-for-3 and a 2-for-1, and 1.00 between them."""
    bars = daily((1, 0, 100.0), (1, 5, 50.0))
    paid = ((1, dt.date(1962, 1, 3), 3.0), (1, dt.date(1962, 1, 5), 1.0))
    # 3.00 x 3 / 2 = 4.50 and 1.00 / 2 = 0.50.
    assert ratios(bars, *paid, splits=[(1, 2, 3, 1), (1, 4, 1, 2)]) == [(1, 5, 50.0, 55.0)]
