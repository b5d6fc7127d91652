"""Which instruments the symbols of a question stand for.

A symbol stands for the instrument that carries it now, or carried it last, among those that have bars. Where
it has passed from one company to another, both carried it last; the earlier one can be told apart by its
label, the symbol and the instrument's id: ``X#12``.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from condvest.batch_layer.shared.errors import UnknownSymbol
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.instruments.labels import label_of, of_label
from condvest.serving_layer.sources import BarSource

_MOST_NAMED = 50
"""Unknown symbols that a message names."""


def select(
    source: BarSource,
    symbols: Sequence[str] | None,
    *,
    unique: bool = False,
    on: dt.date | None = None,
) -> tuple[Mapping[int, str], Int32s]:
    """Return the symbol by instrument, and the instruments (int32, ascending) of the symbols; all if None.

    Args:
        source: where to read.
        symbols: symbols, or labels of instruments (``X#12``), which keep them in the answer.
        unique: give the label of each instrument that its symbol does not stand for, so that no two have the
            same name.
        on: a symbol stands for the instrument that carried it on this date; for its last carrier if None.

    Raises:
        UnknownSymbol: no instrument with bars carries or carried a symbol, or did so on the date.
    """
    if symbols is None:
        names = source.names()
        chosen = np.array(sorted(names), dtype=np.int32)
        return _labelled(source, names) if unique else names, chosen
    carriers = {symbol: source.carriers(symbol, on) or _labelled_so(source, symbol) for symbol in symbols}
    candidates = {instrument for instruments in carriers.values() for instrument in instruments}
    names = source.names(np.array(sorted(candidates), dtype=np.int32))
    chosen = _latest_carriers(carriers, names, source.names, on)
    if unique:
        return _labelled(source, {each: names[each] for each in chosen.tolist()}), chosen
    asked = {label_of(names[each], each): each for each in chosen.tolist()}
    return names | {each: label for label, each in asked.items() if label in carriers}, chosen


def _labelled(source: BarSource, names: Mapping[int, str]) -> dict[int, str]:
    """Return the symbol of each instrument that it stands for, and the label of each other one."""
    stands_for = source.stands_for(sorted(set(names.values())))
    return {
        each: symbol if stands_for[symbol] == each else label_of(symbol, each)
        for each, symbol in names.items()
    }


def _labelled_so(source: BarSource, text: str) -> list[int]:
    """Return the instrument of a label; none if it is no label, or one of another symbol."""
    label = of_label(text)
    if label is None:
        return []
    symbol, instrument = label
    names = source.names(np.array([instrument], dtype=np.int32))
    return [instrument] if names.get(instrument) == symbol else []


def _latest_carriers(
    carriers: Mapping[str, Sequence[int]],
    names: Mapping[int, str],
    all_names: Callable[[], Mapping[int, str]],
    on: dt.date | None,
) -> Int32s:
    """Return the first carrier of each symbol that has bars; ``all_names`` serves the error's suggestions."""
    chosen, unknown = set(), []
    for symbol, instruments in carriers.items():
        with_bars = [instrument for instrument in instruments if instrument in names]
        if with_bars:
            chosen.add(with_bars[0])
        else:
            unknown.append(symbol)
    if unknown:
        raise _unknown_symbols(unknown, all_names, on)
    return np.array(sorted(chosen), dtype=np.int32)


def _unknown_symbols(
    unknown: Sequence[str], all_names: Callable[[], Mapping[int, str]], on: dt.date | None
) -> UnknownSymbol:
    """Name all unknown symbols at once, so that who asked for hundreds can drop or mend them in one go."""
    names = all_names()
    if not names:
        said = f"nothing is loaded, so nobody carries {unknown[0]}; begin with: condvest demo"
        return UnknownSymbol(said, unknown)
    shown = ", ".join(unknown[:_MOST_NAMED])
    more = f" and {len(unknown) - _MOST_NAMED:,} others" if len(unknown) > _MOST_NAMED else ""
    if on is not None:
        said = (
            f"no instrument with bars carried {shown}{more} on {on}; without symbols_on a symbol stands for "
            "its last carrier"
        )
        return UnknownSymbol(said, unknown)
    if len(unknown) == 1:
        near = difflib.get_close_matches(unknown[0].upper(), names.values(), n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        return UnknownSymbol(f"no instrument with bars carries the symbol {unknown[0]}{hint}", unknown, near)
    return UnknownSymbol(f"no instruments with bars carry the symbols {shown}{more}; leave them out", unknown)
