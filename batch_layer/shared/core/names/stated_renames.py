"""What a person says about renames: which statements hold when new ones are given. Pure.

How a statement changes who carries which symbol, `laid_over` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from condvest.batch_layer.shared.core.names.laid_over import Carriers, in_order, laid_over
from condvest.batch_layer.shared.models.instruments.symbols import Rename, SymbolSpan


@dataclass(frozen=True)
class Stated:
    """Statements, and what came of new ones.

    Attributes:
        holders: the statements that hold, each with an instrument that it concerns.
        refused: code and reason of each new one that cannot hold.
        absent: the new ones that take back what is not there.
        unchanged: how many of the new ones were held already.
    """

    holders: Mapping[Rename, int]
    refused: Mapping[Rename, tuple[str, str]]
    absent: Sequence[Rename]
    unchanged: int


def stated_with(
    spans: Mapping[int, Sequence[SymbolSpan]], known: Mapping[Rename, int], given: Iterable[Rename]
) -> Stated:
    """Return the statements that hold when new ones are given.

    A new one takes the place of those that it contradicts: of the same symbol on the same date; of another
    symbol that takes the same one that day; of the same two symbols on another date, unless there was a
    rename back in between.
    """
    carriers, holders = laid_over(spans, known), dict(known)
    refused: dict[Rename, tuple[str, str]] = {}
    absent, unchanged = [], 0
    for rename in in_order(given):
        if rename in holders:
            unchanged += 1
            continue
        left = {
            earlier: holder
            for earlier, holder in holders.items()
            if not _contradicts(carriers, rename, earlier)
        }
        if goes_in_circle(rename, left):
            others = "a rename that is held leads back to it that day; take that back first"
            refused[rename] = ("bad_rename", others)
            continue
        overruled = [earlier for earlier in holders if earlier not in left]
        concerned = carriers.lay(rename)
        if concerned is None and not (rename.takes_back and overruled):
            if rename.takes_back:
                absent.append(rename)
            else:
                refused[rename] = ("unknown_symbol", f"nobody carried {rename.symbol} before that date")
            continue
        holders = left | {rename: holders[overruled[0]] if concerned is None else concerned}
    return Stated(holders, refused, absent, unchanged)


def goes_in_circle(rename: Rename, others: Iterable[Rename]) -> bool:
    """Return whether a rename and others of its date lead back to its symbol."""
    to = {other.symbol: other.to for other in others if other.date == rename.date} | {
        rename.symbol: rename.to
    }
    symbol, seen = rename.to, {rename.symbol}
    while symbol and symbol not in seen:
        seen.add(symbol)
        symbol = to.get(symbol, "")
    return symbol == rename.symbol


def _contradicts(carriers: Carriers, new: Rename, known: Rename) -> bool:
    if new.date == known.date:
        return new.symbol == known.symbol or (new.to == known.to != "")
    same = (new.symbol, new.to) == (known.symbol, known.to) and not new.takes_back
    return same and not carriers.changed_between(new.to, new.symbol, (new.date, known.date))
