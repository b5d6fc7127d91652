"""Service: screen the series of daily bars for what looks wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import pyarrow as pa

from condvest.batch_layer.database.opening import OpenDatabase
from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database
from condvest.batch_layer.database.postgres.parallel import side_by_side
from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS, DIVIDENDS, SPLITS
from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.daily.daily_bars import number_of_parts
from condvest.batch_layer.database.stores.identity.symbols import symbols_by_instrument
from condvest.batch_layer.shared.core.flags.bar_flags import FLAGS, Flagged, flagged
from condvest.batch_layer.shared.core.flags.trailing import TRAILING
from condvest.batch_layer.shared.core.total_return import dividend_ratios
from condvest.batch_layer.shared.models.bars import DailyBars, Int32s
from condvest.batch_layer.shared.models.loads import EVERY_LOAD
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans, always
from condvest.serving_layer.queries.bars.selection import select
from condvest.serving_layer.queries.bars.size import TooLarge
from condvest.serving_layer.sources import BarSource
from condvest.serving_layer.sources.database import DatabaseSource

AROUND = 3 * TRAILING
"""A bar is judged by the TRAILING bars before it: so many sessions hold them, unless most are missing."""


def screen(
    opened: OpenDatabase,
    asked: Spans,
    known_by: int = EVERY_LOAD,
    on_progress: Callable[[int, int], None] | None = None,
) -> Flagged:
    """Return every flag, by instrument and ordinal; nothing is altered.

    One partition of the instruments is in memory at a time.

    Args:
        opened: the open database.
        asked: the spans of daily bars to look at, one per instrument.
        known_by: look at what was known when this load had been stored.
        on_progress: called after each partition.
    """
    parts = []
    sessions = opened.sessions  # read before: not within a transaction
    partitions = np.unique(asked.instrument_id % changes.PARTITIONS).tolist()
    for done, partition in enumerate(partitions or [0], start=1):
        with opened.database.transaction(snapshot=True, read_only=True) as connection:
            spans = asked.take(asked.instrument_id % changes.PARTITIONS == partition)
            daily = DAILY_BARS.read(connection, spans, known_by)
            parts.append(_flagged(connection, daily, spans.instrument_id, sessions, known_by))
        if on_progress is not None:
            on_progress(done, len(partitions))
    return _in_order(parts)


def _screen_all(opened: OpenDatabase, ids: Int32s, on_progress: Callable[[int, int], None] | None) -> Flagged:
    """Return the same of all daily bars of all instruments, which are read as they lie and not by key."""
    sessions = opened.sessions  # read before: not within a transaction
    with opened.database.transaction(read_only=True) as connection:
        parts = number_of_parts(connection)

    def flags_of(database: Database, part: int) -> Flagged:
        own = ids[ids % parts == part]
        with database.transaction(snapshot=True, read_only=True) as connection:
            daily = DAILY_BARS.read_part(connection, parts, part)
            return _flagged(connection, daily, own, sessions, EVERY_LOAD)

    of_parts = []
    with closing(side_by_side(opened.database, flags_of, range(parts))) as coming:
        for done, (_, flags) in enumerate(coming, start=1):
            of_parts.append(flags)
            if on_progress is not None:
                on_progress(done, parts)
    flags = _in_order(of_parts)
    return flags.take(np.isin(flags.instrument_id, ids))


def _flagged(
    connection: Connection, daily: DailyBars, ids: Int32s, sessions: Sessions, known_by: int
) -> Flagged:
    every = always(ids)
    splits = SPLITS.read(connection, every, known_by).on(sessions)
    dividends = DIVIDENDS.read(connection, every, known_by)
    return flagged(daily, splits, dividend_ratios(dividends, daily, splits, sessions))


def _in_order(parts: Sequence[Flagged]) -> Flagged:
    flags = Flagged.concat(parts)
    return flags.take(np.lexsort((flags.ordinal, flags.instrument_id)))


def flag_bars(
    opened: OpenDatabase,
    symbols: Sequence[str],
    on_progress: Callable[[int, int], None] | None = None,
    most: int | None = None,
) -> pa.Table:
    """Return the flags of the daily bars of the symbols (all if none are given), by symbol and session.

    Columns: symbol, session (date32), severity (error or warning), flag (a key of FLAGS), value (float64,
    what was measured), reason (what it means, and what to do).

    Args:
        opened: the open database.
        symbols: of the instruments; of all if none.
        on_progress: called after each part of them.
        most: daily bars that are looked at; any number if None. The first and last bars tell how many there
            can be.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
        TooLarge: there may be more daily bars than ``most``.
    """
    sessions = opened.sessions  # read before: not within a transaction
    with opened.database.transaction(read_only=True) as connection:
        source = DatabaseSource(connection, sessions)
        names, ids = select(source, list(symbols) or None)
        if most is not None:
            _check_count(source.listed(ids), most)
    if symbols:
        return _table(screen(opened, always(ids), on_progress=on_progress), opened.sessions, names)
    return _table(_screen_all(opened, ids, on_progress), opened.sessions, names)


def published_flags(source: BarSource, symbols: Sequence[str], most: int | None = None) -> pa.Table:
    """Return the same of a published data set; arguments and errors are those of `flag_bars`.

    One portion of the instruments is in memory at a time.
    """
    names, ids = select(source, list(symbols) or None)
    listed = source.listed(ids)
    if most is not None:
        _check_count(listed, most)
    parts = []
    portions = source.portions(listed)
    for spans, daily in zip(portions, source.daily_of(portions), strict=True):
        own = np.unique(spans.instrument_id)
        splits = source.splits(own).on(source.sessions)
        ratios = dividend_ratios(source.dividends(own), daily, splits, source.sessions)
        parts.append(flagged(daily, splits, ratios))
    return _table(_in_order(parts), source.sessions, names)


def _check_count(listed: Spans, most: int) -> None:
    count = int((listed.last.astype(np.int64) - listed.first + 1).sum())
    if count > most:
        raise TooLarge(
            f"these instruments have up to {count} daily bars, and at most {most} are looked at at once; ask "
            "for some symbols (symbols=A,B), or run condvest quality where the data are"
        )


def flag_new(opened: OpenDatabase, touched: Spans, known_by: int) -> pa.Table:
    """Return the flags around spans of daily bars that were not there when a load had been stored.

    Columns and order are those of `flag_bars`. A change of one bar or split may raise a flag at the bars
    after it. So that a night does not read the whole history, no further than AROUND is looked; the dividends
    that one is compared with are all read.

    Args:
        opened: the open database.
        touched: the spans.
        known_by: the load.
    """
    around = _around(touched)
    now = screen(opened, around)
    suspects = np.isin(around.instrument_id, now.instrument_id)
    before = {*_identities(screen(opened, around.take(suspects), known_by))}
    is_new = np.array([identity not in before for identity in _identities(now)], dtype=bool)
    with opened.database.transaction(read_only=True) as connection:
        names = symbols_by_instrument(connection)
    return _table(now.take(is_new), opened.sessions, names)


def _around(touched: Spans) -> Spans:
    """Return one span an instrument, from AROUND sessions before its first span to as many after its last."""
    ids, inverse = np.unique(touched.instrument_id, return_inverse=True)
    widest = always(ids)
    # As int64, for a span may reach to the ends of int32.
    first, last = widest.last.astype(np.int64), widest.first.astype(np.int64)
    np.minimum.at(first, inverse, touched.first)
    np.maximum.at(last, inverse, touched.last)
    return Spans(
        ids,
        np.maximum(first - AROUND, widest.first).astype(np.int32),
        np.minimum(last + AROUND, widest.last).astype(np.int32),
    )


def _identities(flagged: Flagged) -> list[tuple[int, int, str]]:
    return list(
        zip(flagged.instrument_id.tolist(), flagged.ordinal.tolist(), flagged.flag.tolist(), strict=True)
    )


def _table(flagged: Flagged, sessions: Sessions, names: Mapping[int, str]) -> pa.Table:
    flags = flagged.flag.tolist()
    table = pa.table(
        {
            "symbol": pa.array(
                [names[instrument_id] for instrument_id in flagged.instrument_id.tolist()], pa.string()
            ),
            "session": pa.array(sessions.dates_of(flagged.ordinal), pa.date32()),
            "severity": pa.array([FLAGS[flag][0] for flag in flags], pa.string()),
            "flag": pa.array(flags, pa.string()),
            "value": pa.array(flagged.value, pa.float64()),
            "reason": pa.array([FLAGS[flag][1] for flag in flags], pa.string()),
        }
    )
    return table.sort_by([("symbol", "ascending"), ("session", "ascending"), ("flag", "ascending")])


def flags_as_json(flags: pa.Table) -> dict[str, Any]:
    """Return flags as plain values: how many by flag and by session, and each of them."""
    rows = flags.to_pylist()
    return {
        "flags": dict(sorted(Counter(row["flag"] for row in rows).items())),
        "sessions": dict(sorted(Counter(row["session"].isoformat() for row in rows).items())),
        "found": [row | {"session": row["session"].isoformat()} for row in rows],
    }
