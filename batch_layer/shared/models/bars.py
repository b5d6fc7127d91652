"""Daily bars and bars of n sessions, as columns.

Prices are in the quote currency, volume in shares (fractions occur), vwap is the volume-weighted mean
price, trades the number of trades. An unknown open or vwap is NaN, an unknown number of trades
UNKNOWN_TRADES.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Int16s = npt.NDArray[np.int16]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.intp]

UNKNOWN_TRADES = -1
"""Stands for a number of trades that the provider does not give."""


@dataclass(frozen=True, eq=False)
class Columns:
    """Arrays of one length, one row across them. Subclasses name and document the columns."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> Self:
        """Return the rows chosen by a mask, by positions or by a slice."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        if isinstance(rows, np.ndarray) and rows.dtype.kind == "i":  # twice as fast as by brackets
            return type(self)(**{name: values.take(rows) for name, values in columns.items()})
        return type(self)(**{name: values[rows] for name, values in columns.items()})

    def in_order(self, keys: Int64s) -> Self:
        """Return the rows by ``keys`` (int64, one per row); the object itself where they ascend already."""
        return self if (keys[1:] >= keys[:-1]).all() else self.take(np.argsort(keys, kind="stable"))

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, one after the other. There must be at least one part."""
        return cls(
            **{
                field.name: np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(cls)
            }
        )


@dataclass(frozen=True, eq=False)
class DailyBars(Columns):
    """Daily bars as traded, one row an instrument and session.

    Attributes:
        instrument_id: int32.
        ordinal: int32, the session's ordinal.
        open, high, low, close: float64, as traded (unadjusted); the open NaN where unknown.
        volume: float64, shares.
        vwap: float64, NaN where unknown.
        trades: int64, UNKNOWN_TRADES where unknown.
    """

    instrument_id: Int32s
    ordinal: Int32s
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    vwap: Floats
    trades: Int64s


@dataclass(frozen=True, eq=False)
class Bars(Columns):
    """Bars of n sessions, one row per instrument and window; n is not a column.

    Attributes:
        instrument_id: int32.
        window: int32, number of the window: the sessions with ordinal // n == window.
        open, high, low, close: float64, on the split basis of the window's end; the open NaN where
            that of the first daily bar is unknown.
        volume: float64, shares on the same basis.
        vwap: float64, NaN where unknown for any session with volume.
        trades: int64, UNKNOWN_TRADES where unknown for any session.
        sessions: int16, how many daily bars went in.
        is_complete: bool, whether every session of the window has been loaded in full; see `Coverage`.
    """

    instrument_id: Int32s
    window: Int32s
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    vwap: Floats
    trades: Int64s
    sessions: Int16s
    is_complete: Bools


def run_starts(values: npt.NDArray[Any]) -> Positions:
    """Return the rows at which another value begins; row 0 is one of them, if there is a row."""
    begins = np.ones(len(values), dtype=np.bool_)
    np.not_equal(values[1:], values[:-1], out=begins[1:])
    return np.flatnonzero(begins)


_NARROW = 1 << 16
"""So many flags are made at least as fast as some rows are sorted."""


def distinct_numbers(values: Int32s) -> Int32s:
    """Return the numbers that occur, ascending, as `np.unique` does; of a narrow range without sorting."""
    if not len(values):
        return values
    least, most = int(values.min()), int(values.max())
    if most - least > max(len(values), _NARROW):
        return np.unique(values)
    occurs = np.zeros(most - least + 1, dtype=np.bool_)
    occurs[values.astype(np.int64) - least] = True
    return (np.flatnonzero(occurs) + least).astype(np.int32)
