"""Judge listings, the record of renames, and renames that a person states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from condvest.batch_layer.fetching.quality.rules import Refusals, ordinals_or_none, symbol_fault
from condvest.batch_layer.fetching.quality.verdict import Verdict
from condvest.batch_layer.shared.core.names.stated_renames import goes_in_circle
from condvest.batch_layer.shared.models.bars import Bools
from condvest.batch_layer.shared.models.given.payload_rows import InstrumentRows, RenameRows, SymbolRows
from condvest.batch_layer.shared.models.instruments.symbols import Rename
from condvest.batch_layer.shared.models.sessions import NO_ORDINAL, Sessions


def judge_listings(rows: InstrumentRows | SymbolRows, faults: Mapping[int, str]) -> Verdict:
    """Decide which listings, or symbols taken, may be loaded.

    Only a symbol is required, and the date on which it was taken: references have holes, and a listing with
    a hole is better than none.
    """
    refusals = Refusals(rows.symbol, rows.dates())
    refusals.refuse_faults(faults)
    if isinstance(rows, SymbolRows):
        refusals.refuse_names("date")
    else:
        refusals.refuse_symbols()
    passed = refusals.code == 0
    none = np.full(len(rows), NO_ORDINAL, dtype=np.int32)
    return Verdict(passed, refusals.code, refusals.reasons, duplicates=0, ordinal=none)


def judge_renames(rows: RenameRows, faults: Mapping[int, str], sessions: Sessions) -> Verdict:
    """Decide which renames that a person states may be held.

    Their dates need be no sessions, and may lie ahead, within the calendar.
    """
    refusals = Refusals(rows.symbol, rows.date)
    refusals.refuse_faults(faults)
    refusals.refuse_names("date")
    bad = np.array([bool(to) and symbol_fault(to) is not None for to in rows.to.tolist()], dtype=bool)
    refusals.refuse("bad_symbol", bad, lambda row: f"to: {symbol_fault(rows.to[row])}")
    reasons = _contradictions(rows, refusals.code == 0)
    contradicted = np.isin(np.arange(len(rows)), list(reasons))
    refusals.refuse("bad_rename", contradicted, reasons.__getitem__)
    refusals.refuse_outside(sessions)
    ordinal = ordinals_or_none(sessions.ordinals_on_or_after(rows.date), rows.date)
    numbers = {to: number for number, to in enumerate(dict.fromkeys(rows.to.tolist()))}
    to = np.array([numbers[to] for to in rows.to.tolist()], dtype=np.int64)
    return refusals.verdict(ordinal, to, hint="; a symbol is renamed to one other on a date")


def _contradictions(rows: RenameRows, passed: Bools) -> dict[int, str]:
    """Return, for each row that cannot hold by itself or beside the others, why."""
    renames = {
        row: Rename(rows.date[row].item(), str(rows.symbol[row]), str(rows.to[row]))
        for row in np.flatnonzero(passed).tolist()
    }
    every = set(renames.values())
    renamed_to = Counter((rename.date, rename.to) for rename in every if rename.to)
    reasons = {}
    for row, rename in renames.items():
        if rename.symbol == rename.to:
            reasons[row] = "renamed to itself; name the other symbol, or leave it empty to take a rename back"
        elif renamed_to[rename.date, rename.to] > 1:
            reasons[row] = f"two symbols are renamed to {rename.to} that day; keep one of the rows"
        elif goes_in_circle(rename, every):
            reasons[row] = "the renames of that day go in a circle; keep those that are true"
    return reasons
