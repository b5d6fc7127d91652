"""The instruments and what is known about them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from condvest.batch_layer.database.opening import OpenDatabase
from condvest.batch_layer.database.stores.daily.daily_bars import spans_of_bars
from condvest.batch_layer.database.stores.identity import metadata
from condvest.batch_layer.database.stores.identity.symbols import all_symbols
from condvest.batch_layer.database.stores.loading import loads
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.instruments.metadata import METADATA, FieldKind
from condvest.batch_layer.shared.models.loads import EVERY_LOAD
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans
from condvest.batch_layer.shared.utils.arrow import array_of, dates_of, texts_of

_TYPES: Mapping[FieldKind, pa.DataType] = {"text": pa.string(), "number": pa.float64(), "date": pa.date32()}


def _numbers(values: Sequence[str | None]) -> pa.Array:
    unknown = np.array([text is None for text in values], dtype=bool)
    return array_of(np.array([float(text or 0) for text in values]), pa.float64(), unknown)


def _dates(values: Sequence[str | None]) -> pa.Array:
    return dates_of(np.array([text or "NaT" for text in values], dtype="datetime64[D]"))


_READERS: Mapping[FieldKind, Callable[[Sequence[str | None]], pa.Array]] = {
    "text": texts_of,
    "number": _numbers,
    "date": _dates,
}
"""What makes a column of the texts in which the values of a field are stored; None is unknown."""

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
    return instruments_table(fields, names, spans, opened.sessions, active=active)


def instruments_table(
    fields: Mapping[int, Mapping[str, str]],
    names: Mapping[int, str],
    spans: Spans,
    sessions: Sessions,
    *,
    active: bool | None = None,
) -> pa.Table:
    """Return the table of instruments, given what is known of each, their symbols, and their daily bars."""
    # One whose rows were taken back is known by nothing but its symbol.
    known = fields.keys() | set(spans.instrument_id.tolist())
    names = {instrument: symbol for instrument, symbol in names.items() if instrument in known}
    wanted = "" if active is None else str(active).lower()
    listed = [
        instrument_id
        for instrument_id in sorted(names, key=lambda each: (names[each], each))
        if not wanted or fields.get(instrument_id, {}).get("active") == wanted
    ]
    ids = np.array(listed, dtype=np.int32)
    is_active = [fields.get(instrument_id, {}).get("active") for instrument_id in listed]
    columns = {
        "instrument_id": array_of(ids, pa.int32()),
        "symbol": texts_of([names[instrument_id] for instrument_id in listed]),
        "active": array_of(
            np.array([text == "true" for text in is_active], dtype=bool),
            pa.bool_(),
            np.array([text not in {"true", "false"} for text in is_active], dtype=bool),
        ),
        **_reaches(ids, spans, sessions),
        **{
            name: _READERS[kind]([fields.get(instrument_id, {}).get(name) for instrument_id in listed])
            for name, kind in METADATA.items()
        },
    }
    return pa.Table.from_arrays([columns[name] for name in _INSTRUMENTS.names], schema=_INSTRUMENTS)


def _reaches(ids: Int32s, spans: Spans, sessions: Sessions) -> dict[str, pa.Array]:
    """Return the dates of the first and last daily bar of each instrument; null if it has none."""
    has_bars = np.isin(ids, spans.instrument_id)
    row = np.searchsorted(spans.instrument_id, ids[has_bars])
    dates = {}
    for name, ordinals in (("first_session", spans.first), ("last_session", spans.last)):
        days = np.full(len(ids), "NaT", dtype="datetime64[D]")
        days[has_bars] = sessions.dates_of(ordinals[row])
        dates[name] = dates_of(days)
    return dates
