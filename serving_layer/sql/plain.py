"""From what DuckDB answers to columns that every format holds alike. Pure."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from condvest.serving_layer.sql.limits import BadStatement

_UTC = "UTC"


def plain(table: pa.Table) -> pa.Table:
    """Return a table of booleans, integers, float64, texts, dates and instants, as other answers have them.

    Decimals of no fraction (sums of integers are such) become int64, others float64. A float that is no
    number, or infinite, becomes null, for JSON has neither. Instants are microseconds.

    Raises:
        BadStatement: two columns have one name, or one has a type that no format holds.
    """
    names = table.column_names
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise BadStatement(f"two columns are named {doubled[0]!r}: name each one with AS")
    columns = {name: _plain(name, table[name]) for name in names}
    return pa.table(columns) if columns else table


def _plain(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_decimal(kind):
        return _number(name, column)
    if pa.types.is_floating(kind):
        values = column.cast(pa.float64())
        return pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", None if kind.tz is None else _UTC), safe=False)
    is_as_others = pa.types.is_boolean(kind) or pa.types.is_integer(kind)
    if is_as_others or pa.types.is_string(kind) or pa.types.is_date32(kind):
        return column
    raise BadStatement(f"column {name!r} is of type {kind}, which no format holds: cast it, as in x::VARCHAR")


def _number(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return decimals as int64 where they have no fraction, else as float64."""
    if column.type.scale:
        return column.cast(pa.float64())
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise BadStatement(
            f"column {name!r} has an integer beyond 64 bits: cast it, as in x::DOUBLE or x::VARCHAR"
        ) from error
