"""The factor by which a dividend rescales the prices before it, for a total-return series. Pure.

A dividend is taken as reinvested at the close of its ex-date, so that over the ex-date the series moves by

    return = (close + cash_amount) / close_before

with both closes on the split basis of the ex-date. Every price before the ex-date is therefore multiplied by
``close / (close + cash_amount)``. Source: the holding-period total return of CRSP's Data Definitions,
r(t) = (p(t) f(t) + d(t)) / p(t - 1) - 1, which the sample's own Adj Close follows to its printed precision.
(The factor 1 - cash_amount / close_before that some vendors use reinvests at the close before, and differs
from it in the second order.)
"""

from __future__ import annotations

import numpy as np

from batch_layer.shared.models.bars import DailyBars
from batch_layer.shared.models.corporate_actions import DividendEvents, Splits
from batch_layer.shared.models.difference import keys_of, pack
from batch_layer.shared.models.sessions import Sessions


def dividend_ratios(dividends: DividendEvents, daily: DailyBars, sessions: Sessions) -> Splits:
    """Return dividends as ratios of prices, in the shape of splits: ``split_from / split_to`` is the factor.

    Args:
        dividends: of any instruments, any order; cash_amount a share as traded on the ex-date.
        daily: daily bars as traded, ascending by instrument and ordinal, up to the last loaded session.
        sessions: the calendar.

    Returns:
        one row a daily bar that a dividend falls on, the instrument's first one on or after the ex-date: its
        ``ex_ordinal`` is the bar's ordinal, ``split_from`` its close, ``split_to`` the close and all the
        dividends that fall on it. A dividend with no daily bar on or after its ex-date, or none before it,
        counts for nothing and is left out.
    """
    ex_ordinal = sessions.ordinals_on_or_after(dividends.ex_date)
    place = np.searchsorted(keys_of(daily), pack(dividends.instrument_id, ex_ordinal))
    found = np.zeros(len(place), dtype=bool)
    inside = (place > 0) & (place < len(daily))
    found[inside] = (daily.instrument_id[place[inside]] == dividends.instrument_id[inside]) & (
        daily.instrument_id[place[inside] - 1] == dividends.instrument_id[inside]
    )
    place, row = np.unique(place[found], return_inverse=True)
    close = daily.close[place]
    cash = np.bincount(row, weights=dividends.cash_amount[found], minlength=len(place))
    return Splits(daily.instrument_id[place], daily.ordinal[place], close, close + cash)
