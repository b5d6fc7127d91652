"""The factor by which a dividend rescales the prices before it, for a total-return series. Pure.

A dividend is taken as reinvested at the close of its ex-date, so that over the ex-date the series moves by

    return = (close + cash_amount) / close_before

with both closes and the amount on the split basis of the ex-date. Every price before the ex-date is
therefore multiplied by ``close / (close + cash_amount)``. Without a daily bar on the ex-date (a halt), the
next one takes its place; if a split lies between, the amount is brought to that bar's basis first. Example,
with a 2-for-1 split on 06-06::

    session       06-04   06-05 (ex-date of 2.00, halted)   06-06
    close           100                                        49

The amount is 1.00 per new share, so the return is (49 + 1) x 2 / 100 - 1 = 0, and the factor is 49 / 50.
Source: the holding-period total return of CRSP's Data Definitions,
r(t) = (p(t) f(t) + d(t)) / p(t - 1) - 1, which the sample's own Adj Close follows to its printed precision.
(The factor 1 - cash_amount / close_before that some vendors use reinvests at the close before, and differs
from it in the second order.)
"""

from __future__ import annotations

import numpy as np

from condvest.batch_layer.shared.core.adjustment import split_factors
from condvest.batch_layer.shared.models.bars import DailyBars
from condvest.batch_layer.shared.models.corporate_actions import DividendEvents, Splits
from condvest.batch_layer.shared.models.difference import keys_of, pack
from condvest.batch_layer.shared.models.sessions import Sessions


def dividend_ratios(
    dividends: DividendEvents, daily: DailyBars, splits: Splits, sessions: Sessions
) -> Splits:
    """Return dividends as ratios of prices, in the shape of splits: ``split_from / split_to`` is the factor.

    Args:
        dividends: of any instruments, any order; cash_amount per share as traded on the ex-date.
        daily: daily bars as traded, ascending by instrument and ordinal, up to the last loaded session.
        splits: all splits of the instruments, in any order.
        sessions: the calendar.

    Returns:
        One row per daily bar that a dividend falls on, the instrument's first on or after the ex-date: its
        ``ex_ordinal`` is the bar's ordinal, ``split_from`` its close, ``split_to`` the close plus all
        dividends that fall on it, each on the bar's split basis. A dividend with no daily bar on or after its
        ex-date, or none before it, is left out.
    """
    ex_ordinal = sessions.ordinals_on_or_after(dividends.ex_date)
    bar = np.searchsorted(keys_of(daily), pack(dividends.instrument_id, ex_ordinal))
    counts = (bar > 0) & (bar < len(daily))
    own, own_id = bar[counts], dividends.instrument_id[counts]
    counts[counts] = (daily.instrument_id[own] == own_id) & (daily.instrument_id[own - 1] == own_id)
    bar, instrument_id = bar[counts], dividends.instrument_id[counts]
    to_basis_of_bar, _ = split_factors(instrument_id, ex_ordinal[counts], daily.ordinal[bar], splits)
    cash_amount = dividends.cash_amount[counts] * to_basis_of_bar
    bar, of_bar = np.unique(bar, return_inverse=True)
    close = daily.close[bar]
    cash = np.bincount(of_bar, weights=cash_amount, minlength=len(bar))
    return Splits(daily.instrument_id[bar], daily.ordinal[bar], close, close + cash)
