"""Massive's snapshot of the whole market, read; pure.

``day`` is the session's daily bar so far: its prices are those of regular trades, its volume that of the
whole date. Before an instrument's first regular trade all of it is 0, which is none. ``updated`` is when the
row changed last.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np

from condvest.batch_layer.shared.clients.massive import columns
from condvest.batch_layer.shared.clients.massive.answers import MOST_ROWS, read_json
from condvest.batch_layer.shared.clients.massive.faults import Faults, shown
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES, Bools, Floats
from condvest.batch_layer.shared.models.given.given_rows import GivenRows
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.speed_layer.core.snapshot import Snapshot
from condvest.speed_layer.feeds.massive.massive_values import instants, volumes

_PRICES = {"open": "o", "high": "h", "low": "l", "close": "c"}
_GOOD = frozenset({"OK", "DELAYED"})


def read_snapshot(body: bytes, session: dt.date) -> Snapshot:
    """Read a snapshot; every row is taken to be of ``session``, which the collector checks.

    What is wrong with one row is a fault of the row.

    Raises:
        InputError: the body is no snapshot; the message says what is there instead.
    """
    tickers = _tickers(read_json(body))
    faults = Faults()
    given = columns.objects(tickers, faults)
    day = _part(given, "day", faults)
    prices = {
        name: columns.numbers(columns.values_of(day, key), name, faults) for name, key in _PRICES.items()
    }
    volume = columns.numbers(
        volumes(columns.values_of(day, "v"), columns.values_of(day, "dv"), faults), "volume", faults
    )
    vwap = columns.numbers(columns.values_of(day, "vw"), "vwap", faults)
    has_bar = _has_bar(prices)
    values: dict[str, Any] = {
        "line": np.arange(1, len(given) + 1, dtype=np.int64),
        "symbol": columns.texts(columns.values_of(given, "ticker"), "symbol", faults, required=True),
        "session": np.full(len(given), np.datetime64(session, "D")),
        **prices,
        "volume": volume,
        "vwap": np.where(vwap == 0, np.nan, vwap),
        "trades": np.full(len(given), UNKNOWN_TRADES, dtype=np.int64),
    }
    for row in np.flatnonzero(has_bar).tolist():
        for name in (*prices, "volume"):
            if np.isnan(values[name][row]) and f"{name}: " not in faults.get(row, ""):
                faults.note(row, f"{name}: missing")
    trade = _part(given, "lastTrade", faults)
    price = columns.numbers(columns.values_of(trade, "p"), "last trade", Faults())
    given_columns = {key: columns.values_of(given, key) for key in ("ticker", "day", "updated")}
    return Snapshot(
        rows=BarRows(**values),
        faults=faults,
        has_bar=has_bar,
        updated=instants(columns.values_of(given, "updated"), "updated", faults),
        last_price=np.where(price > 0, price, np.nan),
        last_at=instants(columns.values_of(trade, "t"), "last trade", Faults()),
        source=GivenRows(given_columns, len(given)),
    )


def _tickers(value: Any) -> list[Any]:  # noqa: ANN401  # what JSON may hold
    if not isinstance(value, dict):
        raise InputError(f"expected a snapshot, an object; got a JSON {type(value).__name__}")
    status = value.get("status")
    if status not in _GOOD:
        said = value.get("error") or value.get("message") or "no reason given"
        raise InputError(f"expected a snapshot, got status {status!r}: {str(said)[:200]}")
    tickers = value.get("tickers")
    if not isinstance(tickers, list):
        raise InputError("expected a snapshot with a list of tickers, got none")
    count = value.get("count", len(tickers))
    if isinstance(count, int) and len(tickers) < count:
        raise InputError(f"a snapshot that counts {count:,} tickers and has {len(tickers):,}")
    if len(tickers) > MOST_ROWS:
        raise InputError(f"{len(tickers):,} tickers, where at most {MOST_ROWS:,} are taken of one answer")
    return tickers


def _part(rows: list[dict[str, Any]], key: str, faults: Faults) -> list[dict[str, Any]]:
    """Return the object under a key of each row, an empty one where it is absent or null."""
    parts = columns.values_of(rows, key)
    for row, part in enumerate(parts):
        if part is not None and not isinstance(part, dict):
            faults.note(row, f"{key}: {shown(part)} is not an object")
    return [part if isinstance(part, dict) else {} for part in parts]


def _has_bar(prices: Mapping[str, Floats]) -> Bools:
    """Return where a regular trade came: some price is neither 0 nor missing."""
    has_bar: Bools = np.logical_or.reduce([np.nan_to_num(values, nan=0.0) != 0 for values in prices.values()])
    return has_bar
