"""Service: screen the series of daily bars for what looks wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from batch_layer.database.opening import OpenDatabase
from batch_layer.database.postgres.connection import Database
from batch_layer.database.postgres.revisioned import DAILY_BARS, DIVIDENDS, SPLITS
from batch_layer.database.stores import changes
from batch_layer.database.stores.symbols import symbols_by_instrument
from batch_layer.shared.core.bar_flags import FLAGS, Flagged, flagged
from batch_layer.shared.core.total_return import dividend_ratios
from batch_layer.shared.models.bars import Int32s
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.models.spans import Spans, always
from serving_layer.queries.selection import instruments_asked_for


def screen(
    database: Database,
    sessions: Sessions,
    instrument_id: Int32s | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Flagged:
    """Return every flag of the instruments (all if None), by instrument and ordinal; nothing is altered.

    One partition of the instruments is in memory at a time.
    """
    found = []
    partitions: list[int] = list(range(changes.PARTITIONS))
    if instrument_id is not None:
        partitions = np.unique(instrument_id % changes.PARTITIONS).tolist()
    for done, partition in enumerate(partitions or [0], start=1):
        with database.transaction(snapshot=True, read_only=True) as connection:
            spans = changes.everything(connection, [partition])
            if instrument_id is not None:
                spans = spans.take(np.isin(spans.instrument_id, instrument_id))
            daily = DAILY_BARS.read(connection, spans)
            splits = SPLITS.read(connection, always(spans.instrument_id)).on(sessions)
            dividends = DIVIDENDS.read(connection, always(spans.instrument_id))
        ratios = dividend_ratios(dividends, daily, splits, sessions)
        if len(daily):
            found.append(flagged(daily, splits, ratios))
        if on_progress is not None:
            on_progress(done, len(partitions))
    nothing = flagged(daily.take(slice(0, 0)), splits.take(slice(0, 0)), ratios.take(slice(0, 0)))
    flags = Flagged.concat([nothing, *found])
    return flags.take(np.lexsort((flags.ordinal, flags.instrument_id)))


def flag_bars(
    opened: OpenDatabase, symbols: Sequence[str], on_progress: Callable[[int, int], None] | None = None
) -> pa.Table:
    """Return the flags of the daily bars of the symbols (all if none are given), by symbol and session.

    Columns: symbol, session (date32), severity (error or warning), flag (a key of FLAGS), value (float64,
    what was measured), reason (what it means, and what to do).

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
    """
    sessions = opened.sessions
    with opened.database.transaction(read_only=True) as connection:
        names = symbols_by_instrument(connection)
        ids = instruments_asked_for(connection, list(symbols) or None, names)
    return _table(screen(opened.database, sessions, ids, on_progress), sessions, names)


def flag_touched(opened: OpenDatabase, touched: Spans) -> pa.Table:
    """Return the flags of the daily bars within spans; columns and order as of `flag_bars`.

    The whole series of their instruments are read, for a bar is judged by those before it.
    """
    with opened.database.transaction(read_only=True) as connection:
        names = symbols_by_instrument(connection)
    found = screen(opened.database, opened.sessions, np.unique(touched.instrument_id))
    is_touched = touched.contain(found.instrument_id, found.ordinal)
    return _table(found.take(is_touched), opened.sessions, names)


def _table(found: Flagged, sessions: Sessions, names: Mapping[int, str]) -> pa.Table:
    flags = found.flag.tolist()
    table = pa.table(
        {
            "symbol": pa.array([names[one] for one in found.instrument_id.tolist()], pa.string()),
            "session": pa.array(sessions.dates_of(found.ordinal), pa.date32()),
            "severity": pa.array([FLAGS[flag][0] for flag in flags], pa.string()),
            "flag": pa.array(flags, pa.string()),
            "value": pa.array(found.value, pa.float64()),
            "reason": pa.array([FLAGS[flag][1] for flag in flags], pa.string()),
        }
    )
    return table.sort_by([("symbol", "ascending"), ("session", "ascending"), ("flag", "ascending")])


def flags_as_json(found: pa.Table) -> dict[str, Any]:
    """Return flags as plain values: how many by flag and by session, and each of them."""
    rows = found.to_pylist()
    return {
        "flags": dict(sorted(Counter(row["flag"] for row in rows).items())),
        "sessions": dict(sorted(Counter(row["session"].isoformat() for row in rows).items())),
        "found": [row | {"session": row["session"].isoformat()} for row in rows],
    }
