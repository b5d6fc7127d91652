"""Removals of all rows of an instrument, where the loads before them are told once more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from condvest.batch_layer.database.stores.daily.retold import Known, words_of
from condvest.batch_layer.database.stores.loading.told_loads import ToldLoad
from condvest.batch_layer.shared.models.bars import Bools, Columns, Int32s
from condvest.batch_layer.shared.models.difference import keys_of


def removals_of(loads: Sequence[ToldLoad]) -> list[list[int]]:
    """Return the loads that each removal consists of, ascending. What took back loads is none.

    Args:
        loads: in their order, with all that take back and all that were taken back.
    """
    undos = {each.taken_back_by for each in loads}
    ids: dict[str, list[int]] = {}
    for each in loads:
        if each.takes_back:
            ids.setdefault(each.archive_key, []).append(each.load_id)
    return [own for own in ids.values() if own[0] not in undos]


def removed(rows: Columns, load_id: Int32s, stored: Known[Any], by: Sequence[int]) -> Bools:
    """Return which rows a removal removed with all others of their instrument.

    Whose they were then is not known any more, but what was removed is among the revisions.

    Args:
        rows: what holds before it.
        load_id: int32 a row, the load that it came with.
        stored: what is stored of their keys, wherever it lies.
        by: the loads of the removal.
    """
    keys = keys_of(stored.past)
    gone = np.isin(keys, keys[np.isin(stored.superseded_by, by)]) & (stored.superseded_by <= max(by))
    said = set(words_of(stored.past.take(gone), stored.past_load_id[gone]))
    return np.array([word in said for word in words_of(rows, load_id)], dtype=bool)
