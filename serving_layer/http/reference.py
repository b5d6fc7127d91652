"""Instruments and their symbols, read once per version of the data: most paths want all of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from batch_layer.database.stores.symbols import symbol_spans
from serving_layer.kept import Kept
from serving_layer.queries.instruments import read_instruments

if TYPE_CHECKING:
    from serving_layer.http.backends import Backend

T = TypeVar("T")

SymbolSpan = tuple[int, str, dt.date | None, dt.date | None]
"""Instrument, symbol, and the first and last date on which it was carried; None where that is open."""

_LARGEST = 64 << 20
_BYTES_PER_SPAN = 256


class Reference:
    """What is known of all instruments now. Its methods may be called from several threads at once."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._instruments: Kept[tuple[pa.Table, str]] = Kept(_LARGEST)
        self._symbols: Kept[tuple[list[SymbolSpan], str]] = Kept(_LARGEST)

    def instruments(self) -> pa.Table:
        """Return the instruments; see `read_instruments`."""
        return self._of_version(
            self._instruments, lambda: read_instruments(self._backend.opened), lambda table: int(table.nbytes)
        )

    def symbols(self) -> list[SymbolSpan]:
        """Return who carried which symbol from when to when, by symbol."""

        def read() -> list[SymbolSpan]:
            with self._backend.opened.database.transaction(read_only=True) as connection:
                return symbol_spans(connection)

        return self._of_version(self._symbols, read, lambda spans: _BYTES_PER_SPAN * len(spans))

    def _of_version(self, kept: Kept[tuple[T, str]], read: Callable[[], T], size: Callable[[T], int]) -> T:
        version = self._backend.state().version

        def make() -> tuple[T, str]:
            value = read()
            return value, self._backend.state().version

        value, _ = kept.get(version, make, lambda made: size(made[0]), lambda made: made[1] == version)
        return value
