"""All that the bars of one symbol need, daily or of a stored interval, by one statement: all of one state.

It reads what the functions of `symbols`, `bars`, `changes`, `ledger` and the splits read, in one round trip
and one snapshot instead of six to nine round trips within a transaction.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.database.postgres.prepared import DATE_ZERO, Row, Statement
from condvest.batch_layer.database.postgres.snapshot import SNAPSHOT
from condvest.batch_layer.database.stores.changes import PARTITIONS
from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES, Bars, Columns
from condvest.batch_layer.shared.models.corporate_actions import SplitEvents
from condvest.batch_layer.shared.models.coverage import NOTHING_LOADED, Coverage

Rows = TypeVar("Rows", bound=Columns)

_SPLIT_COLUMNS = tuple(enumerate(("date", "float8", "float8"), 9))
"""Where in the statement's answer the columns of a split begin, after the instrument, and their types."""

_BARS = 12
_SENT = {
    "window": (">i4", "int4send", '"window"'),
    "open": (">f8", "float8send", "coalesce(open, 'nan')"),
    **{name: (">f8", "float8send", name) for name in ("high", "low", "close", "volume")},
    "vwap": (">f8", "float8send", "coalesce(vwap, 'nan')"),
    "trades": (">i8", "int8send", f"coalesce(trades, {UNKNOWN_TRADES})"),
    "sessions": (">i2", "int2send", "sessions"),
    "is_complete": ("?", "boolsend", "is_complete"),
}
"""The columns of a bar as they come, one after the other: their form, and what makes it of which expression.

As one value of all bars they take the server a tenth less than as an array a column. None is NULL, for a bar
with one would be left out.
"""

_BAR = np.dtype([(name, form) for name, (form, *_) in _SENT.items()])

_SNAPSHOT = f"pg_is_in_recovery(), convert_to({SNAPSHOT}, 'UTF8'), (SELECT max(load_id) FROM loads)"  # noqa: S608 - a constant
"""What names the state that a statement sees; on a standby the text does not tell all."""

_STATEMENT = """
WITH named AS MATERIALIZED (
    SELECT instrument_id, supplied.providers,
           (SELECT symbol FROM symbols WHERE symbols.instrument_id = carried.instrument_id
            ORDER BY valid_to DESC, valid_from DESC LIMIT 1) AS symbol
    FROM symbols AS carried CROSS JOIN LATERAL (
        SELECT bit_or(1::int8 << provider_id) AS providers FROM instrument_providers AS p
        WHERE p.instrument_id = carried.instrument_id) AS supplied
    WHERE carried.symbol = $1::text AND supplied.providers IS NOT NULL
    ORDER BY valid_to DESC, valid_from DESC LIMIT 1)
SELECT
    (SELECT max(version) FROM schema_migrations),
    (SELECT max(ordinal) FROM sessions),
    (SELECT max(session) FROM sessions),
    {waits},
    (SELECT instrument_id FROM named), (SELECT providers FROM named), (SELECT textsend(symbol) FROM named),
    through.*, split.*, held.*{named}
FROM (
    SELECT array_agg(provider_id), array_agg(last) FROM (
        SELECT provider_id,
               (SELECT max(ordinal) FROM ledger WHERE ledger.provider_id = providers.provider_id) AS last
        FROM providers) AS of_provider
    WHERE last IS NOT NULL AND EXISTS (
        SELECT FROM splits WHERE instrument_id = (SELECT instrument_id FROM named))) AS through, (
    SELECT array_agg(ex_date), array_agg(split_from), array_agg(split_to) FROM splits
    WHERE instrument_id = (SELECT instrument_id FROM named)) AS split, (
    SELECT string_agg({bar}, '')
    FROM (
        SELECT * FROM ({bars}) AS b WHERE is_complete OR NOT $4::bool
        ORDER BY "window") AS ordered) AS held
"""

_STORED = """
SELECT * FROM bars_{interval} AS stored
WHERE stored."interval" = {interval} AND stored.instrument_id = (SELECT instrument_id FROM named)
AND stored."window" BETWEEN $2::int4 AND $3::int4
"""
_WAITS = "EXISTS (SELECT FROM changes WHERE partition = (SELECT instrument_id % {partitions} FROM named))"
"""Whether stored bars may not be what the daily bars say."""

_DAILY = """
SELECT ordinal AS "window", open, high, low, close, volume, CASE WHEN volume > 0 THEN vwap END AS vwap,
       trades, 1::int2 AS sessions, ordinal IN (
           SELECT ordinal FROM ledger WHERE status = 'complete' AND ordinal BETWEEN $2::int4 AND $3::int4
           AND 1::int8 << provider_id & (SELECT providers FROM named) <> 0) AS is_complete
FROM daily_bars WHERE instrument_id = (SELECT instrument_id FROM named)
AND instrument_id % {tables} = (SELECT instrument_id % {tables} FROM named)
AND ordinal BETWEEN $2::int4 AND $3::int4 OFFSET 0
"""
"""Daily bars folded to windows of one session; as `fold` has it, a mean price without volume is unknown.

The condition on the remainder leaves one of the tables that daily bars are divided into. The server hashes
what IN looks through, however few rows it expects there, as it would not in a join; OFFSET 0 keeps it from
looking twice.
"""


