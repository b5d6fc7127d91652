"""qlib's binary files: a calendar, a list of instruments, and one file of float32 per instrument and field.

Format: `qlib/data/storage/file_storage.py` of pyqlib 0.9.7. A file holds little-endian float32: the
position of its first session in the calendar, then one value per session, NaN where nothing was traded.
Prices and volume are adjusted by splits; ``factor`` is adjusted price / price as traded, so ``$close /
$factor`` is as traded; ``change`` is the close's return over the bar before.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from condvest.batch_layer.shared.models.bars import Floats
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.serving_layer.exports.names import FileNames
from condvest.serving_layer.exports.stocks import Stock


class QlibWriter:
    """Writes stocks in qlib's layout.

    Args:
        folder: to write into.
        sessions: the calendar.
        first, last: ordinals of the first and the last session of any stock, inclusive.
    """

    def __init__(self, folder: Path, sessions: Sessions, first: int, last: int) -> None:
        self._folder = folder
        self._sessions = sessions
        self._first = first
        self._last = last
        self._names = FileNames("-.#")
        self._listed: list[str] = []

    def write(self, stock: Stock) -> str:
        """Write one stock; return the name by which qlib knows it."""
        name = self._names.name_of(stock.symbol, stock.instrument_id)
        daily = stock.daily
        fields = {
            **{
                field: getattr(daily, field) * stock.price_factor
                for field in ("open", "high", "low", "close", "vwap")
            },
            "volume": daily.volume * stock.volume_factor,
            "factor": stock.price_factor,
        }
        close = fields["close"]
        fields["change"] = np.concatenate([[np.nan], close[1:] / close[:-1] - 1])
        destination = self._folder / "features" / name.lower()
        destination.mkdir(parents=True)
        begin = int(daily.ordinal[0])
        length = int(daily.ordinal[-1]) - begin + 1
        for field, values in fields.items():
            self._write_values(destination / f"{field}.day.bin", begin, length, daily.ordinal - begin, values)
        self._listed.append(f"{name}\t{stock.date[0]}\t{stock.date[-1]}\n")
        return name

    def _write_values(
        self,
        file: Path,
        begin: int,
        length: int,
        row: np.ndarray[tuple[int], np.dtype[np.int32]],
        values: Floats,
    ) -> None:
        column = np.full(length + 1, np.nan)
        column[0] = begin - self._first
        column[1:][row] = values
        file.write_bytes(column.astype("<f4").tobytes())

    def close(self) -> None:
        """Write the calendar and the list of instruments."""
        for name, lines in (
            ("calendars/day.txt", self._calendar()),
            ("instruments/all.txt", self._listed),
        ):
            file = self._folder / name
            file.parent.mkdir()
            file.write_text("".join(lines), encoding="utf-8")

    def _calendar(self) -> list[str]:
        ordinals = np.arange(self._first, self._last + 1, dtype=np.int32)
        return [f"{date}\n" for date in self._sessions.dates_of(ordinals)]
