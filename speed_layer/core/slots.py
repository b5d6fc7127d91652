"""Slots: numbers that stand for symbols, in the order in which symbols came; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np

from condvest.batch_layer.shared.models.bars import Int32s

NO_SLOT = -1
"""Stands for that of a symbol that has none yet."""


@dataclass(eq=False)
class Slots:
    """The slots that were given.

    Attributes:
        symbols: by slot; case counts.
    """

    symbols: list[str] = field(default_factory=list)
    _slot_of: dict[str, int] = field(default_factory=dict)

    def known(self, symbols: Sequence[str]) -> Int32s:
        """Return the slot of each symbol as int32, NO_SLOT of one that has none."""
        return np.fromiter(map(self._slot_of.get, symbols, repeat(NO_SLOT)), np.int32, len(symbols))

    def give(self, symbols: Sequence[str], slot: Int32s) -> Int32s:
        """Return the slots of symbols as `known` did, with a new one for each new symbol."""
        given = slot.copy()
        for row in np.flatnonzero(slot == NO_SLOT).tolist():
            symbol = symbols[row]
            if symbol not in self._slot_of:
                self._slot_of[symbol] = len(self.symbols)
                self.symbols.append(symbol)
            given[row] = self._slot_of[symbol]
        return given