@dataclass(frozen=True, eq=False)
class SymbolBars:
    """What one state of the database says of a symbol, at one interval.

    Attributes:
        schema: the last migration applied.
        last_ordinal, last_session: of the calendar.
        instrument_id: the instrument with bars that carries the symbol now, or carried it last.
        symbol: the one that the instrument carries now, or carried last.
        coverage: of the instrument, without the single sessions: as much as its splits need; nothing counts
            as loaded where it has none.
        splits: of the instrument, by ex-date.
        bars: by window.
        snapshot: the statement's, as `SNAPSHOT` names it, and the last load in it (0 for none); None if it
            was not asked for, or the server is a standby, whose text does not tell all.
    """

    schema: int
    last_ordinal: int
    last_session: dt.date
    instrument_id: int
    symbol: str
    coverage: Coverage
    splits: SplitEvents
    bars: Bars
    snapshot: tuple[str, int] | None = None


def asking_symbol_bars(
    interval: int, symbol: str, windows: tuple[int, int], *, complete: bool, is_named: bool = False
) -> Statement:
    """Return what asks for the bars of an interval of one symbol, and what they are adjusted by.

    Args:
        interval: sessions per bar, one that is stored; or 1 for the daily bars.
        symbol: whose bars; without a NUL.
        windows: the first and the last one wanted, inclusive.
        complete: whether to leave out bars that are not complete.
        is_named: whether to say which snapshot it was, too.
    """
    bounds = [str(window).encode() for window in windows]
    return Statement(
        f"condvest_symbol_bars_{interval}{'_named' if is_named else ''}",
        _statement(interval, is_named),
        [symbol.encode(), *bounds, b"t" if complete else b"f"],
    )


def symbol_bars_in(row: Row, *, is_named: bool) -> SymbolBars | None:
    """Return what the row of such a statement tells.

    Returns:
        None if the stored bars are not all there is to know: no instrument with bars carries or carried the
        symbol, a change waits to be resampled that may be the instrument's (of daily bars none does), or
        there is no calendar.
    """
    schema, last_ordinal, last_session, waits, instrument, providers = (row.number(at) for at in range(6))
    if schema is None or last_ordinal is None or last_session is None or instrument is None or waits:
        return None
    split = [row.array(at, kind) for at, kind in _SPLIT_COLUMNS]
    is_split = len(split[0]) > 0
    return SymbolBars(
        schema=schema,
        last_ordinal=last_ordinal,
        last_session=DATE_ZERO + dt.timedelta(last_session),
        instrument_id=instrument,
        symbol=row.bytes(6).decode(),
        coverage=_coverage(row, instrument, providers or 0) if is_split else _NOTHING,
        splits=_by_key(SplitEvents, instrument, split),
        bars=_by_key(Bars, instrument, row.records(_BARS, _BAR)),
        snapshot=_snapshot(row) if is_named else None,
    )


def _snapshot(row: Row) -> tuple[str, int] | None:
    is_standby = row.number(_BARS + 1)
    return None if is_standby else (row.bytes(_BARS + 2).decode(), row.number(_BARS + 3) or 0)


@cache
def _statement(interval: int, is_named: bool) -> str:  # noqa: FBT001  # of which there is a cache
    bar = " || ".join(f"{send}({value})" for _, send, value in _SENT.values())
    named = f", {_SNAPSHOT}" if is_named else ""
    waits, bars = _WAITS.format(partitions=PARTITIONS), _STORED.format(interval=interval)
    if interval == 1:
        # Imported here: stored bars need nothing of it.
        from condvest.batch_layer.database.postgres.revisioned import DAILY_BAR_TABLES  # noqa: PLC0415

        waits, bars = "false", _DAILY.format(tables=DAILY_BAR_TABLES)
    return _STATEMENT.format(waits=waits, bars=bars, bar=bar, named=named)


_NOTHING = Coverage(
    np.empty(0, np.int32),
    np.empty(0, np.int64),
    0,
    np.empty(0, np.int64),
    np.full(64, NOTHING_LOADED, np.int32),
)
"""Of an instrument without splits."""


def _coverage(row: Row, instrument_id: int, providers: int) -> Coverage:
    through = np.full(64, NOTHING_LOADED, dtype=np.int32)
    through[row.array(7, "int2")] = row.array(8, "int4")
    ids, bits = np.array([instrument_id], np.int32), np.array([providers], np.int64)
    return Coverage(ids, bits, 0, np.empty(0, dtype=np.int64), through)


def _by_key(model: Callable[..., Rows], instrument_id: int, columns: Sequence[npt.NDArray[Any]]) -> Rows:
    """Return the rows of one instrument by window or ex-date; an aggregate's order is that of the plan."""
    key = columns[0]
    rows = model(np.full(len(key), instrument_id, dtype=np.int32), *columns)
    return rows if (key[1:] > key[:-1]).all() else rows.take(np.argsort(key))
