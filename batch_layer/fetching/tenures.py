"""When each instrument carried a symbol, settled between all that claim it. Pure.

Of a name the end is known, as a rule (its carrier was delisted, or took another), and the beginning only
from a record of renames. So the carriers of one symbol follow each other by their ends: each began when
the one before it had ended.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from condvest.batch_layer.shared.models.instruments.symbols import EVER, FOREVER, SymbolSpan

Key = TypeVar("Key", bound=Hashable)

GRACE = dt.timedelta(days=5)
"""A delisted instrument keeps its symbol so long, unless another takes it: dates of delisting are vague."""

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Name:
    """A symbol and when it was carried, as far as that is known.

    Attributes:
        symbol: the symbol.
        until: the last date, inclusive; FOREVER while it is carried.
        since: the first date; None if that is unknown: after whoever carried the symbol before.
        is_exact: whether ``since`` is from a record of renames, and no guess.
    """

    symbol: str
    until: dt.date = FOREVER
    since: dt.date | None = None
    is_exact: bool = False


@dataclass(frozen=True)
class Claim(Generic[Key]):
    """That an instrument carried a symbol under one of its names.

    Attributes:
        key: the instrument.
        name: the symbol, and when.
        is_first: whether it is the instrument's first name.
        is_last: whether it is the instrument's last name.
    """

    key: Key
    name: Name
    is_first: bool
    is_last: bool


@dataclass(frozen=True)
class Tenure(Generic[Key]):
    """When an instrument carried a symbol, once all claims to the symbol are heard.

    Attributes:
        key: the instrument.
        span: the symbol, and the dates; tenures of one symbol do not overlap.
        may_have_grace: whether the instrument was delisted under the symbol, and may keep it a while.
    """

    key: Key
    span: SymbolSpan
    may_have_grace: bool


def settled(names: Mapping[Key, Sequence[Name]]) -> dict[Key, tuple[SymbolSpan, ...]]:
    """Return when each instrument carried its symbols, no two of them the same symbol at once.

    The carriers of a symbol follow each other by their ends. One whose beginning is exact ends the one
    before it; any other begins after that at the earliest. The first name of an instrument reaches back to
    the end of the carrier before, its last one GRACE beyond a delisting if nobody takes it.
    """
    claims: dict[str, list[Claim[Key]]] = defaultdict(list)
    for key, of_key in names.items():
        for number, name in enumerate(of_key):
            claims[name.symbol].append(Claim(key, name, number == 0, number == len(of_key) - 1))
    spans: dict[Key, list[SymbolSpan]] = {key: [] for key in names}
    for of_symbol in claims.values():
        for tenure in _with_grace(_tenures(of_symbol)):
            spans[tenure.key].append(tenure.span)
    return {key: tuple(sorted(of_key, key=lambda span: span.first)) for key, of_key in spans.items()}


def _tenures(claims: Iterable[Claim[Key]]) -> list[Tenure[Key]]:
    """Return when each claimant carried the symbol, ascending; claims are served in the order of their ends.

    Example: four instruments claim one symbol. ``*`` marks a beginning from a record of renames.

    =====  ==============  ========================  ========================  ===========================
    claim  the name is     since .. until            tenure                    because
    =====  ==============  ========================  ========================  ===========================
    A      first and last  ?          .. 2005-03-31  ever       .. 2005-03-31  nobody carried it before
    B      second of 3     2010-01-01 .. 2015-06-30  2010-01-01 .. 2015-06-30  it was free by then
    C      first and last  ?          .. 2022-06-30  2015-07-01 .. 2022-06-08  begins after B, cut by D
    D      second of 2     2022-06-09*.. now         2022-06-09 .. now         the record counts most
    =====  ==============  ========================  ========================  ===========================

    `_with_grace` then gives A the symbol until 2005-04-05, for it was delisted and nobody took the symbol.
    C gets no more: its end is D's beginning. A fifth claim without an end would get nothing: D holds on.
    """
    tenures: list[Tenure[Key]] = []
    for claim in sorted(claims, key=lambda claim: (claim.name.until, claim.name.since or EVER)):
        name = claim.name
        if name.is_exact and name.since is not None:
            tenures = _cut(tenures, name.since)
        if tenures and tenures[-1].span.last == FOREVER:
            continue
        free = tenures[-1].span.last + _DAY if tenures else EVER
        first = free if claim.is_first else max(name.since or EVER, free)
        if first <= name.until:
            tenures.append(Tenure(claim.key, SymbolSpan(name.symbol, first, name.until), claim.is_last))
    return tenures


def _cut(tenures: Sequence[Tenure[Key]], since: dt.date) -> list[Tenure[Key]]:
    """End every tenure before a date; one that would begin on it or later falls away."""
    return [
        tenure
        if tenure.span.last < since
        else Tenure(tenure.key, replace(tenure.span, last=since - _DAY), may_have_grace=False)
        for tenure in tenures
        if tenure.span.first < since
    ]


def _with_grace(tenures: Sequence[Tenure[Key]]) -> list[Tenure[Key]]:
    """Let a delisted instrument keep the symbol for GRACE, or until the next tenure begins."""
    ends = [*(tenure.span.first - _DAY for tenure in tenures[1:]), FOREVER - GRACE][: len(tenures)]
    return [
        replace(tenure, span=replace(tenure.span, last=min(tenure.span.last + GRACE, end)))
        if tenure.may_have_grace and tenure.span.last < end
        else tenure
        for tenure, end in zip(tenures, ends, strict=True)
    ]
