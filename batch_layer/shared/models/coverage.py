"""Which sessions have been loaded, and for whom.

A bar is complete when its window's last session has been loaded in full by a provider of its
instrument. That takes two facts: which providers an instrument's bars come from, and which sessions the
ledger holds for each provider. Providers are bits of a 64-bit mask, so both facts are one integer a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from batch_layer.shared.models.bars import Bools, Int32s, Int64s, run_starts

Integer = TypeVar("Integer", bound=np.integer)

NOTHING_LOADED = np.int32(np.iinfo(np.int32).min)
"""``loaded_through`` of an instrument none of whose providers has loaded a session."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """What the ledger holds.

    Attributes:
        instrument_id: int32, ascending, none twice.
        providers: int64 a row of ``instrument_id``: bit p is set if provider p has supplied the
            instrument.
        first_ordinal: ordinal of ``complete[0]``.
        complete: int64 a session: bit p is set if provider p has loaded that session in full.
        loaded_through: int32 a provider (64 of them): the last session loaded, in full or in part;
            NOTHING_LOADED if none.
    """

    instrument_id: Int32s
    providers: Int64s
    first_ordinal: int
    complete: Int64s
    loaded_through: Int32s

    def is_complete(self, instrument_id: Int32s, ordinal: Int32s) -> Bools:
        """Return, a row, whether the session has been loaded in full for the instrument.

        Rows may come in any order; fastest if those of one instrument stand together.
        """
        # A session held by nobody at either end stands for all that lie outside.
        fenced = np.concatenate([[0], self.complete, [0]])
        place = ordinal - (self.first_ordinal - 1)
        providers, rows = self._known(instrument_id, self.providers, 0)
        if len(set(providers.tolist())) == 1:  # as a rule
            full: Bools = ((fenced & providers[0]) != 0).take(place, mode="clip")
        else:
            full = (fenced.take(place, mode="clip") & np.repeat(providers, rows)) != 0
        return full

    def last_loaded(self, instrument_id: Int32s) -> Int32s:
        """Return, a row, the last session loaded for the instrument, in full or in part.

        NOTHING_LOADED where there is none. Rows may come in any order, as for ``is_complete``.
        """
        return np.repeat(*self._known(instrument_id, self._last_loaded, NOTHING_LOADED))

    @cached_property
    def _last_loaded(self) -> Int32s:
        """``last_loaded`` of every instrument known here."""
        last = np.full(len(self.providers), NOTHING_LOADED, dtype=np.int32)
        for bit, through in enumerate(self.loaded_through):
            supplied = (self.providers >> bit & 1).astype(np.bool_)
            last[supplied] = np.maximum(last[supplied], through)
        return last

    def _known(
        self, instrument_id: Int32s, known: npt.NDArray[Integer], otherwise: Integer | int
    ) -> tuple[npt.NDArray[Integer], npt.NDArray[np.intp]]:
        """Return what is ``known`` of each instrument as they follow, and how many rows follow of it."""
        first = run_starts(instrument_id)
        rows = np.diff(first, append=len(instrument_id))
        if not len(self.instrument_id):
            return np.full(len(first), otherwise, dtype=known.dtype), rows
        asked = instrument_id[first]
        place = np.minimum(np.searchsorted(self.instrument_id, asked), len(self.instrument_id) - 1)
        found = np.where(self.instrument_id[place] == asked, known[place], otherwise)
        return found.astype(known.dtype), rows
