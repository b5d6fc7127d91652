"""Splits and dividends, from any source."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from condvest.batch_layer.shared.core.adjustment import split_factors
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.serving_layer.queries.bars.question import check_bounds
from condvest.serving_layer.queries.bars.selection import select
from condvest.serving_layer.sources import BarSource

SPLITS = pa.schema(
    [
        ("symbol", pa.string()),
        ("ex_date", pa.date32()),
        ("split_from", pa.float64()),
        ("split_to", pa.float64()),
        ("price_factor", pa.float64()),
        ("volume_factor", pa.float64()),
    ]
)
DIVIDENDS = pa.schema([("symbol", pa.string()), ("ex_date", pa.date32()), ("cash_amount", pa.float64())])


def read_splits(
    source: BarSource,
    symbols: Sequence[str] | None,
    start: dt.date | None,
    end: dt.date | None,
    *,
    unique: bool = True,
) -> pa.Table:
    """Return splits by symbol and ex-date.

    Columns: symbol (where it has passed to another instrument a label: ``X#12``), ex_date (date32),
    split_from, split_to (float64, old and new shares), price_factor and volume_factor (float64): what brings
    a price or a volume from before this split to the basis of the last loaded session, all later splits
    included.

    Args:
        source: where to read.
        symbols: of these; of all instruments with bars if None.
        start: first ex-date, inclusive.
        end: last ex-date, inclusive.
        unique: give labels where a symbol has passed to another instrument, else the symbol alone.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
        UsageError: ``start`` lies after ``end``.
    """
    check_bounds(start, end)
    names, ids = select(source, symbols, unique=unique)
    events = source.splits(ids)
    splits = events.on(source.sessions)
    loaded = source.coverage(ids).last_loaded(splits.instrument_id)
    price, volume = split_factors(splits.instrument_id, splits.ex_ordinal - np.int32(1), loaded, splits)
    columns = {
        "symbol": _symbols(names, events.instrument_id),
        "ex_date": events.ex_date,
        "split_from": events.split_from,
        "split_to": events.split_to,
        "price_factor": price,
        "volume_factor": volume,
    }
    return _selected(pa.table(columns, schema=SPLITS), events.ex_date, start, end)


def read_dividends(
    source: BarSource,
    symbols: Sequence[str] | None,
    start: dt.date | None,
    end: dt.date | None,
    *,
    unique: bool = True,
) -> pa.Table:
    """Return cash dividends by symbol and ex-date; arguments and errors as for `read_splits`.

    Columns: symbol, ex_date (date32), cash_amount (float64, quote currency per share as of the ex-date).
    """
    check_bounds(start, end)
    names, ids = select(source, symbols, unique=unique)
    events = source.dividends(ids)
    columns = {
        "symbol": _symbols(names, events.instrument_id),
        "ex_date": events.ex_date,
        "cash_amount": events.cash_amount,
    }
    return _selected(pa.table(columns, schema=DIVIDENDS), events.ex_date, start, end)


def _symbols(names: Mapping[int, str], instrument_id: Int32s) -> pa.Array:
    return pa.array([names[each] for each in instrument_id.tolist()], pa.string())


def _selected(
    table: pa.Table,
    ex_date: np.ndarray[tuple[int], np.dtype[np.datetime64]],
    start: dt.date | None,
    end: dt.date | None,
) -> pa.Table:
    within = np.ones(len(table), dtype=bool)
    if start is not None:
        within &= ex_date >= np.datetime64(start)
    if end is not None:
        within &= ex_date <= np.datetime64(end)
    return table.filter(pa.array(within)).sort_by([("symbol", "ascending"), ("ex_date", "ascending")])
