"""Answers about bars as Arrow tables."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch_layer.database.postgres.connection import Database
from batch_layer.shared.models.bars import Int32s, run_starts
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.published.tables import PRICES, price_arrays
from serving_layer.queries.bars import Answer, answer, answer_from_database
from serving_layer.queries.question import Question
from serving_layer.sources import BarSource

SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("interval", pa.int16()),
        ("window", pa.int32()),
        ("first_session", pa.date32()),
        ("last_session", pa.date32()),
        *((field.name, field.type) for field in PRICES),
        ("sessions", pa.int16()),
        ("is_complete", pa.bool_()),
    ]
)
"""The columns of `condvest.bars`, in order."""


def bars_table(found: Answer) -> pa.Table:
    """Return an answer as a table with the columns of `SCHEMA`; the prices are not copied."""
    bars = found.bars
    columns = [
        _symbols(found),
        np.full(len(bars), found.interval, dtype=np.int16),
        bars.window,
        *(_dates(days) for days in (found.first_day, found.last_day)),
        *price_arrays(bars).values(),
        bars.sessions,
        bars.is_complete,
    ]
    return pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA)


def read_bars(database: Database, sessions: Sessions, question: Question) -> pa.Table:
    """Return the bars of a question from one state of the database; raises as `answer_from_database`."""
    return bars_table(answer_from_database(database, sessions, question))


def read_bars_from(source: BarSource, question: Question) -> pa.Table:
    """Return the bars of a question from any source; raises what `answer` does."""
    return bars_table(answer(source, question))


def _symbols(found: Answer) -> pa.Array:
    """Return the symbol of each row: one value per run of rows of one instrument, then expanded."""
    instrument_id = found.bars.instrument_id
    starts = run_starts(instrument_id)
    symbols = pa.array([found.symbols[each] for each in instrument_id[starts].tolist()], pa.string())
    ends = np.append(starts[1:], len(instrument_id))[: len(starts)].astype(np.int32)
    return pc.run_end_decode(pa.RunEndEncodedArray.from_arrays(ends, symbols))


def _dates(days: Int32s) -> pa.Array:
    return pa.array(days).view(pa.date32())
