"""The provisional daily bars of the session under way, as columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES, Columns, DailyBars, Floats, Int32s, Int64s


@dataclass(frozen=True, eq=False)
class LiveBars(Columns):
    """Provisional daily bars, one row per instrument and session, by instrument and ordinal, none twice.

    Attributes:
        instrument_id: int32.
        ordinal: int32, the session's ordinal.
        open, high, low, close: float64, of the session's regular trades so far, on the split basis of the
            session itself; the open NaN where unknown.
        volume: float64, shares of all trades of the date so far, those before the open too.
        vwap: float64, of the same trades; NaN where unknown.
        data_through: int64, microseconds since 1970-01-01 UTC: the instant of the vendor's data up to which
            the row is known.
    """

    instrument_id: Int32s
    ordinal: Int32s
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    vwap: Floats
    data_through: Int64s

    def daily(self) -> DailyBars:
        """Return the rows as daily bars; how many trades there were is unknown while a session lasts."""
        trades = np.full(len(self), UNKNOWN_TRADES, dtype=np.int64)
        prices = (self.open, self.high, self.low, self.close, self.volume, self.vwap)
        return DailyBars(self.instrument_id, self.ordinal, *prices, trades)
