"""zipline's csvdir: one CSV file per instrument, and the extension that registers the bundle.

Format: `zipline/data/bundles/csvdir.py` of zipline-reloaded 3.2.1. Prices are as traded. ``split`` is the
number of new shares for an old one on the ex-date (zipline multiplies earlier prices by its inverse),
``dividend`` the cash per share. Every session between an instrument's first and last bar has a row, for
zipline refuses a file that lacks one: where nothing was traded it is zeros, which zipline reads as NaN.
An unknown price is zero, too.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from condvest.batch_layer.shared.models.bars import Floats
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.serving_layer.exports.names import FileNames
from condvest.serving_layer.exports.stocks import Stock

_EXTENSION = '''\
"""Registers the bundle "condvest"; written by condvest export zipline.

    zipline -e {path} ingest -b condvest
"""

from zipline.data.bundles import register
from zipline.data.bundles.csvdir import csvdir_equities

read_csvdir = csvdir_equities(["daily"], {folder!r})


class Payer:
    """Pays dividends on their ex-date: csvdir gives them no pay date, and zipline would never pay them."""

    def __init__(self, writer):
        self.writer = writer

    def write(self, splits=None, dividends=None):
        for name in ("declared_date", "record_date", "pay_date"):
            dividends[name] = dividends["ex_date"]
        self.writer.write(splits=splits, dividends=dividends)


@register("condvest", calendar_name="NYSE")
def ingest(environ, assets, minutes, daily, adjustments, *more):
    read_csvdir(environ, assets, minutes, daily, Payer(adjustments), *more)
'''


class ZiplineWriter:
    """Writes stocks as CSV files below ``daily``.

    Args:
        folder: to write into.
        destination: where the folder will be in the end; the extension names it.
        sessions: the calendar.
    """

    def __init__(self, folder: Path, destination: Path, sessions: Sessions) -> None:
        self._daily = folder / "daily"
        self._daily.mkdir()
        # A dot would end the symbol: zipline takes what stands before the first one of a file's name.
        self._names = FileNames("-#")
        self._sessions = sessions
        path = destination.resolve() / "extension.py"
        text = _EXTENSION.format(path=path, folder=str(path.parent))
        (folder / "extension.py").write_text(text, encoding="utf-8")

    def write(self, stock: Stock) -> str:
        """Write one stock; return the name by which zipline knows it."""
        name = self._names.name_of(stock.symbol, stock.instrument_id)
        daily = stock.daily
        first, last = int(daily.ordinal[0]), int(daily.ordinal[-1])
        row = daily.ordinal - first

        def spread(values: Floats, otherwise: float) -> Floats:
            column = np.full(last - first + 1, otherwise)
            column[row] = np.where(np.isnan(values), 0.0, values)
            return column

        ordinals = np.arange(first, last + 1, dtype=np.int32)
        table = pa.table(
            {
                "date": pa.array(self._sessions.dates_of(ordinals), pa.date32()),
                **{
                    field: spread(getattr(daily, field), 0.0)
                    for field in ("open", "high", "low", "close", "volume")
                },
                "dividend": spread(stock.dividend, 0.0),
                "split": spread(stock.split, 1.0),
            }
        )
        text = io.BytesIO()
        csv.write_csv(table, text, csv.WriteOptions(quoting_style="none"))
        (self._daily / f"{name}.csv").write_bytes(text.getvalue())
        return name

    def close(self) -> None:
        """There is nothing left to write."""
