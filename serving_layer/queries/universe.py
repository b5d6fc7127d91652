"""Which instruments could be traded on a date, from any source."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa

from condvest.batch_layer.shared.errors import UsageError
from condvest.serving_layer.queries.bars.selection import select
from condvest.serving_layer.sources import BarSource

_UNIVERSE = pa.schema(
    [
        ("symbol", pa.string()),
        ("instrument_id", pa.int32()),
        ("first_session", pa.date32()),
        ("last_session", pa.date32()),
    ]
)


def read_universe(source: BarSource, on: dt.date) -> pa.Table:
    """Return the instruments whose daily bars begin on or before a date and end on or after it, by symbol.

    Those that were delisted later are among them, those that were listed later are not. A date that is no
    session stands for the last one before it.

    Columns: symbol (that it carries now, or carried last; a label such as ``X#12`` where it has passed to
    another instrument), instrument_id (int32), first_session and last_session of its daily bars (date32).

    Args:
        source: where to read.
        on: the date.

    Raises:
        UsageError: no session of the daily bars is there: nothing is known of the date.
    """
    names, ids = select(source, None, unique=True)
    listed = source.listed(ids)
    sessions = source.sessions
    ordinal = sessions.first_ordinal + int(np.searchsorted(sessions.date, np.datetime64(on), "right")) - 1
    if not len(listed):
        raise UsageError(f"universe on {on}: no daily bars are loaded")
    low, high = int(listed.first.min()), int(listed.last.max())
    if not low <= ordinal <= high:
        bounds = " to ".join(source.sessions.session(each).isoformat() for each in (low, high))
        raise UsageError(f"universe on {on}: the daily bars reach from {bounds}; choose a date among them")
    on_it = (listed.first <= ordinal) & (listed.last >= ordinal)
    columns = {
        "symbol": [names[each] for each in listed.instrument_id[on_it].tolist()],
        "instrument_id": listed.instrument_id[on_it],
        "first_session": pa.array(source.sessions.dates_of(listed.first[on_it]), pa.date32()),
        "last_session": pa.array(source.sessions.dates_of(listed.last[on_it]), pa.date32()),
    }
    return pa.table(columns, schema=_UNIVERSE).sort_by([("symbol", "ascending")])


def only_listed(instruments: pa.Table, universe: pa.Table) -> pa.Table:
    """Return the rows of instruments that are in a universe, under the universe's symbols, by symbol.

    Args:
        instruments: has at least the columns instrument_id and symbol.
        universe: what `read_universe` gave.
    """
    symbols = dict(zip(*(universe[name].to_pylist() for name in ("instrument_id", "symbol")), strict=True))
    ids = instruments["instrument_id"].to_pylist()
    kept = instruments.filter(pa.array([each in symbols for each in ids], pa.bool_()))
    labels = pa.array([symbols[each] for each in kept["instrument_id"].to_pylist()], pa.string())
    column = kept.column_names.index("symbol")
    return kept.set_column(column, "symbol", labels).sort_by([("symbol", "ascending")])
