"""Bars of n sessions, in the database.

The bar under way of each instrument and interval is in `open_bars`, all others are in `closed_bars`; views
named ``bars_N`` hold both. No key is in both: whoever stores bars holds the lock of their instruments'
partition, and only this module writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import empty
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.reading import bars_by_key
from condvest.batch_layer.database.postgres.reading.each_span import read_each_span
from condvest.batch_layer.database.postgres.touched import EVERY_KEY, touch, touch_keys
from condvest.batch_layer.database.stores.bars import closed_bars, open_bars
from condvest.batch_layer.database.stores.bars.closed_bars import BAR_COLUMNS
from condvest.batch_layer.database.stores.bars.open_bars import NO_WINDOW, Places
from condvest.batch_layer.database.stores.bars.open_bars_put import put_open_bars
from condvest.batch_layer.shared.models.bars import Bars, Bools, Int32s, Positions
from condvest.batch_layer.shared.models.difference import difference
from condvest.batch_layer.shared.models.spans import Spans
from condvest.batch_layer.shared.settings import INTERVALS


def read_bars(connection: Connection, interval: int, spans: Spans, table: str | None = None) -> Bars:
    """Return the stored bars of an interval within spans of windows, in the spans' order.

    Args:
        connection: in a transaction.
        interval: sessions per bar.
        spans: windows by instrument; must not overlap.
        table: what to read in the place of all bars of the interval.
    """
    if not len(spans):
        return Bars(**{column.name: empty(column, 0) for column in BAR_COLUMNS})
    table = table or _view(interval)
    if bars_by_key.is_worth_it(spans):
        return bars_by_key.read(connection, table, interval, BAR_COLUMNS, spans)
    # The interval is the same in all of the table, but the key begins with it.
    rows = sql.SQL(
        'SELECT * FROM {table} WHERE {table}."interval" = {interval} '
        "AND {table}.instrument_id = span.instrument_id "
        'AND {table}."window" BETWEEN span.first AND span.last'
    ).format(table=sql.Identifier(table), interval=sql.Literal(interval))
    return Bars(**read_each_span(connection, table, rows, BAR_COLUMNS, spans))


def insert_bars(connection: Connection, interval: int, bars: Bars, table: str | None = None) -> None:
    """Store bars none of whose keys is stored; in another table of the same columns if one is named."""
    if len(bars):
        if table is None:
            touch_keys(connection, _view(interval), bars.window, len(bars))
        closed_bars.insert(connection, interval, bars, table or closed_bars.table_of(interval))


def put_bars(connection: Connection, bars: Mapping[int, Bars]) -> dict[int, tuple[int, int]]:
    """Store bars (keys unique) of intervals in the place of the stored ones of their keys.

    Those that are stored as they should be are not written. The last bar of an instrument goes to the open
    ones, if it is not complete and no later one is there; the one that was there is added to the others.

    Args:
        connection: in a transaction; the caller holds the lock of the instruments' partitions.
        bars: by interval.

    Returns:
        by interval how many are new, and how many were stored with other values.
    """
    stored = dict.fromkeys(bars, (0, 0))
    given = {n: own for n, own in bars.items() if len(own)}
    if not given:
        return stored
    places = open_bars.read_places(
        connection, np.unique(np.concatenate([own.instrument_id for own in given.values()]))
    )
    done = {n: _put_others(connection, n, own, places) for n, own in given.items()}
    changed = put_open_bars(
        connection,
        places,
        {n: each.open_ones for n, each in done.items()},
        {n: each.cleared for n, each in done.items()},
    )
    for n, each in done.items():
        written = each if n not in changed else each.and_changed(*changed[n])
        if written.windows:
            touch(connection, _view(n), min(written.windows), max(written.windows), written.new)
        stored[n] = written.new, written.changed
    return stored


def delete_bars(connection: Connection, interval: int, bars: Bars) -> None:
    """Remove the stored bars that have the keys of ``bars``."""
    if len(bars):
        deleted = closed_bars.delete(connection, interval, bars) + open_bars.clear(connection, interval, bars)
        touch_keys(connection, _view(interval), bars.window, -deleted)


def remove_doubles(connection: Connection, ids: Int32s) -> None:
    """Remove every bar of instruments that is stored twice, once an interval, as only foreign hands store it.

    The one that stays is among the open bars, and may not be the right one.
    """
    for n in INTERVALS:
        if removed := open_bars.remove_doubles(connection, n, ids, closed_bars.table_of(n)):
            touch(connection, _view(n), *EVERY_KEY, -removed)


@dataclass(frozen=True, eq=False)
class _Put:
    """What `_put_others` did with the bars of one interval, and what is left to be done.

    Attributes:
        open_ones: the bars to be put among the open ones.
        cleared: the instruments whose open bar has to go, because it is among the others now.
        new, changed: how many bars are stored anew or with other values, those to be put included but for
            those that are among the open ones already.
        windows: between the least and the greatest of these lie all that were altered.
    """

    open_ones: Bars
    cleared: Int32s
    new: int
    changed: int
    windows: tuple[int, ...]

    def and_changed(self, bars: int, first: int, last: int) -> _Put:
        """Return the same with open bars that were stored with other values."""
        return replace(self, changed=self.changed + bars, windows=(*self.windows, first, last))


def _put_others(connection: Connection, interval: int, bars: Bars, places: Places) -> _Put:
    """Store those bars of an interval that do not go to the open ones."""
    rank = places.rank(bars.instrument_id)
    there = places.window[interval][rank]
    is_open = _last_incomplete(bars, rank, len(places.ids)) & (bars.window >= there)
    is_same, removed = _take_in(connection, interval, bars, is_open & (bars.window != there))
    is_open &= ~is_same
    is_fresh = is_open & (bars.window != there)
    is_other = ~is_open & ~is_same
    is_leaving = is_other & (bars.window == there)
    is_closing = is_leaving & bars.is_complete
    # A bar that closes is written once, as it is now; one that makes room is moved as it was.
    leaving = np.union1d(bars.instrument_id[is_fresh & (there != NO_WINDOW)], bars.instrument_id[is_leaving])
    moved = np.setdiff1d(leaving, bars.instrument_id[is_closing])
    if len(moved):
        open_bars.move_out(connection, interval, moved, closed_bars.table_of(interval))
    new, changed, windows = closed_bars.put(connection, interval, bars.take(is_other))
    fresh, closing = bars.window[is_fresh], int(is_closing.sum())
    return _Put(
        open_ones=bars.take(is_open),
        cleared=np.setdiff1d(bars.instrument_id[is_leaving], bars.instrument_id[is_open]),
        new=new - closing + len(fresh) - removed,
        changed=changed + closing + removed,
        windows=(*windows, *((int(fresh.min()), int(fresh.max())) if len(fresh) else ())),
    )


def _take_in(connection: Connection, interval: int, bars: Bars, is_coming: Bools) -> tuple[Bools, int]:
    """Remove from the closed bars those that come to the open ones with other values.

    Returns:
        which bars are there with the same values, where they stay; and how many were removed.
    """
    is_same = np.zeros(len(bars), dtype=np.bool_)
    if not is_coming.any():
        return is_same, 0
    coming = bars.take(is_coming)
    spans = Spans(coming.instrument_id, coming.window, coming.window)
    stored = read_bars(connection, interval, spans, closed_bars.table_of(interval))
    compared = difference(stored, coming)
    is_same[is_coming] = ~compared.inserted & ~compared.changed
    if compared.changed.any():
        closed_bars.delete(connection, interval, coming.take(compared.changed))
    return is_same, int(compared.changed.sum())


def _last_incomplete(bars: Bars, rank: Positions, instruments: int) -> Bools:
    """Return which bar is the last one of its instrument that is not complete."""
    last = np.full(instruments, NO_WINDOW, dtype=np.int32)
    is_incomplete = ~bars.is_complete
    np.maximum.at(last, rank[is_incomplete], bars.window[is_incomplete])
    is_last: Bools = bars.window == last[rank]
    return is_incomplete & is_last


def _view(interval: int) -> str:
    return f"bars_{interval}"
