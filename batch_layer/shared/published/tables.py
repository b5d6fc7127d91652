"""What published files hold: columns, and the way from arrays to Arrow and back. Pure.

Within a file bars ascend by instrument, then by ordinal or window.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from condvest.batch_layer.shared.core.windows import first_ordinals, last_ordinals
from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES, Bars, DailyBars, Int32s
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.published.parts import DIVIDED
from condvest.batch_layer.shared.settings import INTERVALS
from condvest.batch_layer.shared.utils.arrow import array_of, table_of

PRICES = (
    pa.field("open", pa.float64()),
    pa.field("high", pa.float64(), nullable=False),
    pa.field("low", pa.float64(), nullable=False),
    pa.field("close", pa.float64(), nullable=False),
    pa.field("volume", pa.float64(), nullable=False),
    pa.field("vwap", pa.float64()),
    pa.field("trades", pa.int64()),
)
"""In order: quote currency, shares, and a number; null where unknown, which
open, vwap and trades alone may be."""

_PRICE_TYPES = [(field.name, field.type) for field in PRICES]


def _schema(*fields: pa.Field | tuple[str, pa.DataType]) -> pa.Schema:
    """Return the schema of what is never null, but for what says so itself."""
    return pa.schema(
        [field if isinstance(field, pa.Field) else pa.field(*field, nullable=False) for field in fields]
    )


_BARS = _schema(
    ("instrument_id", pa.int32()),
    ("window", pa.int32()),
    ("first_session", pa.date32()),
    ("last_session", pa.date32()),
    *PRICES,
    ("sessions", pa.int16()),
    ("is_complete", pa.bool_()),
)
_UTC = pa.timestamp("ms", "UTC")  # the coarsest unit that Parquet has

SCHEMAS: Mapping[str, pa.Schema] = {
    "daily_bars": _schema(
        ("instrument_id", pa.int32()),
        ("ordinal", pa.int32()),
        ("session", pa.date32()),
        *PRICES,
        ("load_id", pa.int32()),
    ),
    **{f"bars_{n}": _BARS for n in INTERVALS},
    "instruments": _schema(
        ("instrument_id", pa.int32()),
        pa.field("symbol", pa.string()),
        pa.field("first_session", pa.date32()),
        pa.field("last_session", pa.date32()),
        ("providers", pa.int64()),
    ),
    "symbols": _schema(
        ("symbol", pa.string()),
        ("instrument_id", pa.int32()),
        pa.field("valid_from", pa.date32()),
        pa.field("valid_to", pa.date32()),
    ),
    "splits": _schema(
        ("instrument_id", pa.int32()),
        ("ex_date", pa.date32()),
        ("split_from", pa.float64()),
        ("split_to", pa.float64()),
        ("price_factor", pa.float64()),
        ("volume_factor", pa.float64()),
        ("load_id", pa.int32()),
    ),
    "dividends": _schema(
        ("instrument_id", pa.int32()),
        ("ex_date", pa.date32()),
        ("cash_amount", pa.float64()),
        ("load_id", pa.int32()),
    ),
    "sessions": _schema(
        ("ordinal", pa.int32()),
        ("session", pa.date32()),
        ("opens_at", _UTC),
        ("closes_at", _UTC),
        ("early_close", pa.bool_()),
        ("late_open", pa.bool_()),
        ("complete", pa.int64()),
    ),
    "daily_bar_revisions": _schema(
        ("instrument_id", pa.int32()),
        ("ordinal", pa.int32()),
        ("session", pa.date32()),
        *PRICES,
        ("load_id", pa.int32()),
        ("superseded_by", pa.int32()),
    ),
    "split_revisions": _schema(
        ("instrument_id", pa.int32()),
        ("ex_date", pa.date32()),
        ("split_from", pa.float64()),
        ("split_to", pa.float64()),
        ("load_id", pa.int32()),
        ("superseded_by", pa.int32()),
    ),
    "dividend_revisions": _schema(
        ("instrument_id", pa.int32()),
        ("ex_date", pa.date32()),
        ("cash_amount", pa.float64()),
        ("load_id", pa.int32()),
        ("superseded_by", pa.int32()),
    ),
    "suppliers": _schema(
        ("instrument_id", pa.int32()),
        ("provider_id", pa.int16()),
        ("first_load_id", pa.int32()),
        pa.field("superseded_by", pa.int32()),
    ),
    "ledger": _schema(
        ("provider_id", pa.int16()),
        ("ordinal", pa.int32()),
        ("first_load_id", pa.int32()),
        pa.field("completed_by", pa.int32()),
        pa.field("superseded_by", pa.int32()),
    ),
    "loads": _schema(
        ("load_id", pa.int32()),
        ("provider", pa.string()),
        ("name", pa.string()),
        ("archive_key", pa.string()),
        ("loaded_at", pa.timestamp("us", "UTC")),
    ),
    "instrument_fields": _schema(
        ("instrument_id", pa.int32()),
        ("field", pa.string()),
        ("value", pa.string()),
        ("load_id", pa.int32()),
        pa.field("superseded_by", pa.int32()),
    ),
    "coverage": _schema(
        ("provider", pa.string()),
        ("ordinal", pa.int32()),
        ("complete", pa.bool_()),
        ("passed", pa.int32()),
        ("refused", pa.int32()),
    ),
    "refused": _schema(
        ("load_id", pa.int32()),
        ("provider", pa.string()),
        ("dataset", pa.string()),
        ("name", pa.string()),
        ("line", pa.int64()),
        ("code", pa.string()),
        ("symbol", pa.string()),
        pa.field("session", pa.date32()),
        ("reason", pa.string()),
        ("content", pa.string()),
    ),
    "runs": _schema(
        ("run_id", pa.int32()),
        ("command", pa.string()),
        ("started_at", pa.timestamp("us", "UTC")),
        pa.field("finished_at", pa.timestamp("us", "UTC")),
        pa.field("exit_code", pa.int32()),
        pa.field("summary", pa.string()),
    ),
}
"""Data set to its columns, in order; docs/publishing.md says what each means."""


def to_arrow(
    dataset: str, rows: DailyBars | Bars, more: Mapping[str, Int32s], sessions: Sessions
) -> pa.Table:
    """Return rows of a data set that is divided as they are published; what is unknown is null.

    Args:
        dataset: which.
        rows: daily bars, or bars.
        more: the columns that the data set has beside those.
        sessions: the calendar.
    """
    schema, interval = SCHEMAS[dataset], DIVIDED[dataset]
    columns: dict[str, Any] = vars(rows) | price_arrays(rows) | dict(more)
    if isinstance(rows, DailyBars):
        columns["session"] = sessions.dates_of(rows.ordinal)
    else:
        # The very first windows may begin before the calendar does.
        first = np.maximum(first_ordinals(rows.window, interval), sessions.first_ordinal)
        columns["first_session"] = sessions.dates_of(first)
        columns["last_session"] = sessions.dates_of(last_ordinals(rows.window, interval))
    return table_of(columns, schema)


def to_numpy(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[Any]:
    """Return a column as an array; an unknown float is NaN, an unknown integer UNKNOWN_TRADES."""
    if isinstance(column, pa.ChunkedArray):
        # Read from one file it is one chunk, and not copied.
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if column.null_count and pa.types.is_integer(column.type):
        import pyarrow.compute as pc  # noqa: PLC0415  # who reads from the database does not wait for it

        column = pc.fill_null(column, UNKNOWN_TRADES)
    values: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values


def price_arrays(rows: DailyBars | Bars) -> dict[str, pa.Array]:
    """Return the columns of `PRICES` by name, in order; no value is copied."""
    unknown = {
        "open": np.isnan(rows.open),
        "vwap": np.isnan(rows.vwap),
        "trades": rows.trades == UNKNOWN_TRADES,
    }
    return {name: array_of(getattr(rows, name), kind, unknown.get(name)) for name, kind in _PRICE_TYPES}
