"""The sessions that instruments lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from condvest.batch_layer.database.opening import OpenDatabase
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.revisioned import DAILY_BAR_TABLES, DAILY_BARS
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans, always
from condvest.batch_layer.shared.utils.arrow import array_of, dates_of, texts_of
from condvest.serving_layer.queries.bars.selection import select
from condvest.serving_layer.queries.bars.size import TooLarge
from condvest.serving_layer.sources.database import DatabaseSource

if TYPE_CHECKING:
    from condvest.serving_layer.sources.published import PublishedSource


def read_gaps(opened: OpenDatabase, symbols: Sequence[str], most: int | None = None) -> pa.Table:
    """Return the sessions that instruments lack between their first and last daily bar.

    Columns: symbol, session (date32); by symbol and session.

    Args:
        opened: the open database.
        symbols: of the instruments; of all if none.
        most: sessions that are told; any number if None.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
        TooLarge: there are more sessions than ``most``.
    """
    sessions = opened.sessions  # read before: not within a transaction
    with opened.database.transaction(snapshot=True, read_only=True) as connection:
        names, ids = select(DatabaseSource(connection, sessions), list(symbols) or None)
        lacking = DAILY_BARS.runs(connection, always(ids)).between() if symbols else _of_all(connection)
    return _table(lacking.take(np.isin(lacking.instrument_id, ids)), ids, names, sessions, most)


def published_gaps(source: PublishedSource, symbols: Sequence[str], most: int | None = None) -> pa.Table:
    """Return the same of a published data set; arguments and errors are those of `read_gaps`."""
    names, ids = select(source, list(symbols) or None)
    return _table(source.runs(ids).between(), ids, names, source.sessions, most)


def _of_all(connection: Connection) -> Spans:
    """Return what every instrument lacks. One table of the daily bars is in memory at a time."""
    parts = range(DAILY_BAR_TABLES)
    return Spans.concat(
        [DAILY_BARS.runs_of_part(connection, DAILY_BAR_TABLES, part).between() for part in parts]
    )


def _table(
    lacking: Spans, ids: Int32s, names: Mapping[int, str], sessions: Sessions, most: int | None
) -> pa.Table:
    # Counted as spans: most of them stand for many sessions.
    count = int((lacking.last.astype(np.int64) - lacking.first + 1).sum())
    if most is not None and count > most:
        raise TooLarge(
            f"these instruments lack {count} sessions, and at most {most} are told at once; ask for some "
            "symbols (symbols=A,B), or run condvest gaps -o FILE.parquet where the data are"
        )
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
