"""Answers about bars as Arrow tables."""

from __future__ import annotations

from operator import mul
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from condvest.batch_layer.shared.models.bars import run_starts
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.published.tables import PRICES, price_arrays
from condvest.batch_layer.shared.utils.arrow import array_of
from condvest.serving_layer.queries.bars.answering import NOT_LIVE, Answer, answer
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.sources import BarSource

if TYPE_CHECKING:
    from condvest.batch_layer.database.postgres.connecting.connection import Database

_INT16, _INT32, _DATE, _BOOL = pa.int16(), pa.int32(), pa.date32(), pa.bool_()

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
    # In the order of SCHEMA. Nothing is looked up: for a symbol's few rows it would take as long as the rest.
    columns = [
        _symbols(answer),
        array_of(np.full(len(bars), answer.interval, dtype=np.int16), _INT16),
        array_of(bars.window, _INT32),
        array_of(answer.first_day, _DATE),
        array_of(answer.last_day, _DATE),
        *price_arrays(bars).values(),
        array_of(bars.sessions, _INT16),
        array_of(bars.is_complete, _BOOL),
    ]
    table = pa.Table.from_arrays(columns, schema=SCHEMA)
    if answer.live_through is None:
        return table
    is_live = answer.live_through != NOT_LIVE
    through = pa.array(answer.live_through, mask=~is_live).cast(LIVE_SCHEMA.field("data_through").type)
    return pa.Table.from_arrays([*table.columns, pa.array(is_live), through], schema=LIVE_SCHEMA)


def read_bars(database: Database, sessions: Sessions, question: Question) -> pa.Table:
    """Return the bars of a question from one state of the database; raises as `answer_from_database`."""
    # Imported here: reading published files needs no module of the database.
    from condvest.serving_layer.queries.bars.stored_bars import answer_from_database  # noqa: PLC0415

    return bars_table(answer_from_database(database, sessions, question))


def read_bars_from(source: BarSource, question: Question) -> pa.Table:
    """Return the bars of a question from any source; raises what `answer` does."""
    return bars_table(answer(source, question))


def _symbols(answer: Answer) -> pa.Array:
    """Return the symbol of each row, from one per run of rows of one instrument."""
    instrument_id = answer.bars.instrument_id
    if len(instrument_id) and instrument_id[0] == instrument_id[-1]:  # rows of one instrument are together
        return _repeated(answer.symbols[int(instrument_id[0])].encode(), len(instrument_id))
    starts = run_starts(instrument_id)
    texts = [answer.symbols[each] for each in instrument_id[starts].tolist()]
    is_ascii = "".join(texts).isascii()
    widths = map(len, texts if is_ascii else map(str.encode, texts))
    rows = np.diff(starts, append=len(instrument_id))
    offsets = np.zeros(len(instrument_id) + 1, dtype=np.int32)
    np.cumsum(np.repeat(np.fromiter(widths, np.int32, len(texts)), rows), out=offsets[1:])
    text_bytes = "".join(map(mul, texts, rows.tolist())).encode()
    return pa.StringArray.from_buffers(len(instrument_id), pa.py_buffer(offsets), pa.py_buffer(text_bytes))


def _repeated(text: bytes, times: int) -> pa.Array:
    """Return a text as often as it is wanted."""
    offsets = np.arange(times + 1, dtype=np.int32) * np.int32(len(text))
    return pa.StringArray.from_buffers(times, pa.py_buffer(offsets), pa.py_buffer(text * times))
