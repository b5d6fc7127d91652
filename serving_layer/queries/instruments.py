"""The instruments and what is known about them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from batch_layer.database.opening import OpenDatabase
from batch_layer.database.stores import loads, metadata
from batch_layer.database.stores.daily_bars import spans_of_bars
from batch_layer.database.stores.symbols import all_symbols
from batch_layer.shared.errors import UsageError
from batch_layer.shared.models.loads import EVERY_LOAD
from batch_layer.shared.models.metadata import METADATA, FieldKind
from batch_layer.shared.models.spans import Spans

_TYPES: Mapping[FieldKind, pa.DataType] = {"text": pa.string(), "number": pa.float64(), "date": pa.date32()}
_READERS: Mapping[FieldKind, Callable[[str], Any]] = {
    "text": str,
    "number": float,
    "date": dt.date.fromisoformat,
}

_INSTRUMENTS = pa.schema(
    [
        ("instrument_id", pa.int32()),
        ("symbol", pa.string()),
        ("active", pa.bool_()),
        ("first_session", pa.date32()),
        ("last_session", pa.date32()),
        *((name, _TYPES[kind]) for name, kind in METADATA.items()),
    ]
)


def read_instruments(
    opened: OpenDatabase, *, active: bool | None = None, as_of: dt.datetime | None = None
) -> pa.Table:
    """Return the instruments by symbol: one row each, with what is known about it.

    Columns: instrument_id (int32), symbol (that it carries now, or carried last), active (bool, null where
    no reference says), first_session and last_session of its daily bars (date32, null if it has none), and
    the fields of METADATA: a text as string, a number as float64, a date as date32, null where unknown.

    Args:
        opened: the open database.
        active: only listed ones if True, only delisted ones if False.
        as_of: an aware datetime: what was known then, and of whom anything was; now if None. The symbol is
            today's all the same.

    Raises:
        UsageError: ``as_of`` has no time zone.
    """
    if as_of is not None and as_of.tzinfo is None:
        raise UsageError(f"as_of {as_of} needs a time zone: an instant, not a local time")
    with opened.database.transaction(snapshot=True, read_only=True) as connection:
        known_by = EVERY_LOAD if as_of is None else loads.last_load_by(connection, as_of)
        fields = metadata.read_fields(connection, known_by)
        names = all_symbols(connection)
        ids = np.array(sorted(names), dtype=np.int32)
        spans = spans_of_bars(connection, ids, known_by)
    # One whose rows were taken back is known by nothing but its symbol.
    known = fields.keys() | set(spans.instrument_id.tolist())
    names = {instrument: symbol for instrument, symbol in names.items() if instrument in known}
    bars = dict(zip(spans.instrument_id.tolist(), zip(*_bounds(opened, spans), strict=True), strict=True))
    rows = []
    for instrument_id in sorted(names, key=lambda each: (names[each], each)):
        values = fields.get(instrument_id, {})
        is_active = {"true": True, "false": False}.get(values.get("active", ""))
        if active is not None and is_active is not active:
            continue
        first, last = bars.get(instrument_id, (None, None))
        row = {"instrument_id": instrument_id, "symbol": names[instrument_id], "active": is_active}
        rows.append(row | {"first_session": first, "last_session": last} | _typed(values))
    return pa.Table.from_pylist(rows, schema=_INSTRUMENTS)


def _bounds(opened: OpenDatabase, spans: Spans) -> tuple[list[dt.date], list[dt.date]]:
    dates_of = opened.sessions.dates_of
    return dates_of(spans.first).tolist(), dates_of(spans.last).tolist()


def _typed(values: Mapping[str, str]) -> dict[str, Any]:
    return {name: _READERS[kind](values[name]) if name in values else None for name, kind in METADATA.items()}
