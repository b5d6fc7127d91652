"""Which instrument takes which symbol, and the bars under it, from which other one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from condvest.batch_layer.shared.models.instruments.symbols import SymbolSpan


@dataclass(frozen=True)
class Move:
    """What an instrument has under a symbol within some dates goes to another instrument.

    Attributes:
        span: the symbol and the dates, both inclusive.
        taker: the instrument that gets the rows.
        loser: the instrument that has them now.
    """

    span: SymbolSpan
    taker: int
    loser: int


@dataclass(frozen=True)
class Moves:
    """A change of who carries which symbol.

    Attributes:
        spans: all spans, from now on, of each instrument whose spans change.
        moves: the rows that change their instrument.
        unclaimed: (instrument, span) that the instrument gives up and no other takes. If rows lie there,
            they need an heir: see `with_heirs`.
    """

    spans: Mapping[int, Sequence[SymbolSpan]]
    moves: Sequence[Move]
    unclaimed: Sequence[tuple[int, SymbolSpan]]

    def with_heirs(self, heirs: Mapping[int, tuple[int, SymbolSpan]]) -> Moves:
        """Return the moves with new instruments, by id, that each inherit one of ``unclaimed``."""
        return replace(
            self,
            spans={**self.spans, **{heir: [span] for heir, (_, span) in heirs.items()}},
            moves=[*self.moves, *(Move(span, heir, loser) for heir, (loser, span) in heirs.items())],
        )


def plan_moves(known: Mapping[int, list[SymbolSpan]], wanted: Mapping[int, Sequence[SymbolSpan]]) -> Moves:
    """Return what has to change so that each instrument of ``wanted`` carries just its spans there.

    Instruments outside ``wanted`` keep what none in ``wanted`` claims.

    Example: the database knows that 7 carries META ever and 8 carries FB ever. A vendor says that 7 carried
    FB to 2022-06-08 and META since::

        known   7: META ever                         8: FB ever
        wanted  7: FB to 06-08, META from 06-09
        ->
        spans   7: FB to 06-08, META from 06-09      8: FB from 06-09
        moves   FB to 06-08: taker 7, loser 8        (the same series before the rename)
        unclaimed  (7, META to 06-08)                (bars there are another company's: they need an heir)

    Args:
        known: each instrument's spans as stored.
        wanted: for some instruments all of their spans; spans of different instruments do not overlap.
    """
    changed = {
        instrument: list(spans)
        for instrument, spans in wanted.items()
        if list(spans) != known.get(instrument)
    }
    moves = _claims(changed, known)
    claimed: defaultdict[str, list[SymbolSpan]] = defaultdict(list)
    for spans in wanted.values():
        for span in spans:
            claimed[span.symbol].append(span)
    unclaimed = [
        (instrument, rest)
        for instrument in changed
        for span in known.get(instrument, ())
        for rest in _outside(span, claimed[span.symbol])
    ]
    for move in moves:
        if move.loser not in wanted:
            spans = changed.get(move.loser, known[move.loser])
            changed[move.loser] = [rest for span in spans for rest in span.without(move.span)]
    return Moves(changed, moves, unclaimed)


def _claims(
    changed: Mapping[int, Sequence[SymbolSpan]], known: Mapping[int, Sequence[SymbolSpan]]
) -> list[Move]:
    """Return a move for every span that an instrument claims while another is known to carry it."""
    owners: defaultdict[str, list[tuple[int, SymbolSpan]]] = defaultdict(list)
    for owner, spans in known.items():
        for span in spans:
            owners[span.symbol].append((owner, span))
    return [
        Move(claim.shared_with(owned), taker, owner)
        for taker, claims in changed.items()
        for claim in claims
        for owner, owned in owners[claim.symbol]
        if owner != taker and owned.overlaps(claim)
    ]


def _outside(span: SymbolSpan, claims: Sequence[SymbolSpan]) -> list[SymbolSpan]:
    """Return the parts of a span that lie in none of the claims."""
    parts = [span]
    for claim in claims:
        parts = [rest for part in parts for rest in part.without(claim)]
    return parts
