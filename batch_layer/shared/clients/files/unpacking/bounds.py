"""How much of a file is read: its rows, its columns, and the bytes that it unpacks to.

What a file takes while it is loaded is some 16 bytes of memory per byte of text and some 400 per row,
however small it was on the disk. So rows and text are bounded by the size of the file and by the memory at
hand: a file of at most 10 MB never takes 1 GiB. Every bound is looked at before the memory is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.utils.memory import memory_at_hand

MAX_UNPACKED_BYTES = 4 << 30
"""A file may unpack to 4 GiB (some 50 million daily bars) and no more, on a machine with memory for it."""

MAX_UNPACK_RATIO = 8
"""Prices pack 3 to 6 times; past RATIO_FREE_BYTES, what packs more than 8 times is no file of prices."""

RATIO_FREE_BYTES = 32 << 20
"""Up to 32 MiB any ratio passes: a small file of one repeated row does no harm."""

LEAST_PACKED_ROW = 4
LEAST_PLAIN_ROW = 8
"""Bytes of the file: no row of prices takes less, packed or plain. Blank lines count."""

FREE_ROWS = 1_000_000
"""So many rows are read of a file of any size."""

MAX_COLUMNS = 16_384
"""As many as a workbook has; each takes some 10 KB however few rows there are."""

MAX_COLUMNS_OF_LARGE = 1_000
WIDE_BYTES = 16 << 20
"""So many columns are read of a larger file."""

MAX_FAULTY_ROWS = 500_000
"""Rows with a cell that cannot be read: of a file with more, none is taken."""

MEMORY_PER_BYTE = 16
MEMORY_PER_ROW = 512
LEAST_MEMORY = 1 << 30
"""Memory is never taken for less than 1 GiB."""


@dataclass(frozen=True)
class Bounds:
    """What is read of one file.

    Attributes:
        name: the file, for messages.
        size: its bytes.
        text: bytes that it may unpack to.
        rows: rows, or lines of text, that it may have.
    """

    name: str
    size: int
    text: int
    rows: int

    @classmethod
    def of(cls, size: int, *, name: str, is_packed: bool) -> Bounds:
        """Return the bounds of a file of ``size`` bytes on this machine."""
        memory = max(memory_at_hand(), LEAST_MEMORY)
        ratio = MAX_UNPACK_RATIO if is_packed else 1
        row = LEAST_PACKED_ROW if is_packed else LEAST_PLAIN_ROW
        return cls(
            name=name,
            size=size,
            text=min(max(RATIO_FREE_BYTES, ratio * size), memory // MEMORY_PER_BYTE, MAX_UNPACKED_BYTES),
            rows=min(max(FREE_ROWS, size // row), memory // MEMORY_PER_ROW),
        )

    def check_text(self, size: int) -> None:
        """Raise InputError where a file holds, or unpacks to, more bytes than are read."""
        if size > self.text:
            raise InputError(
                f"{self.name}: unpacks to more than the {self.text:,} bytes that are read of a file of "
                f"{self.size:,} bytes on this machine; divide it, or give it unpacked"
            )

    def check_rows(self, rows: int) -> None:
        """Raise InputError where a file has more rows, or lines, than are read."""
        if rows > self.rows:
            raise InputError(
                f"{self.name}: has {rows:,} rows, where at most {self.rows:,} are read of a file of "
                f"{self.size:,} bytes on this machine; divide it, and leave out blank lines and repeated rows"
            )


def check_columns(count: int, size: int, *, name: str) -> None:
    """Raise InputError where a file has more columns than are read, of ``size`` bytes."""
    most = MAX_COLUMNS if size <= WIDE_BYTES else MAX_COLUMNS_OF_LARGE
    if count > most:
        raise InputError(
            f"{name}: has {count:,} columns, where at most {most:,} are read of {size:,} bytes; keep "
            "those of the prices"
        )
