"""What each of the data feed's paths is asked, read from a backend."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa

from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.instruments.labels import of_label
from condvest.serving_layer.compatible import udf
from condvest.serving_layer.compatible.massive.parameters import Parameters
from condvest.serving_layer.compatible.udf import Record
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.backends.states import NotServed
from condvest.serving_layer.http.massive.reading import Given
from condvest.serving_layer.queries.actions import read_dividends, read_splits
from condvest.serving_layer.queries.bars.bars_table import read_bars_from
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.queries.bars.selection import select
from condvest.serving_layer.sources import BarSource

_MOST_FOUND = 100
_MOST_BARS = 50_000


def config(_: Backend, __: Given, ___: Parameters) -> Record:
    """Return what the feed can do."""
    return udf.config()


def symbols(backend: Backend, _: Given, asked: Parameters) -> Record:
    """Return what a chart has to know of a symbol.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried it.
    """
    symbol = _needed(asked, "symbol")
    with backend.reading() as (source, _state):
        names, ids = select(source, [symbol])
        bars = _bars(source, symbol, 1, None)
    name = names[int(ids[0])]
    label = of_label(name)
    own = label[0] if label else name
    known = next((row for row in _instruments(backend) if row["symbol"] == own), {})
    return udf.symbol_info(symbol, known, bars["close"][-1].as_py() if len(bars) else None)


def search(backend: Backend, _: Given, asked: Parameters) -> list[Record]:
    """Return the instruments whose symbol or name holds a text."""
    limit = asked.count("limit", 30, _MOST_FOUND)
    return udf.matching(_instruments(backend), asked.given.get("query", ""), limit)


def history(backend: Backend, _: Given, asked: Parameters) -> Record:
    """Return bars that begin at or after ``from`` and before ``to``; or so many before ``to``."""
    interval = udf.interval_of(_needed(asked, "resolution"))
    since = udf.date_before("from", asked.given.get("from", "0")) + dt.timedelta(days=1)
    until = udf.date_before("to", _needed(asked, "to"))
    countback = asked.count("countback", 1, _MOST_BARS) if "countback" in asked.given else None
    with backend.reading() as (source, _state):
        bars = _bars(source, _needed(asked, "symbol"), interval, until)
    return udf.history(bars, since, countback)


def marks(backend: Backend, _: Given, asked: Parameters) -> list[Record]:
    """Return splits, dividends and the bar that has not ended, at the times of the bars that hold them."""
    symbol, interval = _needed(asked, "symbol"), udf.interval_of(_needed(asked, "resolution"))
    since = udf.date_before("from", asked.given.get("from", "0")) + dt.timedelta(days=1)
    until = udf.date_before("to", _needed(asked, "to"))
    with backend.reading() as (source, _state):
        bars = _bars(source, symbol, interval, until)
        splits = read_splits(source, [symbol], None, None)
        dividends = read_dividends(source, [symbol], None, None)
    begins = bars["first_session"].to_pylist()
    first = next((at for at, date in enumerate(begins) if date >= since), len(bars))
    return udf.marks(bars.slice(first), splits, dividends)


def timescale_marks(backend: Backend, given: Given, asked: Parameters) -> list[Record]:
    """Return the same below the chart."""
    return udf.on_timescale(marks(backend, given, asked))


def _bars(source: BarSource, symbol: str, interval: int, until: dt.date | None) -> pa.Table:
    """Return the bars of a symbol, those that begin after a date left out."""
    table = read_bars_from(source, Question([symbol], interval, include_open=True))
    if until is None:
        return table
    begins = table["first_session"].to_pylist()
    return table.slice(0, sum(date <= until for date in begins))


def _instruments(backend: Backend) -> list[dict[str, Any]]:
    """Return symbol, name and exchange of each instrument; an earlier publication tells only symbols."""
    try:
        instruments = backend.reference.instruments()
    except NotServed:
        with backend.reading() as (source, _):
            return [{"symbol": symbol} for symbol in sorted(set(source.names().values()))]
    rows: list[dict[str, Any]] = instruments.select(["symbol", "name", "exchange"]).to_pylist()
    return rows


def _needed(asked: Parameters, name: str) -> str:
    if name not in asked.given:
        raise UsageError(f"{name} is missing")
    return asked.given[name]
