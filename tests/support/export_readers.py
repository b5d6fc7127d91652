"""Readers of zipline's, Lean's and qlib's files, by the documents of their formats alone."""

import csv
import datetime as dt
import io
import math
import struct
import zipfile
from fractions import Fraction


def zipline_prices(export, name):
    """Return (date, close adjusted by later splits, dividend) per traded row, as csvdir.py has it."""
    with (export / "daily" / f"{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    factor, read = Fraction(1), []
    for row in reversed(rows):
        if float(row["close"]):
            close = float(Fraction(row["close"]) * factor)
            read.append((dt.date.fromisoformat(row["date"]), close, float(row["dividend"])))
        factor /= Fraction(row["split"])  # effective before this row
    return read[::-1]


def lean_day(text):
    return dt.datetime.strptime(text[:8], "%Y%m%d").date()  # noqa: DTZ007  # a date


def lean_rows(file):
    return [line.split(",") for line in file.read_text().splitlines()]


def lean_zip(export, ticker):
    """Return the bars of a ticker's zip: date to (open, high, low, close, volume), prices in dollars."""
    path = export / "equity/usa/daily" / f"{ticker}.zip"
    if not path.exists():  # nothing was traded under it
        return {}
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"{ticker}.csv"]
        text = archive.read(f"{ticker}.csv").decode()
    bars = {}
    for time, *prices, volume in csv.reader(io.StringIO(text)):
        assert time[8:] == " 00:00"
        assert lean_day(time) not in bars
        bars[lean_day(time)] = (*(int(price) / 10_000 for price in prices), int(volume))
    assert list(bars) == sorted(bars)
    return bars


def lean_ticker(export, permtick, day):
    """Return the ticker of a map file on a date: of the first row on or after it; None beyond its end."""
    rows = [
        (lean_day(row[0]), row[1]) for row in lean_rows(export / "equity/usa/map_files" / f"{permtick}.csv")
    ]
    if not rows[0][0] <= day <= rows[-1][0]:
        return None
    return next(ticker for last, ticker in rows if day <= last)


def lean_factors(export, permtick, day):
    """Return the factors of dividends and of splits on a date: those of the first row on or after it."""
    rows = lean_rows(export / "equity/usa/factor_files" / f"{permtick}.csv")
    assert not any("e" in cell for row in rows for cell in row)
    return next((float(row[1]), float(row[2])) for row in rows if day <= lean_day(row[0]))


def lean_history(export, permtick, days):
    """Return (date, close as traded, price factor, split factor) as Lean finds them, day by day."""
    read = []
    for day in days:
        ticker = lean_ticker(export, permtick, day)
        bar = lean_zip(export, ticker).get(day) if ticker else None
        if bar is not None:
            read.append((day, bar[3], *lean_factors(export, permtick, day)))
    return read


def qlib_values(export, name, field):
    """Return the values of a field by date; NaN left out."""
    calendar = [dt.date.fromisoformat(line) for line in (export / "calendars/day.txt").read_text().split()]
    content = (export / "features" / name.lower() / f"{field}.day.bin").read_bytes()
    first, *values = struct.unpack(f"<{len(content) // 4}f", content)
    return {calendar[int(first) + at]: value for at, value in enumerate(values) if not math.isnan(value)}


def qlib_instruments(export):
    lines = (export / "instruments/all.txt").read_text().splitlines()
    return {line.split("\t")[0]: tuple(map(dt.date.fromisoformat, line.split("\t")[1:])) for line in lines}
