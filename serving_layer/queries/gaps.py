"""The sessions that instruments lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from batch_layer.database.opening import OpenDatabase
from batch_layer.database.postgres.connection import Connection
from batch_layer.database.postgres.revisioned import DAILY_BAR_TABLES, DAILY_BARS
from batch_layer.database.stores.symbols import symbols_by_instrument
from batch_layer.shared.models.bars import Int32s
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.models.spans import Spans, always
from batch_layer.shared.utils.arrow import array_of, dates_of, texts_of
from serving_layer.queries.selection import instruments_asked_for, select

if TYPE_CHECKING:
    from serving_layer.sources.published import PublishedSource


def read_gaps(opened: OpenDatabase, symbols: Sequence[str]) -> pa.Table:
    """Return the sessions that instruments lack between their first and last daily bar.

    Columns: symbol, session (date32); by symbol and session.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
    """
    with opened.database.transaction(snapshot=True, read_only=True) as connection:
        names = symbols_by_instrument(connection)
        ids = instruments_asked_for(connection, list(symbols) or None, names)
        lacking = DAILY_BARS.runs(connection, always(ids)).between() if symbols else _of_all(connection)
    return _table(lacking.take(np.isin(lacking.instrument_id, ids)), ids, names, opened.sessions)


def published_gaps(source: PublishedSource, symbols: Sequence[str]) -> pa.Table:
    """Return the same of a published data set; raises as `read_gaps`."""
    names, ids = select(source, list(symbols) or None)
    return _table(source.runs(ids).between(), ids, {**source.names(), **names}, source.sessions)


def _of_all(connection: Connection) -> Spans:
    """Return what every instrument lacks. One table of the daily bars is in memory at a time."""
    parts = range(DAILY_BAR_TABLES)
    return Spans.concat(
        [DAILY_BARS.runs_of_part(connection, DAILY_BAR_TABLES, part).between() for part in parts]
    )


def _table(lacking: Spans, ids: Int32s, names: Mapping[int, str], sessions: Sessions) -> pa.Table:
    by_name = sorted(ids.tolist(), key=names.__getitem__)
    rank_of = np.empty(len(ids), dtype=np.int64)
    rank_of[np.searchsorted(ids, by_name)] = np.arange(len(ids))
    rank = rank_of[np.searchsorted(ids, lacking.instrument_id)]
    order = np.argsort(rank, kind="stable")
    instrument_id, ordinal = lacking.take(order).points()
    ranks = rank_of[np.searchsorted(ids, instrument_id)]
    labels = texts_of([names[number] for number in by_name])
    return pa.table(
        {
            "symbol": labels.take(array_of(ranks, pa.int64())),
            "session": dates_of(sessions.dates_of(ordinal)),
        }
    )
