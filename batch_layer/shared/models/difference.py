"""What distinguishes the rows that are from the rows that should be."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES, Bools, Columns, Int32s, Int64s


@dataclass(frozen=True, eq=False)
class Difference:
    """Row by row, what has to happen to the stored rows.

    Attributes:
        inserted: bool a wanted row, whether its key is not stored.
        changed: bool a wanted row, whether it is stored with other values.
        replaced: int64 a wanted row, the place of the stored row of its key; -1 where there is none.
        gone: bool a stored row, whether its key is not wanted.
    """

    inserted: Bools
    changed: Bools
    replaced: Int64s
    gone: Bools

    @property
    def unchanged(self) -> int:
        """How many wanted rows are stored as they are."""
        return int(len(self.inserted) - self.inserted.sum() - self.changed.sum())


def keys_of(rows: Columns) -> Int64s:
    """Return each row's key as one int64, in the keys' order.

    The key is the first two columns: the instrument, and an ordinal, a window or an ex-date.
    """
    instrument_id, number = (getattr(rows, field.name) for field in fields(rows)[:2])
    return pack(instrument_id, number)


def pack(instrument_id: npt.NDArray[Any], number: npt.NDArray[Any]) -> Int64s:
    """Return (instrument_id, number) as one int64 a row, in the order of the pairs.

    The number is an int32 or a datetime64[D].
    """
    return (instrument_id.astype(np.int64) << 32) + (number.astype(np.int64) + 2**31)


def unpack(keys: Int64s) -> tuple[Int32s, Int32s]:
    """Return what `pack` made of (instrument_id, number), int32 both."""
    instrument_id = keys >> 32
    return instrument_id.astype(np.int32), ((keys & (2**32 - 1)) - 2**31).astype(np.int32)


def difference(stored: Columns, wanted: Columns) -> Difference:
    """Compare two sets of rows of one kind by key and, value by value, exactly; NaN equals NaN.

    Keys (see `keys_of`) are unique on either side; no order is needed.
    """
    stored_keys, wanted_keys = keys_of(stored), keys_of(wanted)
    order = np.argsort(stored_keys, kind="stable")
    ranked = stored_keys[order]
    position = np.searchsorted(ranked, wanted_keys)
    is_stored = position < len(ranked)
    is_stored[is_stored] = ranked[position[is_stored]] == wanted_keys[is_stored]
    replaced = np.full(len(wanted_keys), -1, dtype=np.int64)
    replaced[is_stored] = order[position[is_stored]]
    changed = np.zeros(len(wanted_keys), dtype=bool)
    changed[is_stored] = _differ(stored.take(replaced[is_stored]), wanted.take(is_stored))
    gone = np.ones(len(stored_keys), dtype=bool)
    gone[replaced[is_stored]] = False
    return Difference(inserted=~is_stored, changed=changed, replaced=replaced, gone=gone)


def says_nothing_new(wanted: Columns, stored: Columns) -> Bools:
    """Return, row by row of the same keys, whether all that a wanted row knows is stored already."""
    return ~_differ(stored, wanted, or_unknown=True)


def _differ(left: Columns, right: Columns, *, or_unknown: bool = False) -> Bools:
    """Return which rows differ; with ``or_unknown`` what the right one does not know is no difference."""
    unlike = np.zeros(len(left), dtype=bool)
    for field in fields(left):
        ours: npt.NDArray[Any] = getattr(left, field.name)
        theirs: npt.NDArray[Any] = getattr(right, field.name)
        differs = ours != theirs
        if ours.dtype.kind == "f":
            unknown = np.isnan(theirs)
            differs &= ~(unknown if or_unknown else unknown & np.isnan(ours))
        elif or_unknown and field.name == "trades":
            differs &= theirs != UNKNOWN_TRADES
        unlike |= differs
    return unlike
