"""What Massive's paths of reference data are asked, read from a backend."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from condvest.batch_layer.shared.errors import UnknownSymbol
from condvest.serving_layer.compatible.massive import records
from condvest.serving_layer.compatible.massive.parameters import Parameters
from condvest.serving_layer.compatible.massive.records import Record
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.massive.reading import Given
from condvest.serving_layer.queries.actions import read_dividends, read_splits


def tickers(backend: Backend, _: Given, asked: Parameters) -> list[Record]:
    """Return the records of the listed instruments, or with ``active=false`` of those that no longer are."""
    is_active = asked.flag("active", default=True)
    listed = records.tickers(backend.reference.instruments())
    words = asked.given.get("search", "").lower()
    return [
        record
        for record in listed
        if record["active"] == is_active
        and (words in str(record["ticker"]).lower() or words in str(record.get("name", "")).lower())
    ]


def details(backend: Backend, given: Given, asked: Parameters) -> dict[str, Any]:
    """Return what is known of who carries a ticker today.

    Raises:
        UnknownSymbol: nobody does.
    """
    asked.text("ticker", (given["ticker"],), given["ticker"])
    row = _instrument(backend.reference.instruments(), given["ticker"])
    return {"status": "OK", "results": records.details(row)}


def events(backend: Backend, given: Given, asked: Parameters) -> dict[str, Any]:
    """Return the tickers that an instrument took, which a ticker of today or a FIGI names.

    Raises:
        UnknownSymbol: there is nobody.
    """
    asked.text("types", ("ticker_change",), "ticker_change")
    asked.text("ticker", (given["identifier"],), given["identifier"])
    row = _instrument(backend.reference.instruments(), given["identifier"])
    spans = [
        (symbol, first)
        for instrument, symbol, first, _ in backend.reference.symbols()
        if instrument == row["instrument_id"]
    ]
    return {"status": "OK", "results": records.events(row, spans, row["first_session"])}


def splits(backend: Backend, _: Given, __: Parameters) -> list[Record]:
    """Return all splits, under the symbols of today."""
    with backend.reading() as (source, _state):
        return records.splits(read_splits(source, None, None, None, unique=False))


def dividends(backend: Backend, _: Given, __: Parameters) -> list[Record]:
    """Return all cash dividends, under the symbols of today."""
    with backend.reading() as (source, _state):
        return records.dividends(read_dividends(source, None, None, None, unique=False))


def old_splits(backend: Backend, given: Given, asked: Parameters) -> list[Record]:
    """Return the splits in the deprecated form."""
    keys = ("id", "ticker", "execution_date", "split_from", "split_to")
    return list(map(records.in_the_older_form(keys, {}), splits(backend, given, asked)))


def old_dividends(backend: Backend, given: Given, asked: Parameters) -> list[Record]:
    """Return the dividends in the deprecated form."""
    keys = ("id", "ticker", "ex_dividend_date", "cash_amount", "currency")
    older = records.in_the_older_form(keys, {"dividend_type": "CD"})
    return list(map(older, dividends(backend, given, asked)))


def holidays(backend: Backend, _: Given, asked: Parameters) -> list[Record]:
    """Return the days to come without a session, and those with an early close."""
    with backend.reading() as (source, _state):
        return records.closed_days(source.sessions, asked.today)


def _instrument(instruments: pa.Table, identifier: str) -> dict[str, Any]:
    """Return the row of who carries a ticker today, or has a FIGI; of several the listed one."""
    matches = pc.or_(
        pc.equal(instruments["symbol"], identifier),
        pc.fill_null(pc.equal(instruments["figi"], identifier), fill_value=False),
    )
    rows: list[dict[str, Any]] = instruments.filter(matches).to_pylist()
    if not rows:
        raise UnknownSymbol(f"no instrument carries the symbol {identifier}, or has it as its FIGI")
    return max(rows, key=lambda row: (row["active"] is True, row["last_session"] or dt.date.min))
