"""Splits and dividends, as columns."""

from __future__ import annotations

from dataclasses import dataclass

from batch_layer.shared.models.bars import Columns, Floats, Int32s


@dataclass(frozen=True, eq=False)
class Splits(Columns):
    """Splits of instruments. On the ex-date ``split_from`` old shares become ``split_to`` new ones.

    A 2-for-1 split has ``split_from`` 1 and ``split_to`` 2; a 1-for-10 reverse split 10 and 1.

    Attributes:
        instrument_id: int32.
        ex_ordinal: int32, ordinal of the first session on or after the ex-date.
        split_from, split_to: float64, above 0.
    """

    instrument_id: Int32s
    ex_ordinal: Int32s
    split_from: Floats
    split_to: Floats
