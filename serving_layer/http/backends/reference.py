"""Instruments and their symbols, read once per version of the data: most paths want all of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from condvest.batch_layer.database.stores.identity.symbols import symbol_spans
from condvest.serving_layer.http.backends.states import NotServed
from condvest.serving_layer.kept import Kept
from condvest.serving_layer.queries.instruments import read_instruments
from condvest.serving_layer.queries.published_instruments import published_instruments
from condvest.serving_layer.sources import SymbolSpan

if TYPE_CHECKING:
    from condvest.serving_layer.http.backends.backend import Backend
    from condvest.serving_layer.sources.published import PublishedSource

T = TypeVar("T")

_LARGEST = 64 << 20
_BYTES_PER_SPAN = 256


def published_with(backend: Backend, *datasets: str) -> PublishedSource:
    """Return what a backend publishes, if some data sets are in it.

    Raises:
        NotServed: one is not.
    """
    source = backend.published()
    for dataset in datasets:
        if dataset not in source.manifest.files:
            raise NotServed(
                f"version {source.version} of what is published has no data set {dataset}, since an earlier "
                "version of Condvest made it, or it was too large: run condvest publish, or ask a server "
                "that reads the database (condvest serve --source database)"
            )
    return source


class Reference:
    """What is known of all instruments now. Its methods may be called from several threads at once."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._instruments: Kept[tuple[pa.Table, str]] = Kept(_LARGEST)
        self._symbols: Kept[tuple[list[SymbolSpan], str]] = Kept(_LARGEST)

    def instruments(self) -> pa.Table:
        """Return the instruments; see `read_instruments`."""
        return self._of_version(
            self._instruments, lambda: self.instruments_at(None), lambda table: int(table.nbytes)
        )

    def instruments_at(self, as_of: dt.datetime | None) -> pa.Table:
        """Return the instruments as they were known at an instant (aware), now if None; read anew."""
        if self._backend.has_database:
            return read_instruments(self._backend.opened, as_of=as_of)
        return published_instruments(published_with(self._backend, "instrument_fields"), as_of)

    def symbols(self) -> list[SymbolSpan]:
        """Return who carried which symbol from when to when, by symbol."""

        def read() -> list[SymbolSpan]:
            if not self._backend.has_database:
                return self._backend.published().symbol_spans()
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
