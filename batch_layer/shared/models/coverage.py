"""Which sessions have been loaded, and for whom.

A bar is complete when every session of its window has been loaded in full by a provider of its instrument.
That takes two facts: which providers an instrument's bars come from, and which sessions the ledger holds for
each provider. Providers are bits of a 64-bit mask, so both facts are one integer per row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.models.bars import Bools, Int32s, Int64s, run_starts

Integer = TypeVar("Integer", bound=np.integer)

NOTHING_LOADED = np.int32(np.iinfo(np.int32).min)
"""``loaded_through`` of an instrument none of whose providers has loaded a session."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """What the ledger holds.

    Attributes:
        instrument_id: int32, ascending, unique.
        providers: int64 per instrument: bit p is set if provider p has supplied the
            instrument.
        first_ordinal: ordinal of ``complete[0]``.
        complete: int64 per session: bit p is set if provider p has loaded that session in full.
        loaded_through: int32 per provider (64 of them): the last session loaded, in full or in part;
            NOTHING_LOADED if none.
        live: int32 per instrument: its last live row that counts, NOTHING_LOADED if it has none; None where
            none is asked for. It counts for ``last_loaded``, and so for the split basis of open windows, and
            never for ``is_complete``.
    """

    instrument_id: Int32s
    providers: Int64s
    first_ordinal: int
    complete: Int64s
    loaded_through: Int32s
    live: Int32s | None = None

    def with_live(self, instrument_id: Int32s, ordinal: Int32s) -> Self:
        """Return the same with live rows that count; in any order, of instruments that are known here."""
        live = np.full(len(self.instrument_id), NOTHING_LOADED, dtype=np.int32)
        np.maximum.at(live, np.searchsorted(self.instrument_id, instrument_id), ordinal)
        return replace(self, live=live)

    def is_complete(self, instrument_id: Int32s, first: Int32s, last: Int32s) -> Bools:
        """Return, per row, whether every session of the span has been loaded in full for the instrument.

        Each session may come from another of the instrument's providers. Example, ordinals 10 to 13, of which
        provider 0 has loaded 10, 11 and 13 in full, and provider 1 session 12::

            span        from provider 0   from both
            10 to 11    True              True
            10 to 13    False             True
             9 to 11    False             False: nobody has loaded session 9

        Args:
            instrument_id: int32, in any order; fastest if those of one instrument are contiguous.
            first: int32, the first session of each span.
            last: int32, its last session, inclusive; not below ``first``.
        """
        providers, rows = self._known(instrument_id, self.providers, 0)
        # Beyond either end stands a session that nobody has loaded, for all sessions out there.
        position = last - np.int32(self.first_ordinal - 1)
        masks = set(providers.tolist())
        if len(masks) == 1:  # the usual case
            complete: Bools = self._full_since(masks.pop()).take(position, mode="clip") <= first
            return complete
        complete = np.zeros(len(instrument_id), dtype=np.bool_)
        mask_of_row = np.repeat(providers, rows)
        for mask in masks:
            own = np.flatnonzero(mask_of_row == mask)
            since = self._full_since(mask).take(position[own], mode="clip")
            complete[own] = since <= first[own]
        return complete

    def _full_since(self, providers: int) -> Int32s:
        """Return, per session, the first one of the unbroken run of fully loaded sessions that it ends.

        The largest int32 where the session is not fully loaded, and for one more session at either end.
        """
        full = np.concatenate([[False], (self.complete & providers) != 0, [False]])
        ordinal = np.arange(len(full), dtype=np.int32) + np.int32(self.first_ordinal - 1)
        since = np.maximum.accumulate(np.where(full, ordinal[0], ordinal + np.int32(1)))
        return np.where(full, since, np.iinfo(np.int32).max).astype(np.int32)

    def last_loaded(self, instrument_id: Int32s) -> Int32s:
        """Return, per row, the last session loaded for the instrument, in full, in part or live.

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
        return last if self.live is None else np.maximum(last, self.live)

    def _known(
        self, instrument_id: Int32s, known: npt.NDArray[Integer], otherwise: Integer | int
    ) -> tuple[npt.NDArray[Integer], npt.NDArray[np.intp]]:
        """Return, per run of rows of one instrument, what is ``known`` of it, and the length of the run."""
        first = run_starts(instrument_id)
        rows = np.diff(first, append=len(instrument_id))
        if not len(self.instrument_id):
            return np.full(len(first), otherwise, dtype=known.dtype), rows
        asked = instrument_id[first]
        nearest = np.minimum(np.searchsorted(self.instrument_id, asked), len(self.instrument_id) - 1)
        values = np.where(self.instrument_id[nearest] == asked, known[nearest], otherwise)
        return values.astype(known.dtype), rows
