"""What a load has to do to the stored rows. Pure: it decides, the stores act."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from condvest.batch_layer.shared.models.bars import Bools, Columns, DailyBars, Int32s
from condvest.batch_layer.shared.models.difference import difference, says_nothing_new
from condvest.batch_layer.shared.models.spans import Spans

Rows = TypeVar("Rows", bound=Columns)


@dataclass(frozen=True, eq=False)
class Reconciled(Generic[Rows]):
    """What is to be done, and what was found to be done already.

    Attributes:
        insert: rows whose keys are not stored.
        old: stored rows to be superseded: those that change, then those withdrawn.
        old_load_id: int32 a row of ``old``, the load it came with.
        new: what the changed ones become, row by row as the first rows of ``old``.
        unchanged: how many rows are stored as they came, or say nothing that is not stored.
        outranked: how many differ from what is stored, but come from a lower-ranked provider.
    """

    insert: Rows
    old: Rows
    old_load_id: Int32s
    new: Rows
    unchanged: int
    outranked: int

    @property
    def withdrawn(self) -> int:
        """How many stored rows are withdrawn."""
        return len(self.old) - len(self.new)


def reconcile(
    stored: Rows, stored_load_id: Int32s, yielding: Bools, withdrawable: Bools, wanted: Rows
) -> Reconciled[Rows]:
    """Compare stored rows with those of a load.

    A row that differs only by what it does not know takes nothing back: a vendor's files have no vwap, which
    its service has given. One that differs otherwise wins whole, for what was known belongs to its prices.

    Args:
        stored: the stored rows that the load may concern, and more; keys unique.
        stored_load_id: int32 a stored row, the load it came with.
        yielding: bool a stored row, whether the load's provider ranks high enough to replace it.
        withdrawable: bool a stored row, whether it is withdrawn if the load does not have it.
        wanted: the load's rows, keys unique.
    """
    differences = difference(stored, wanted)
    differs = differences.changed.copy()
    differs[differences.changed] = ~says_nothing_new(
        wanted.take(differences.changed), stored.take(differences.replaced[differences.changed])
    )
    may_change = np.zeros(len(wanted), dtype=bool)
    may_change[differs] = yielding[differences.replaced[differs]]
    replaced = differences.replaced[may_change]
    withdrawn = np.flatnonzero(differences.gone & withdrawable)
    old = np.concatenate([replaced, withdrawn])
    return Reconciled(
        insert=wanted if differences.inserted.all() else wanted.take(differences.inserted),
        old=stored.take(old),
        old_load_id=stored_load_id[old],
        new=wanted.take(may_change),
        unchanged=len(wanted) - int(differences.inserted.sum() + differs.sum()),
        outranked=int(differs.sum() - may_change.sum()),
    )


def spans_to_read(wanted: DailyBars, whole_of: Int32s, bounds: tuple[int, int]) -> Spans:
    """Return the spans of stored daily bars that a load may concern, by instrument.

    Args:
        wanted: the load's bars.
        whole_of: int32, instruments whose absence from the load means something; may be empty.
        bounds: ordinals of the first and last session that the load claims for them, inclusive.
    """
    ids, inverse = np.unique(wanted.instrument_id, return_inverse=True)
    limits = np.iinfo(np.int32)
    first = np.full(len(ids), limits.max, dtype=np.int32)
    last = np.full(len(ids), limits.min, dtype=np.int32)
    np.minimum.at(first, inverse, wanted.ordinal)
    np.maximum.at(last, inverse, wanted.ordinal)
    read = Spans(ids.astype(np.int32), first, last)
    return Spans.concat([read, Spans.within(whole_of, *bounds)]).merged()
