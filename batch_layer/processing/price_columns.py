"""The columns of prices that every table of bars has, and the way from arrays to Arrow. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from batch_layer.shared.models.bars import UNKNOWN_TRADES, Bars, DailyBars

PRICES = (
    pa.field("open", pa.float64(), nullable=False),
    pa.field("high", pa.float64(), nullable=False),
    pa.field("low", pa.float64(), nullable=False),
    pa.field("close", pa.float64(), nullable=False),
    pa.field("volume", pa.float64(), nullable=False),
    pa.field("vwap", pa.float64()),
    pa.field("trades", pa.int64()),
)
"""In order: quote currency, shares, and a number; null where unknown, which vwap and trades alone may be."""


def price_arrays(rows: DailyBars | Bars) -> dict[str, pa.Array]:
    """Return the columns of `PRICES` by name, in order; what is not null is not copied."""
    known = {field.name: pa.array(getattr(rows, field.name)) for field in PRICES if not field.nullable}
    return known | {
        "vwap": _nullable(rows.vwap, np.isnan(rows.vwap)),
        "trades": _nullable(rows.trades, rows.trades == UNKNOWN_TRADES),
    }


def _nullable(values: npt.NDArray[np.generic], unknown: npt.NDArray[np.bool_]) -> pa.Array:
    return pa.array(values, mask=unknown if unknown.any() else None)
