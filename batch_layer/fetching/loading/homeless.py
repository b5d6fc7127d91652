"""Store the splits and dividends that waited for an instrument, now that bars or listings have made it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from batch_layer.database.postgres.connection import Connection
from batch_layer.database.postgres.revisioned import DIVIDENDS, SPLITS
from batch_layer.database.stores import changes
from batch_layer.database.stores.doubts import HomelessAction, homeless_actions, note_adopted
from batch_layer.database.stores.instruments import NO_INSTRUMENT
from batch_layer.fetching.loading.carriers import carriers_or_takers
from batch_layer.shared.models.bars import Bools, Floats, Int32s, Int64s
from batch_layer.shared.models.corporate_actions import DividendEvents, SplitEvents
from batch_layer.shared.models.difference import keys_of
from batch_layer.shared.models.sessions import Dates, Sessions
from batch_layer.shared.models.spans import Spans, always


def adopt_homeless(connection: Connection, sessions: Sessions) -> None:
    """Store the actions that have found an instrument, and record which windows the splits may rescale.

    Each stays the word of the load that brought it. An action that is stored already is left as it is.
    """
    waiting = homeless_actions(connection, "splits")
    if waiting:
        ids, ex_date = _placed(connection, waiting)
        splits = SplitEvents(ids, ex_date, _values(waiting, "split_from"), _values(waiting, "split_to"))
        stored, _ = SPLITS.read_with_load(connection, always(np.unique(ids)))
        is_new = _is_new(keys_of(splits), keys_of(stored))
        SPLITS.insert(connection, splits.take(is_new), _load_ids(waiting)[is_new])
        touched = splits.take(is_new).on(sessions)
        ordinal = np.minimum(touched.ex_ordinal, np.int32(sessions.last_ordinal))
        changes.record_instruments(connection, Spans.of_points(touched.instrument_id, ordinal))
        _note(connection, waiting, is_new)
    waiting = homeless_actions(connection, "dividends")
    if waiting:
        ids, ex_date = _placed(connection, waiting)
        dividends = DividendEvents(ids, ex_date, _values(waiting, "cash_amount"))
        paid, _ = DIVIDENDS.read_with_load(connection, always(np.unique(ids)))
        is_new = _is_new(keys_of(dividends), keys_of(paid))
        DIVIDENDS.insert(connection, dividends.take(is_new), _load_ids(waiting)[is_new])
        _note(connection, waiting, is_new)


def _placed(connection: Connection, waiting: Sequence[HomelessAction]) -> tuple[Int32s, Dates]:
    symbol = np.array([action.symbol for action in waiting], dtype=object)
    ex_date = np.array([action.ex_date for action in waiting], dtype="datetime64[D]")
    ids = carriers_or_takers(connection, symbol, ex_date)
    if (ids == NO_INSTRUMENT).any():
        raise ValueError(
            "expected an instrument for each action whose symbol is carried on its date or later"
        )
    return ids, ex_date


def _values(waiting: Sequence[HomelessAction], name: str) -> Floats:
    return np.array([action.values[name] for action in waiting], dtype=np.float64)


def _load_ids(waiting: Sequence[HomelessAction]) -> Int32s:
    return np.array([action.load_id for action in waiting], dtype=np.int32)


def _is_new(keys: Int64s, stored: Int64s) -> Bools:
    """Return which keys are not stored, of equal ones the first alone."""
    _, first = np.unique(keys, return_index=True)
    is_first = np.zeros(len(keys), dtype=bool)
    is_first[first] = True
    return is_first & ~np.isin(keys, stored)


def _note(connection: Connection, waiting: Sequence[HomelessAction], is_new: Bools) -> None:
    for action, new in zip(waiting, is_new.tolist(), strict=True):
        note_adopted(connection, action, is_new=new)
