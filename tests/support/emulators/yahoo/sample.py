"""Real prices as traded, from the public-domain sample of bokeh-sampledata, with their real splits."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from importlib.resources import files

import numpy as np

from tests.support.emulators.yahoo.history import History

SPLITS = {
    "AAPL": ((dt.date(2000, 6, 21), 1, 2), (dt.date(2005, 2, 28), 1, 2)),
    "MSFT": ((dt.date(2003, 2, 18), 1, 2),),
}
"""The 2-for-1 splits inside the sample's range, which is 2000-03-01 to 2013-03-01."""


def sample_histories() -> list[History]:
    """Return AAPL, FB, GOOG, IBM and MSFT as traded; dividends are not in the sample."""
    packed = files("bokeh_sampledata").joinpath("_data/stocks.csv.gz").read_bytes()
    rows: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(gzip.decompress(packed).decode().splitlines()):
        by_name = {name.strip().lower(): value for name, value in row.items()}
        rows.setdefault(by_name.get("symbol") or by_name["ticker"], []).append(by_name)
    return [
        History(
            symbol=symbol,
            session=np.array([row["date"] for row in mine], dtype="datetime64[D]"),
            **{
                name: np.array([float(row[name]) for row in mine])
                for name in ("open", "high", "low", "close", "volume")
            },
            splits=SPLITS.get(symbol, ()),
        )
        for symbol, mine in rows.items()
    ]
