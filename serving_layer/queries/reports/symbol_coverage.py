"""Which sessions instruments have daily bars of, by session, month or year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from condvest.batch_layer.database.opening import OpenDatabase
from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans, always
from condvest.serving_layer.queries.bars.selection import select
from condvest.serving_layer.queries.bars.size import TooLarge
from condvest.serving_layer.queries.reports.coverage import By, periods
from condvest.serving_layer.sources.database import DatabaseSource

if TYPE_CHECKING:
    from condvest.serving_layer.sources.published import PublishedSource

_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("period", pa.date32()),
        ("expected", pa.int32()),
        ("present", pa.int32()),
        ("missing", pa.int32()),
    ]
)


def read_symbol_coverage(
    opened: OpenDatabase, symbols: Sequence[str], by: By, most: int | None = None
) -> pa.Table:
    """Return how many daily bars instruments have, by symbol and period.

    Columns: symbol, period (date32: the session, or the first day of its month or year), expected (int32: the
    exchange's sessions in the period, from the instrument's first daily bar to its last), present and missing
    (int32; together the expected ones).

    Args:
        opened: the open database.
        symbols: of the instruments.
        by: session, month or year.
        most: sessions that are looked at; any number if None.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
        TooLarge: there are more sessions than ``most``.
    """
    sessions = opened.sessions  # read before: not within a transaction
    with opened.database.transaction(snapshot=True, read_only=True) as connection:
        names, ids = select(DatabaseSource(connection, sessions), symbols)
        runs = DAILY_BARS.runs(connection, always(ids))
    return _table(runs, ids, names, sessions, by, most)


def published_symbol_coverage(
    source: PublishedSource, symbols: Sequence[str], by: By, most: int | None = None
) -> pa.Table:
    """Return the same of a published data set; arguments and errors are those of `read_symbol_coverage`."""
    names, ids = select(source, symbols)
    return _table(source.runs(ids), ids, names, source.sessions, by, most)


def _table(
    runs: Spans, ids: Int32s, names: Mapping[int, str], sessions: Sessions, by: By, most: int | None
) -> pa.Table:
    of_each = [runs.take(runs.instrument_id == each) for each in sorted(ids.tolist(), key=names.__getitem__)]
    of_each = [own for own in of_each if len(own)]
    count = sum(int(own.last.max()) - int(own.first.min()) + 1 for own in of_each)
    if most is not None and count > most:
        raise TooLarge(
            f"these symbols reach over {count} sessions, and at most {most} are looked at at once; ask for "
            "fewer symbols"
        )
    parts = [_of_one(names[int(own.instrument_id[0])], own, sessions, by) for own in of_each]
    return pa.concat_tables(parts) if parts else _SCHEMA.empty_table()


def _of_one(symbol: str, runs: Spans, sessions: Sessions, by: By) -> pa.Table:
    """Return the rows of one instrument, given the runs of consecutive sessions that it has."""
    first, last = int(runs.first.min()), int(runs.last.max())
    period = periods(sessions.dates_of(np.arange(first, last + 1)), by)
    starts = np.flatnonzero(np.concatenate([[True], period[1:] != period[:-1]]))
    is_there = np.zeros(len(period), dtype=np.int32)
    _, ordinal = runs.points()
    is_there[ordinal - first] = 1
    expected = np.diff(starts, append=len(period))
    present = np.add.reduceat(is_there, starts)
    columns = {
        "symbol": [symbol] * len(starts),
        "period": period[starts].tolist(),
        "expected": expected,
        "present": present,
        "missing": expected - present,
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in _SCHEMA], schema=_SCHEMA)
