"""Answers about bars as Arrow tables."""

from __future__ import annotations

from operator import mul
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from batch_layer.shared.models.bars import run_starts
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.published.tables import PRICES, price_arrays
from batch_layer.shared.utils.arrow import array_of
from serving_layer.queries.bars import NOT_LIVE, Answer, answer
from serving_layer.queries.question import Question
from serving_layer.sources import BarSource

if TYPE_CHECKING:
    from batch_layer.database.postgres.connection import Database

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

LIVE_SCHEMA = pa.schema([*SCHEMA, ("is_live", pa.bool_()), ("data_through", pa.timestamp("us", "UTC"))])
"""The same where live bars are asked for."""


def schema_of(question: Question) -> pa.Schema:
    """Return the columns of the answer to a question."""
    return LIVE_SCHEMA if question.include_live else SCHEMA


def bars_table(answer: Answer) -> pa.Table:
    """Return an answer as a table with the columns of `schema_of`; the prices are not copied."""
    bars = answer.bars
    given: dict[str, npt.NDArray[Any]] = {
        "interval": np.full(len(bars), answer.interval, dtype=np.int16),
        "window": bars.window,
        "first_session": answer.first_day,
        "last_session": answer.last_day,
        "sessions": bars.sessions,
        "is_complete": bars.is_complete,
    }
    columns = {name: array_of(values, SCHEMA.field(name).type) for name, values in given.items()}
    columns |= {"symbol": _symbols(answer)} | price_arrays(bars)
    table = pa.Table.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)
    if answer.live_through is None:
        return table
    is_live = answer.live_through != NOT_LIVE
    through = pa.array(answer.live_through, mask=~is_live).cast(LIVE_SCHEMA.field("data_through").type)
    return pa.Table.from_arrays([*table.columns, pa.array(is_live), through], schema=LIVE_SCHEMA)


def read_bars(database: Database, sessions: Sessions, question: Question) -> pa.Table:
    """Return the bars of a question from one state of the database; raises as `answer_from_database`."""
    # Imported here: reading published files needs no module of the database.
    from serving_layer.queries.stored_bars import answer_from_database  # noqa: PLC0415

    return bars_table(answer_from_database(database, sessions, question))


def read_bars_from(source: BarSource, question: Question) -> pa.Table:
    """Return the bars of a question from any source; raises what `answer` does."""
    return bars_table(answer(source, question))


def _symbols(answer: Answer) -> pa.Array:
    """Return the symbol of each row, from one per run of rows of one instrument."""
    instrument_id = answer.bars.instrument_id
    starts = run_starts(instrument_id)
    texts = [answer.symbols[each] for each in instrument_id[starts].tolist()]
    is_ascii = "".join(texts).isascii()
    widths = map(len, texts if is_ascii else map(str.encode, texts))
    rows = np.diff(starts, append=len(instrument_id))
    offsets = np.zeros(len(instrument_id) + 1, dtype=np.int32)
    np.cumsum(np.repeat(np.fromiter(widths, np.int32, len(texts)), rows), out=offsets[1:])
    text_bytes = "".join(map(mul, texts, rows.tolist())).encode()
    return pa.StringArray.from_buffers(len(instrument_id), pa.py_buffer(offsets), pa.py_buffer(text_bytes))
