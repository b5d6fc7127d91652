"""Judge listings and the record of renames."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from batch_layer.fetching.quality.rules import Refusals, Verdict
from batch_layer.shared.models.payloads import InstrumentRows, SymbolRows
from batch_layer.shared.models.sessions import NO_ORDINAL


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
