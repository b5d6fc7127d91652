"""Tickers, their details and their renames; pure."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from batch_layer.shared.clients.massive import columns
from batch_layer.shared.clients.massive.answers import read_results
from batch_layer.shared.clients.massive.columns import Faults
from batch_layer.shared.clients.massive.pages import Objects, read_pages
from batch_layer.shared.errors import InputError
from batch_layer.shared.models.bars import Int64s
from batch_layer.shared.models.payloads import InstrumentRows, Parsed, SymbolRows

_TEXTS = {
    "name": "name",
    "type": "type",
    "exchange": "primary_exchange",
    "cik": "cik",
    "composite_figi": "composite_figi",
    "share_class_figi": "share_class_figi",
    "sic_code": "sic_code",
    "sic_description": "sic_description",
}
_NUMBERS = {
    "market_cap": "market_cap",
    "shares_outstanding": "share_class_shares_outstanding",
    "weighted_shares_outstanding": "weighted_shares_outstanding",
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
        raise InputError(f"results that are neither tickers nor details: {columns.shown(results)}")
    return results


def _instruments(rows: Objects, line: Int64s, faults: Faults) -> InstrumentRows:
    delisted = columns.utc_dates(columns.values_of(rows, "delisted_utc"), "delisted_date", faults)
    values: dict[str, Any] = {
        name: columns.texts(columns.values_of(rows, key), name, faults) for name, key in _TEXTS.items()
    }
    values |= {
        name: columns.numbers(columns.values_of(rows, key), name, faults) for name, key in _NUMBERS.items()
    }
    return InstrumentRows(
        line=line,
        symbol=columns.texts(columns.values_of(rows, "ticker"), "symbol", faults, required=True),
        currency=_upper(columns.texts(columns.values_of(rows, "currency_name"), "currency", faults)),
        active=columns.flags(
            columns.values_of(rows, "active"),
            "active",
            faults,
            missing=lambda row: bool(np.isnat(delisted[row])),
        ),
        list_date=columns.dates(columns.values_of(rows, "list_date"), "list_date", faults),
        delisted_date=delisted,
        **values,
    )


def _changes(body: bytes) -> list[Any]:
    """Return a ticker's changes, each with the FIGI of the answer and the ticker that was taken last."""
    results = read_results(body)["results"]
    events = results.get("events", []) if isinstance(results, dict) else None
    if not isinstance(events, list):
        raise InputError(f"results that hold no ticker's events: {columns.shown(results)}")
    figi = results.get("composite_figi")
    changes: list[Any] = []
    for event in events:
        if not isinstance(event, dict):
            changes.append(event)
        elif event.get("type", "ticker_change") == "ticker_change":
            change = event.get("ticker_change")
            ticker = change.get("ticker") if isinstance(change, dict) else None
            changes.append({"ticker": ticker, "date": event.get("date"), "composite_figi": figi})
    told = [one for one in changes if isinstance(one, dict)]
    dated = [one for one in told if isinstance(one["date"], str) and isinstance(one["ticker"], str)]
    if dated:
        current = max(dated, key=itemgetter("date"))["ticker"]
        for one in told:
            one["current"] = current
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
