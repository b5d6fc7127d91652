"""Store the splits and dividends that waited for an instrument, now that bars or listings have made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from condvest.batch_layer.database.postgres.connection import Connection
from condvest.batch_layer.database.postgres.revisioned import DIVIDENDS, SPLITS, RevisionedTable
from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.doubts import (
    HomelessAction,
    homeless_actions,
    note_adopted,
    note_overruled,
)
from condvest.batch_layer.database.stores.instruments import NO_INSTRUMENT, instruments_of
from condvest.batch_layer.database.stores.loads import ranks_of_loads
from condvest.batch_layer.fetching.loading.carriers import or_takers
from condvest.batch_layer.shared.models.bars import Bools, Floats, Int32s, Int64s
from condvest.batch_layer.shared.models.corporate_actions import DividendEvents, Events, SplitEvents
from condvest.batch_layer.shared.models.difference import keys_of
from condvest.batch_layer.shared.models.sessions import Dates, Sessions
from condvest.batch_layer.shared.models.spans import Spans, always

E = TypeVar("E", bound=Events)


def adopt_homeless(connection: Connection, sessions: Sessions) -> None:
    """Store the actions that have found an instrument, and record which windows the splits may rescale.

    Each stays the word of the load that brought it. An action that is stored already is left as it is, and
    one that was taken back while it waited is not stored.
    """
    waiting, ids, ex_date = _placed(connection, homeless_actions(connection, "splits"))
    if waiting:
        ratio = _values(waiting, "split_from"), _values(waiting, "split_to")
        splits = SplitEvents(ids, ex_date, *ratio)
        is_new = _adopt(connection, SPLITS, waiting, splits, *ratio)
        touched = splits.take(is_new).on(sessions)
        ordinal = np.minimum(touched.ex_ordinal, np.int32(sessions.last_ordinal))
        changes.record_instruments(connection, Spans.of_points(touched.instrument_id, ordinal))
    waiting, ids, ex_date = _placed(connection, homeless_actions(connection, "dividends"))
    if waiting:
        amount = _values(waiting, "cash_amount")
        _adopt(connection, DIVIDENDS, waiting, DividendEvents(ids, ex_date, amount), amount)


def _adopt(
    connection: Connection,
    table: RevisionedTable[E],
    waiting: Sequence[HomelessAction],
    events: E,
    *values: Floats,
) -> Bools:
    """Store those of the waiting actions that count; return which they are."""
    keys = keys_of(events)
    stored, _ = table.read_with_load(connection, always(np.unique(events.instrument_id)))
    is_stored = np.isin(keys, keys_of(stored))
    winner = _winners(connection, waiting, keys, *values)
    is_new: Bools = (winner == np.arange(len(keys))) & ~is_stored
    for column in values:
        is_new &= column > 0  # zeros take back
    table.insert(connection, events.take(is_new), _load_ids(waiting)[is_new])
    _note(connection, waiting, winner, is_new, is_stored, *values)
    return is_new


def _placed(
    connection: Connection, waiting: Sequence[HomelessAction]
) -> tuple[list[HomelessAction], Int32s, Dates]:
    """Return the actions that have an instrument, which it is, and their ex-dates; see `carriers`."""
    symbol = np.array([action.symbol for action in waiting], dtype=object)
    ex_date = np.array([action.ex_date for action in waiting], dtype="datetime64[D]")
    of_today = np.array([action.symbols_mean == "today" for action in waiting], dtype=bool)
    ids = instruments_of(connection, symbol, ex_date)
    ids[of_today] = or_takers(connection, ids[of_today], symbol[of_today], ex_date[of_today])
    at_home = np.flatnonzero(ids != NO_INSTRUMENT)
    return [waiting[row] for row in at_home.tolist()], ids[at_home], ex_date[at_home]


def _values(waiting: Sequence[HomelessAction], name: str) -> Floats:
    return np.array([action.values[name] for action in waiting], dtype=np.float64)


def _load_ids(waiting: Sequence[HomelessAction]) -> Int32s:
    return np.array([action.load_id for action in waiting], dtype=np.int32)


def _winners(
    connection: Connection, waiting: Sequence[HomelessAction], keys: Int64s, *values: Floats
) -> Int64s:
    """Return, for each action, the row of the one that counts for its key.

    That is the last of the highest rank, or the first of that rank with the same values: a value that
    came twice was known from the first time on.
    """
    _, rank = ranks_of_loads(connection, _load_ids(waiting))
    winner: dict[int, int] = {}
    for row, key in enumerate(keys.tolist()):
        leader = winner.get(key)
        if leader is None or (
            rank[row] >= rank[leader]
            and (rank[row] > rank[leader] or any(column[row] != column[leader] for column in values))
        ):
            winner[key] = row
    return np.array([winner[key] for key in keys.tolist()], dtype=np.int64)


def _note(
    connection: Connection,
    waiting: Sequence[HomelessAction],
    winner: Int64s,
    is_new: Bools,
    is_stored: Bools,
    *values: Floats,
) -> None:
    """Note what became of each action: stored, stored already, or overruled while it waited."""
    for row, action in enumerate(waiting):
        leader = int(winner[row])
        repeats = row > leader and all(column[row] == column[leader] for column in values)
        if is_new[row] or is_stored[row] or (repeats and is_new[leader]):
            note_adopted(connection, action, is_new=bool(is_new[row]))
        else:
            note_overruled(connection, action)
