"""Lean's data folder: daily zips by ticker, map files and factor files, below ``equity/usa``.

Format: the readme of `Data/equity`, `MapFile.cs` and `CorporateFactorRow.cs` of QuantConnect/Lean, and
its sample data. Prices are as traded, in ten-thousandths of a dollar; the zip of a ticker holds the bars
of whoever carried it at the time. A map file is named by the last ticker (a former company's by ``x.1``)
and says which ticker was carried up to which date. A factor file has a row on the session before each ex-
date: the factors of dividends and of splits up to that date, and the close that they were reckoned from.

Example, a 2-for-1 split on 06-05 and 1.00 of cash on 06-12, closes 100 on 06-04 and 50 on 06-11::

    20240603,0.98,0.5,100     first session: all later actions
    20240604,0.98,0.5,100     the last session before the split
    20240611,0.98,1,50        the last one before the dividend: (50 - 1) / 50
    20501231,1,1,0
"""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import compute, csv

from condvest.batch_layer.shared.models.instruments.symbols import FOREVER, SymbolSpan
from condvest.serving_layer.exports.lean_tickers import Ticker, Tickers
from condvest.serving_layer.exports.stocks import Dates, Stock

_FOREVER = "20501231"
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""Time of the entries of the zips, so that the same data give the same bytes."""

_SCALE = 10_000.0


@dataclass(frozen=True, eq=False)
class _Piece:
    """The bars of one stock while it carried one ticker."""

    first: np.datetime64
    table: pa.Table


class LeanWriter:
    """Writes stocks in Lean's layout.

    Args:
        folder: to write into.
        spans: per instrument, exported or not, the symbols that it carried, ascending.
    """

    def __init__(self, folder: Path, spans: Mapping[int, Sequence[SymbolSpan]]) -> None:
        root = folder / "equity" / "usa"
        self._daily, self._maps, self._factors = (
            root / "daily",
            root / "map_files",
            root / "factor_files",
        )
        for each in (self._daily, self._maps, self._factors):
            each.mkdir(parents=True)
        self._tickers = Tickers(spans)
        self._pieces: defaultdict[str, list[_Piece]] = defaultdict(list)
        self._taken: set[str] = set()
        self.notes: list[str] = []
        """What could not be said in Lean's format, in sentences."""

    def write(self, stock: Stock) -> str:
        """Write one stock's map and factor file and keep its bars; return the name of those files."""
        first, latest = stock.date[0].item(), stock.date[-1].item()
        tickers = self._tickers.of(stock.instrument_id, first, latest, is_gone=stock.is_gone)
        permtick = self._permtick(tickers[-1][0])
        self._write_map(permtick, first, tickers)
        self._write_factors(permtick, stock)
        known = ~np.isnan(stock.daily.open)
        if not known.all():
            self.notes.append(
                f"{stock.symbol}: {int((~known).sum())} daily bars without a known open were left out"
            )
        begin = np.datetime64("0001-01-01")
        for ticker, last in tickers:
            until = np.datetime64(last, "D")
            rows = np.flatnonzero(known & (stock.date >= begin) & (stock.date <= until))
            if len(rows):
                self._pieces[ticker].append(_Piece(stock.date[rows[0]], _bars(stock, rows)))
            begin = until + 1
        return permtick

    def close(self) -> None:
        """Write the daily zips, each with the bars of all that carried the ticker, by date."""
        for ticker, pieces in self._pieces.items():
            tables = [piece.table for piece in sorted(pieces, key=lambda piece: piece.first)]
            table = pa.concat_tables(tables).sort_by("date")
            text = io.BytesIO()
            csv.write_csv(table, text, csv.WriteOptions(include_header=False, quoting_style="none"))
            with zipfile.ZipFile(self._daily / f"{ticker}.zip", "w", zipfile.ZIP_DEFLATED) as file:
                file.writestr(
                    zipfile.ZipInfo(f"{ticker}.csv", _EARLIEST), text.getvalue(), zipfile.ZIP_DEFLATED
                )

    def _permtick(self, ticker: str) -> str:
        name, number = ticker, 0
        while name in self._taken:
            number += 1
            name = f"{ticker}.{number}"
        self._taken.add(name)
        return name

    def _write_map(self, permtick: str, first: dt.date, tickers: Sequence[Ticker]) -> None:
        lines = [f"{first:%Y%m%d},{tickers[0][0]}"]
        lines += [f"{_FOREVER if last == FOREVER else f'{last:%Y%m%d}'},{ticker}" for ticker, last in tickers]
        _write_lines(self._maps / f"{permtick}.csv", dict.fromkeys(lines))

    def _write_factors(self, permtick: str, stock: Stock) -> None:
        rows = np.flatnonzero((stock.split != 1.0) | (stock.dividend != 0.0))
        lines = [f"{_FOREVER},1,1,0"]
        price_factor = split_factor = 1.0
        for row in rows[::-1]:
            close = float(stock.daily.close[row - 1])
            # The cash is per share of the ex-date's basis, the close before on its own.
            ratio = 1.0 - float(stock.dividend[row]) * float(stock.split[row]) / close
            if ratio <= 0.0:
                self.notes.append(
                    f"{stock.symbol} {stock.date[row]}: a dividend of {stock.dividend[row]:g} on a close of "
                    f"{close:g} has no factor in Lean's format and was left out"
                )
                ratio = 1.0
            price_factor *= ratio
            split_factor /= float(stock.split[row])
            lines.append(_factor_line(stock.date[row - 1], price_factor, split_factor, close))
        if not len(rows) or rows[0] > 1:
            close = float(stock.daily.close[0])
            lines.append(_factor_line(stock.date[0], price_factor, split_factor, close))
        _write_lines(self._factors / f"{permtick}.csv", lines[::-1])


def _day(date: np.datetime64) -> str:
    return str(date.astype("datetime64[D]")).replace("-", "")


def _factor_line(date: np.datetime64, price_factor: float, split_factor: float, close: float) -> str:
    # Never with an exponent, which Lean takes for infinity.
    return f"{_day(date)},{_decimal(price_factor)},{_decimal(split_factor)},{_decimal(close)}"


def _decimal(value: float) -> str:
    return np.format_float_positional(value, precision=15, unique=True, trim="-")


def _write_lines(file: Path, lines: Sequence[str] | Mapping[str, None]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def _bars(stock: Stock, rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> pa.Table:
    daily = stock.daily.take(rows)
    dates: Dates = stock.date[rows]
    columns = {
        "date": compute.strftime(pa.array(dates.astype("datetime64[s]")), format="%Y%m%d 00:00"),
        **{
            field: np.rint(getattr(daily, field) * _SCALE).astype(np.int64)
            for field in ("open", "high", "low", "close")
        },
        "volume": np.rint(daily.volume).astype(np.int64),
    }
    return pa.table(columns)
