"""Tickers, their details and their renames; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.clients.massive import columns
from condvest.batch_layer.shared.clients.massive.answers import read_results
from condvest.batch_layer.shared.clients.massive.faults import Faults, Values, shown
from condvest.batch_layer.shared.clients.massive.pages import Objects, read_pages
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.bars import Int64s
from condvest.batch_layer.shared.models.given.payload_rows import InstrumentRows, SymbolRows
from condvest.batch_layer.shared.models.given.payloads import Parsed
from condvest.batch_layer.shared.models.instruments.metadata import METADATA, FieldKind

_KEYS = {
    "exchange": "primary_exchange",
    "currency": "currency_name",
    "figi": "composite_figi",
    "delisted_date": "delisted_utc",
    "shares_outstanding": "share_class_shares_outstanding",
}
"""Massive's key of each field of METADATA that it calls otherwise."""

_READERS: Mapping[FieldKind, Callable[[Values, str, Faults], npt.NDArray[Any]]] = {
    "text": columns.texts,
    "number": columns.numbers,
    "date": columns.dates,
}


def read_instruments(bodies: Iterable[bytes]) -> Parsed:
    """Read listings (InstrumentRows) from pages of tickers or from answers with one ticker's details.

    A page of tickers gives no list date, sector, market cap or shares: they are unknown. A ticker without
    ``active`` counts as listed if it has no delisting date. ``line`` counts from 1 across the answers.

    Raises:
        InputError: an answer is neither.
    """
    return read_pages(bodies, _instruments, _tickers)


def read_symbols(bodies: Iterable[bytes]) -> Parsed:
    """Read the symbols that instruments took (SymbolRows) from answers with tickers' events.

    In each answer's own order, newest first. ``line`` counts from 1 across the answers.

    Raises:
        InputError: an answer is no such.
    """
    return read_pages(bodies, _symbols, _changes)


def _tickers(body: bytes) -> list[Any]:
    results = read_results(body)["results"]
    if isinstance(results, dict):
        return [results]
    if not isinstance(results, list):
        raise InputError(f"results that are neither tickers nor details: {shown(results)}")
    return results


def _instruments(rows: Objects, line: Int64s, faults: Faults) -> InstrumentRows:
    values: dict[str, Any] = {}
    for name, kind in METADATA.items():
        key = _KEYS.get(name, name)
        read = columns.utc_dates if key.endswith("_utc") else _READERS[kind]
        values[name] = read(columns.values_of(rows, key), name, faults)
    values["currency"] = _upper(values["currency"])
    return InstrumentRows(
        line=line,
        symbol=columns.texts(columns.values_of(rows, "ticker"), "symbol", faults, required=True),
        active=columns.flags(
            columns.values_of(rows, "active"),
            "active",
            faults,
            missing=lambda row: bool(np.isnat(values["delisted_date"][row])),
        ),
        **values,
    )


def _changes(body: bytes) -> list[Any]:
    """Return a ticker's changes, each with the FIGI of the answer and the ticker that was taken last."""
    results = read_results(body)["results"]
    events = results.get("events", []) if isinstance(results, dict) else None
    if not isinstance(events, list):
        raise InputError(f"results that hold no ticker's events: {shown(results)}")
    figi = results.get("composite_figi")
    changes: list[Any] = []
    for event in events:
        if not isinstance(event, dict):
            changes.append(event)
        elif event.get("type", "ticker_change") == "ticker_change":
            change = event.get("ticker_change")
            ticker = change.get("ticker") if isinstance(change, dict) else None
            changes.append({"ticker": ticker, "date": event.get("date"), "composite_figi": figi})
    objects = [change for change in changes if isinstance(change, dict)]
    dated = [
        change for change in objects if isinstance(change["date"], str) and isinstance(change["ticker"], str)
    ]
    if dated:
        current = max(dated, key=itemgetter("date"))["ticker"]
        for change in objects:
            change["current"] = current
    return changes


def _symbols(rows: Objects, line: Int64s, faults: Faults) -> SymbolRows:
    return SymbolRows(
        line=line,
        symbol=columns.texts(columns.values_of(rows, "ticker"), "symbol", faults, required=True),
        date=columns.dates(columns.values_of(rows, "date"), "date", faults, required=True),
        figi=columns.texts(columns.values_of(rows, "composite_figi"), "figi", faults),
        current=columns.texts(columns.values_of(rows, "current"), "current", faults),
    )


def _upper(texts: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    column = np.empty(len(texts), dtype=object)
    column[:] = [text.upper() for text in texts]
    return column
