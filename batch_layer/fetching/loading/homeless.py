"""Store the splits and dividends that waited for an instrument, now that bars or listings have made it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.revisioned import RevisionedTable
from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.daily.doubts import HomelessAction, homeless_actions, note_adopted
from condvest.batch_layer.database.stores.daily.retold import read_known
from condvest.batch_layer.database.stores.identity.carriers import carriage_of
from condvest.batch_layer.database.stores.identity.instruments import NO_INSTRUMENT
from condvest.batch_layer.database.stores.loading.told_loads import ToldLoad, told_loads
from condvest.batch_layer.fetching.loading.retelling.answers import TABLES
from condvest.batch_layer.fetching.loading.retelling.reach import dates_of_keys, may_concern
from condvest.batch_layer.fetching.loading.retelling.told_anew import told_anew
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.shared.models.bars import Bools, Int32s, Int64s
from condvest.batch_layer.shared.models.corporate_actions import DividendEvents, Events, SplitEvents
from condvest.batch_layer.shared.models.difference import keys_of, pack
from condvest.batch_layer.shared.models.sessions import Dates
from condvest.batch_layer.shared.models.spans import Spans


def adopt_homeless(load: PayloadLoad) -> None:
    """Store the actions that have found an instrument, and record which windows the splits may rescale.

    Each stays the word of the load that brought it, as if it had had its instrument then: so where other
    loads may say something of the same instrument and ex-date, all of them are heard again.
    """
    every: list[ToldLoad] = []
    for dataset in ("splits", "dividends"):
        waiting, ids, ex_date = _placed(load.connection, homeless_actions(load.connection, dataset))
        if not waiting:
            continue
        every = every or told_loads(load.connection)
        keys = pack(ids, ex_date)
        alone = _alone(load, dataset, waiting, keys, every)
        chosen = np.flatnonzero(alone)
        _adopt(load, dataset, [waiting[row] for row in chosen.tolist()], ids[alone], ex_date[alone])
        if not alone.all() and not load.is_rehearsal:
            others = np.unique(keys[~alone])
            dates = dates_of_keys(load, dataset, others)
            concerning = [
                other
                for other in every
                if other.takes_back
                or (other.dataset == dataset and may_concern(other.archive_key, dataset, dates))
            ]
            told_anew(load, dataset, others, concerning)


def _alone(
    load: PayloadLoad,
    dataset: str,
    waiting: Sequence[HomelessAction],
    keys: Int64s,
    every: Sequence[ToldLoad],
) -> Bools:
    """Return which actions nothing else is known of, and no later list can have withdrawn."""
    table, _ = TABLES[dataset]
    known = read_known(load.connection, table, np.unique(keys))
    counts = Counter(keys.tolist())
    alone = ~np.isin(keys, np.concatenate([keys_of(known.rows), keys_of(known.past)]))
    alone &= np.array([counts[key] == 1 for key in keys.tolist()], dtype=bool)
    alone &= np.array(
        [_first_value(dataset, action) > 0 for action in waiting], dtype=bool
    )  # zeros take back
    by_id = {other.load_id: other for other in every}
    lists = [
        other
        for other in every
        if other.takes_back or (other.dataset == dataset and other.archive_key.split("/")[2] != "all")
    ]
    for row in np.flatnonzero(alone).tolist():
        own, date = by_id[waiting[row].load_id], waiting[row].ex_date.isoformat()
        alone[row] = not any(
            other.takes_back
            or (other.provider_id == own.provider_id and may_concern(other.archive_key, dataset, [date]))
            for other in lists
            if other.load_id > own.load_id
        )
    return alone


def _first_value(dataset: str, action: HomelessAction) -> float:
    return float(action.values["split_from" if dataset == "splits" else "cash_amount"])


def _adopt(
    load: PayloadLoad, dataset: str, waiting: Sequence[HomelessAction], ids: Int32s, ex_date: Dates
) -> None:
    """Store actions of which nothing else is known."""
    if not waiting:
        return
    table: RevisionedTable[Events] = TABLES[dataset][0]
    events = _events(dataset, waiting, ids, ex_date)
    table.insert(load.connection, events, np.array([action.load_id for action in waiting], dtype=np.int32))
    if isinstance(events, SplitEvents):
        touched = events.on(load.sessions)
        ordinal = np.minimum(touched.ex_ordinal, np.int32(load.sessions.last_ordinal))
        changes.record_instruments(load.connection, Spans.of_points(touched.instrument_id, ordinal))
    for action in waiting:
        note_adopted(load.connection, action)


def _events(dataset: str, waiting: Sequence[HomelessAction], ids: Int32s, ex_date: Dates) -> Events:
    def values(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([action.values[name] for action in waiting], dtype=np.float64)

    if dataset == "splits":
        return SplitEvents(ids, ex_date, values("split_from"), values("split_to"))
    return DividendEvents(ids, ex_date, values("cash_amount"))


def _placed(
    connection: Connection, waiting: Sequence[HomelessAction]
) -> tuple[list[HomelessAction], Int32s, Dates]:
    """Return the actions that have an instrument, which it is, and their ex-dates; see `carriers`."""
    carriage = carriage_of(connection, {action.symbol for action in waiting})
    owners = [
        carriage.owner(action.symbol, action.naming, action.ex_date)
        if action.symbols_mean == "today"
        else carriage.carrier(action.symbol, action.ex_date)
        for action in waiting
    ]
    ids = np.array(owners, dtype=np.int32)
    ex_date = np.array([action.ex_date for action in waiting], dtype="datetime64[D]")
    at_home = np.flatnonzero(ids > NO_INSTRUMENT)
    return [waiting[row] for row in at_home.tolist()], ids[at_home], ex_date[at_home]
