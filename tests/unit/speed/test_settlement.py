"""Live rows held against official bars: by hand."""

import numpy as np

from condvest.batch_layer.shared.models.bars import DailyBars
from condvest.batch_layer.shared.models.live import LiveBars
from condvest.speed_layer.core.phases import SETTLE_AFTER, Calm, Hours
from condvest.speed_layer.core.provisional import Provisional
from condvest.speed_layer.core.settlement import settle


def live(ids, close, volume):
    ones = np.ones(len(ids))
    prices = (10 * ones, 12 * ones, 9 * ones, np.array(close), np.array(volume), np.full(len(ids), np.nan))
    return LiveBars(
        np.array(ids, np.int32), np.full(len(ids), 7, np.int32), *prices, np.zeros(len(ids), np.int64)
    )


def official(ids, close, volume):
    rows = live(ids, close, volume).daily()
    return DailyBars(*(getattr(rows, name) for name in rows.__dataclass_fields__))


def test_the_figures_of_a_session():
    """1 to 3 on one side, 2 to 4 on the other; of 2 the close is off by 1 %, of 3 the volume."""
    found = settle(
        live([1, 2, 3], [11.0, 10.1, 11.0], [100.0, 100.0, 99.0]),
        ["settled", "closing", "settled"],
        official([2, 3, 4], [10.0, 11.0, 11.0], [100.0, 100.0, 100.0]),
    )
    assert (found.compared, found.only_live, found.only_official, found.differing) == (2, 1, 1, 1)
    assert [(one[0], one[1]) for one in found.differences] == [(2, "close")]
    figures = {(one.phase, one.field): one for one in found.figures}
    assert figures["closing", "close"].equal == 0
    assert round(figures["closing", "close"].largest, 9) == 0.01
    assert figures["settled", "close"].equal == 1
    assert round(figures["settled", "volume"].median, 9) == 0.01
    assert ("settled", "vwap") not in figures


def test_a_bar_settles_when_it_has_stopped_changing():
    """Five minutes apart, both five minutes after the close; a change begins anew."""
    hours = Hours(0, 1000)
    first = hours.closes_at + SETTLE_AFTER

    def bars(close):
        one = np.ones(1)
        return Provisional(
            np.zeros(1, np.int32),
            one,
            one * 3,
            one,
            one * close,
            one,
            one,
            one,
            *(np.zeros(1, np.int64),) * 2,
        )

    told = [(first - 1, 2), (first, 2), (first + SETTLE_AFTER - 1, 2), (first + SETTLE_AFTER, 2)]
    told += [(first + SETTLE_AFTER + 1, 2.5), (first + 2 * SETTLE_AFTER + 1, 2.5)]
    calm, settled = Calm.unknown(), []
    for through, close in told:
        calm = calm.after(bars(close), 1, through, hours)
        settled.append(calm.is_settled(bars(close), through).tolist())
    assert settled == [[False], [False], [False], [True], [False], [True]]
