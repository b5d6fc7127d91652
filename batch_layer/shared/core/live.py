"""Which provisional bars count; pure.

The rule is a matter of keys alone: a live row counts if and only if its instrument has no daily bar of that
session and the ledger does not call the session complete for a provider of the instrument. So an official bar
takes the live one's place in the instant in which its load is committed, and no session is counted twice. A
daily bar that is withdrawn does not bring the live row back once its session is complete.

Example, session 7 under way, provider 0 of instruments 1 to 3::

    instrument   daily bar of 7   ledger of 7        the live row counts
    1            none             nothing, partial   True
    2            there            nothing, partial   False: official
    3            none             complete           False: it was not traded, or withdrawn
"""

from __future__ import annotations

import numpy as np

from condvest.batch_layer.shared.models.bars import Bools, DailyBars
from condvest.batch_layer.shared.models.coverage import Coverage
from condvest.batch_layer.shared.models.difference import pack
from condvest.batch_layer.shared.models.live import LiveBars


def that_count(live: LiveBars, official: DailyBars, coverage: Coverage) -> Bools:
    """Return, per live row, whether it counts.

    Args:
        live: the live rows.
        official: the daily bars with their keys, and perhaps others; in any order.
        coverage: of the instruments of the live rows.
    """
    has_bar = np.isin(pack(live.instrument_id, live.ordinal), pack(official.instrument_id, official.ordinal))
    is_over = coverage.is_complete(live.instrument_id, live.ordinal, live.ordinal)
    counts: Bools = ~has_bar & ~is_over
    return counts


def with_live(daily: DailyBars, live: LiveBars) -> DailyBars:
    """Return daily bars and live rows (which count) as one, ascending by instrument and ordinal."""
    if not len(live):
        return daily
    both = DailyBars.concat([daily, live.daily()])
    return both.in_order(pack(both.instrument_id, both.ordinal))
