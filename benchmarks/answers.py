"""Answers of a vendor, as bytes on the wire, for sessions of a synthetic market of 12,500 instruments."""

import json

import numpy as np

from condvest.batch_layer.shared.clients.massive.grouped import read_grouped
from condvest.batch_layer.shared.models.bars import DailyBars
from condvest.batch_layer.shared.models.given.payloads import Fetched, Payload
from tests.support.emulators.synthetic.sessions import milliseconds, new_york

INSTRUMENTS = 12_500


def session_of(ordinal, seed):
    """Return the daily bars of a session: prices in cents, whole volumes; instruments are 1 to 12,500."""
    rng = np.random.default_rng([seed, ordinal])
    low = np.round(1 + 100 * rng.random(INSTRUMENTS), 2)
    open_, close = (np.round(low + rng.random(INSTRUMENTS), 2) for _ in range(2))
    return DailyBars(
        instrument_id=np.arange(1, INSTRUMENTS + 1, dtype=np.int32),
        ordinal=np.full(INSTRUMENTS, ordinal, dtype=np.int32),
        open=open_,
        high=np.round(np.maximum(open_, close) + 0.5, 2),
        low=low,
        close=close,
        volume=rng.integers(1, 10_000_000, INSTRUMENTS).astype(np.float64),
        vwap=np.round((open_ + close) / 2, 4),
        trades=rng.integers(1, 50_000, INSTRUMENTS),
    )


def body_of(bars, date):
    """Return the bytes of the grouped answer of a session; instrument 7 has the symbol S7."""
    stamp = milliseconds(new_york(date, 16))
    columns = (
        bars.instrument_id,
        bars.volume,
        bars.vwap,
        bars.open,
        bars.close,
        bars.high,
        bars.low,
        bars.trades,
    )
    results = [
        {
            "T": f"S{number}",
            "v": volume,
            "vw": vwap,
            "o": o,
            "c": c,
            "h": h,
            "l": low,
            "t": stamp,
            "n": trades,
        }
        for number, volume, vwap, o, c, h, low, trades in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]
    answer = {"queryCount": len(results), "resultsCount": len(results), "adjusted": False, "results": results}
    return json.dumps(answer | {"status": "OK", "request_id": str(date)}, separators=(",", ":")).encode()


def answer_of(body, date, fetched_at):
    """Return the answer as the provider gives it, read and checked."""
    payload = Payload(
        provider="massive",
        dataset="daily_bars",
        content=body,
        media="json",
        first_session=date,
        last_session=date,
        fetched_at=fetched_at,
        is_whole=True,
        name=f"/v2/aggs/grouped/locale/us/market/stocks/{date}",
    )
    return Fetched(payload, read_grouped(body, date))
