"""Service: set two providers side by side, as they answered, whatever of it is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batch_layer.database import catalog_store, instruments_store
from batch_layer.fetching.load import Loader
from batch_layer.fetching.store_bars import bars_of
from batch_layer.shared.errors import UsageError
from batch_layer.shared.models.bars import Bools, Columns, DailyBars, Floats, Int32s
from batch_layer.shared.models.difference import keys_of
from batch_layer.shared.models.payloads import BarRows

COMPARED = ("open", "high", "low", "close", "volume")
"""What two daily bars are compared by."""


@dataclass(frozen=True, eq=False)
class Compared(Columns):
    """Values in which two providers differ.

    Attributes:
        instrument_id, ordinal: int32, of the daily bar.
        field: object array of str: one of COMPARED, or ``missing`` where only one has the bar.
        left, right: float64, the values; of a missing bar the closes, NaN where there is none.
    """

    instrument_id: Int32s
    ordinal: Int32s
    field: npt.NDArray[np.object_]
    left: Floats
    right: Floats


def compared(left: DailyBars, right: DailyBars, tolerance: float) -> Compared:
    """Return where two sets of daily bars (keys unique) differ, by instrument, ordinal and field. Pure.

    Args:
        left: one provider's bars.
        right: the other's.
        tolerance: relative to the larger of two values; what differs by no more counts as equal.
    """
    _, at_left, at_right = np.intersect1d(keys_of(left), keys_of(right), return_indices=True)
    parts = []
    for name in COMPARED:
        ours: Floats = getattr(left, name)[at_left]
        theirs: Floats = getattr(right, name)[at_right]
        differs = np.abs(ours - theirs) > tolerance * np.maximum(np.abs(ours), np.abs(theirs))
        parts.append(_rows(left.take(at_left[differs]), name, ours[differs], theirs[differs]))
    for bars, matched, is_left in ((left, at_left, True), (right, at_right, False)):
        alone: Bools = np.ones(len(bars), dtype=bool)
        alone[matched] = False
        rest = bars.take(alone)
        none = np.full(len(rest), np.nan)
        values = (rest.close, none) if is_left else (none, rest.close)
        parts.append(_rows(rest, "missing", *values))
    found = Compared.concat(parts)
    return found.take(np.lexsort((found.field.astype(str), found.ordinal, found.instrument_id)))


def answered(
    loader: Loader, provider: str, on_progress: Callable[[int, int], None] | None = None
) -> DailyBars:
    """Return every daily bar that a provider's archived answers give, the later answer's where two do.

    Raises:
        UsageError: nothing of the provider was ever loaded.
        ArchiveError: an answer is missing or damaged.
    """
    with loader.database.transaction(read_only=True) as connection:
        keys = catalog_store.archive_keys_of(connection, provider)
    if not keys:
        raise UsageError(f"no daily bars of {provider!r} were ever loaded")
    parts = []
    for done, key in enumerate(keys, start=1):
        payload = loader.archive.read(key)
        parsed = loader.parse(payload)
        if isinstance(parsed.rows, BarRows):
            verdict = loader.judge(payload, parsed)
            rows = parsed.rows.take(verdict.passed)
            with loader.database.transaction(read_only=True) as connection:
                ids = instruments_store.instruments_of(connection, rows.symbol, rows.session)
            parts.append(bars_of(rows, ids, verdict.ordinal[verdict.passed]))
        if on_progress is not None:
            on_progress(done, len(keys))
    bars = DailyBars.concat(parts)
    # The last of equal keys: np.unique gives the first, so it is asked of the rows in reverse.
    _, last = np.unique(keys_of(bars)[::-1], return_index=True)
    return bars.take(len(bars) - 1 - last)


def _rows(bars: DailyBars, field: str, left: Floats, right: Floats) -> Compared:
    return Compared(bars.instrument_id, bars.ordinal, np.full(len(bars), field, dtype=object), left, right)
