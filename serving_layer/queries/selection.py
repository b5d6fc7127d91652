"""Which instruments the symbols of a question stand for.

A symbol stands for the instrument that carries it now, or carried it last, among those that have bars.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from batch_layer.database.postgres.connection import Connection
from batch_layer.database.stores.symbols import instruments_named
from batch_layer.shared.errors import UnknownSymbol
from batch_layer.shared.models.bars import Int32s
from serving_layer.sources import BarSource


def select(source: BarSource, symbols: Sequence[str] | None) -> tuple[Mapping[int, str], Int32s]:
    """Return the symbol by instrument, and the instruments (int32, ascending) of the symbols; all if None.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
    """
    if symbols is None:
        names = source.names()
        return names, np.array(sorted(names), dtype=np.int32)
    carriers = {symbol: source.carriers(symbol) for symbol in symbols}
    candidates = {instrument for instruments in carriers.values() for instrument in instruments}
    names = source.names(np.array(sorted(candidates), dtype=np.int32))
    return names, _latest_carriers(carriers, names, source.names)


def instruments_asked_for(
    connection: Connection, symbols: Sequence[str] | None, names: Mapping[int, str]
) -> Int32s:
    """Return the instruments (int32, ascending) of the symbols; all of ``names`` if None.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol.
    """
    if symbols is None:
        return np.array(sorted(names), dtype=np.int32)
    carriers = {symbol: instruments_named(connection, symbol) for symbol in symbols}
    return _latest_carriers(carriers, names, lambda: names)


def _latest_carriers(
    carriers: Mapping[str, Sequence[int]],
    names: Mapping[int, str],
    all_names: Callable[[], Mapping[int, str]],
) -> Int32s:
    """Return the first carrier of each symbol that has bars; ``all_names`` serves the error's suggestions."""
    chosen = set()
    for symbol, instruments in carriers.items():
        with_bars = [instrument for instrument in instruments if instrument in names]
        if not with_bars:
            near = difflib.get_close_matches(symbol.upper(), all_names().values(), n=3)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            raise UnknownSymbol(f"no instrument with bars carries the symbol {symbol}{hint}")
        chosen.add(with_bars[0])
    return np.array(sorted(chosen), dtype=np.int32)
