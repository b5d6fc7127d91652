"""What is known of the session under way, as a join of idempotent fields; pure.

Each message becomes a state that knows nothing else (`of_anchor`, `of_minutes`), and `join` makes one state
of two. The join is idempotent, commutative and associative, so it does not matter in which order messages
come, how often one comes, or from where a journal is replayed. Four kinds of fields make it so:

- the *anchor*: a symbol's row of a snapshot, the latest by the data's time. It is the vendor's own daily bar,
  so it replaces all that was known up to its instant;
- the *minutes* that end after the anchor, by symbol and minute. A minute that is sent again replaces itself
  and is never added. Those up to the anchor's instant are dropped: the anchor knows better;
- the *totals* of the date that a minute message carries (official open, volume, vwap), the latest; never a
  sum of minutes, since shares are traded in minutes that send no message;
- the *last trade* at any hour, the latest.

Of two with the same time the later arrival counts. Example, one symbol, times of day; what is known after
each::

    anchor 10:00   high 12, volume 500           high 12  volume 500
    minute 10:00   high 13, volume so far 600    high 13  volume 600
    minute 10:00   high 11, volume so far 590    high 12  volume 590   sent again: it replaces itself
    anchor 10:05   high 12, volume 700           high 12  volume 700   the minute is dropped
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from condvest.batch_layer.shared.models.bars import Bools, Columns, Floats, Int32s, Int64s

NEVER = np.int64(np.iinfo(np.int64).min)
"""The time of what is not known at all."""

MINUTE = 60_000_000
"""Microseconds."""


@dataclass(frozen=True, eq=False)
class Anchors(Columns):
    """Rows of snapshots, one per slot: ``at`` and ``seq`` int64, prices and volume float64, NaN unknown."""

    at: Int64s
    seq: Int64s
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    vwap: Floats


@dataclass(frozen=True, eq=False)
class Totals(Columns):
    """What a minute message says of the whole date, one per slot."""

    at: Int64s
    seq: Int64s
    open: Floats
    volume: Floats
    vwap: Floats


@dataclass(frozen=True, eq=False)
class Trades(Columns):
    """The last trade at any hour, one per slot."""

    at: Int64s
    seq: Int64s
    price: Floats


@dataclass(frozen=True, eq=False)
class Minutes(Columns):
    """Minutes: ``slot`` int32, ``start`` int64 microseconds.

    Those of a state are of regular hours, by slot and start, none twice, and end after the slot's anchor.
    """

    slot: Int32s
    start: Int64s
    seq: Int64s
    open: Floats
    high: Floats
    low: Floats
    close: Floats


@dataclass(frozen=True, eq=False)
class LiveState:
    """What is known, by slot: a number that stands for a symbol. Times are microseconds since 1970, UTC."""

    anchors: Anchors
    totals: Totals
    trades: Trades
    minutes: Minutes

    def __len__(self) -> int:
        return len(self.anchors)


Latest = TypeVar("Latest", Anchors, Totals, Trades)


def nothing(slots: int = 0) -> LiveState:
    """Return the state of so many slots of which nothing is known."""
    return LiveState(
        _unknown(Anchors, slots),
        _unknown(Totals, slots),
        _unknown(Trades, slots),
        Minutes(np.zeros(0, np.int32), *(np.zeros(0, np.int64),) * 2, *(np.zeros(0),) * 4),
    )


def of_anchor(slots: int, slot: Int32s, rows: Anchors, trades: Trades) -> LiveState:
    """Return what a snapshot says.

    Args:
        slots: how many there are.
        slot: int32, of each row of ``rows`` and ``trades``; none twice.
        rows: a row without a close (no regular trade yet) says nothing.
        trades: a row without a price says nothing.
    """
    state = nothing(slots)
    _put(state.anchors, slot, rows, ~np.isnan(rows.close))
    _put(state.trades, slot, trades, ~np.isnan(trades.price))
    return state


def of_minutes(slots: int, minutes: Minutes, totals: Totals, hours: tuple[int, int]) -> LiveState:
    """Return what minute messages say, however many there are of a slot, in whatever order.

    Args:
        slots: how many there are.
        minutes: the messages' own bars.
        totals: row by row, what the same messages say of the date; without a volume nothing.
        hours: first instant of the regular session, and the first after it: a minute that begins outside sets
            no price of the daily bar.
    """
    state = nothing(slots)
    slot, ends = minutes.slot, minutes.start + MINUTE
    trades = Trades(ends, minutes.seq, minutes.close)
    if not _ascend(ends, minutes.seq):  # of several of a slot the last that is put remains
        order = np.lexsort((minutes.seq, ends))
        slot, trades, totals = slot[order], trades.take(order), totals.take(order)
    _put(state.trades, slot, trades, ~np.isnan(trades.price))
    _put(state.totals, slot, totals, ~np.isnan(totals.volume))
    regular = (minutes.start >= hours[0]) & (minutes.start < hours[1])
    return LiveState(state.anchors, state.totals, state.trades, _each_once(minutes.take(regular)))


def join(left: LiveState, right: LiveState) -> LiveState:
    """Return all that two states know; see the module. They may differ in their number of slots."""
    slots = max(len(left), len(right))
    anchors = _latest(left.anchors, right.anchors, slots)
    return LiveState(
        anchors,
        _latest(left.totals, right.totals, slots),
        _latest(left.trades, right.trades, slots),
        _united(_after(left, anchors), _after(right, anchors)),
    )


def _each_once(minutes: Minutes) -> Minutes:
    """Return minutes by slot and start; of those of one slot and start the latest arrival."""
    keys = _keys(minutes)
    order = np.argsort(keys, kind="stable") if _ascend(minutes.seq) else np.lexsort((minutes.seq, keys))
    keys = keys[order]
    is_last = np.append(keys[1:] != keys[:-1], np.ones(min(len(keys), 1), dtype=np.bool_))
    return minutes.take(order[is_last])


def _ascend(*columns: Int64s) -> bool:
    return all(bool((column[1:] >= column[:-1]).all()) for column in columns)


def _keys(minutes: Minutes) -> Int64s:
    """Return numbers that order minutes by slot and start: 2**26 minutes reach from 1970 to 2097."""
    keys: Int64s = minutes.slot.astype(np.int64) * 2**26 + minutes.start // MINUTE
    return keys


def _united(left: Minutes, right: Minutes) -> Minutes:
    """Return the minutes of both; of those of one slot and start the later arrival.

    The longer table, which is that of the last quarter of an hour, is copied and never sorted again.
    """
    if len(left) < len(right):
        left, right = right, left
    if not len(right):
        return left
    keys, more = _keys(left), _keys(right)
    at = np.searchsorted(keys, more)
    is_there = keys[np.minimum(at, len(keys) - 1)] == more
    is_later = np.zeros(len(right), dtype=np.bool_)
    is_later[is_there] = right.seq[is_there] > left.seq[at[is_there]]
    added = at[~is_there] + np.arange(len(more) - int(is_there.sum()))
    is_left = np.ones(len(left) + len(added), dtype=np.bool_)
    is_left[added] = False
    columns = []
    for column in fields(left):
        values, others = getattr(left, column.name), getattr(right, column.name)
        united = np.empty(len(is_left), dtype=values.dtype)
        united[added], united[is_left] = others[~is_there], values
        columns.append(united)
    minutes = Minutes(*columns)
    if is_later.any():
        replaced = np.flatnonzero(is_left)[at[is_later]]
        for column in fields(left):
            getattr(minutes, column.name)[replaced] = getattr(right, column.name)[is_later]
    return minutes


def _after(state: LiveState, anchors: Anchors) -> Minutes:
    """Return the minutes of a state that end after the anchor of their slot."""
    if anchors is state.anchors:
        return state.minutes
    is_after = state.minutes.start + MINUTE > anchors.at[state.minutes.slot]
    return state.minutes if is_after.all() else state.minutes.take(is_after)


def _latest(left: Latest, right: Latest, slots: int) -> Latest:
    left, right = _widened(left, slots), _widened(right, slots)
    is_later = (right.at > left.at) | ((right.at == left.at) & (right.seq > left.seq))
    if not is_later.any():
        return left
    pairs = ((getattr(right, column.name), getattr(left, column.name)) for column in fields(left))
    return type(left)(*(np.where(is_later, later, earlier) for later, earlier in pairs))


def _widened(rows: Latest, slots: int) -> Latest:
    if len(rows) == slots:
        return rows
    more = _unknown(type(rows), slots - len(rows))
    return type(rows)(
        *(np.concatenate([getattr(rows, column.name), getattr(more, column.name)]) for column in fields(rows))
    )


def _unknown(kind: type[Latest], slots: int) -> Latest:
    times: list[Any] = [np.full(slots, NEVER, dtype=np.int64) for _ in range(2)]
    return kind(*times, *(np.full(slots, np.nan) for _ in fields(kind)[2:]))


def _put(into: Latest, slot: Int32s, rows: Latest, known: Bools) -> None:
    if not known.all():
        slot, rows = slot[known], rows.take(known)
    for field in fields(rows):
        getattr(into, field.name)[slot] = getattr(rows, field.name)
