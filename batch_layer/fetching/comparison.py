"""Service: set two providers side by side, as they answered, whatever of it is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.database.stores.identity import instruments
from condvest.batch_layer.database.stores.loading.ledger import read_ledger
from condvest.batch_layer.database.stores.loading.listed_loads import archive_keys_of
from condvest.batch_layer.fetching.ledger import complete_sessions
from condvest.batch_layer.fetching.loading.bars import daily_bars_of, sessions_asked_for
from condvest.batch_layer.fetching.loading.carriers import carriers_of
from condvest.batch_layer.fetching.loading.judged import JudgedPayload
from condvest.batch_layer.fetching.loading.loader import Loader
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.bars import Bools, Columns, DailyBars, Floats, Int32s
from condvest.batch_layer.shared.models.difference import keys_of
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.batch_layer.shared.models.given.payloads import Payload
from condvest.batch_layer.shared.models.loads import LedgerRows
from condvest.batch_layer.shared.models.sessions import Sessions

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
    differences = Compared.concat(parts)
    return differences.take(
        np.lexsort((differences.field.astype(str), differences.ordinal, differences.instrument_id))
    )


def answered(
    loader: Loader, provider: str, on_progress: Callable[[int, int], None] | None = None
) -> DailyBars:
    """Return every daily bar that a provider's archived answers give, the later answer's where two do.

    What a later answer for the whole market no longer has is withdrawn, unless that answer looks cut short.

    Raises:
        UsageError: nothing of the provider was ever loaded.
        ArchiveError: an answer is missing or damaged.
    """
    with loader.database.transaction(read_only=True) as connection:
        keys = archive_keys_of(connection, provider)
        if not keys:
            raise UsageError(f"no daily bars of {provider!r} were ever loaded")
        ledger = read_ledger(connection, instruments.provider_id_of(connection, provider))
    # From the last answer to the first: a bar counts where no later answer has spoken for it.
    parts, settled = [], np.zeros(0, dtype=np.int32)
    for done, key in enumerate(reversed(keys), start=1):
        judged = loader.read_archived_whole(key)
        payload, bars = judged.payload, _bars(loader, judged)
        parts.append(bars.take(~np.isin(bars.ordinal, settled)))
        settled = np.union1d(settled, _settled(loader.sessions, payload, bars, ledger)).astype(np.int32)
        if on_progress is not None:
            on_progress(done, len(keys))
    bars = DailyBars.concat(parts)
    _, first = np.unique(keys_of(bars), return_index=True)
    return bars.take(first)


def _bars(loader: Loader, judged: JudgedPayload) -> DailyBars:
    """Return the daily bars of an answer that pass every rule and belong to an instrument."""
    passed = judged.verdict.passed
    with loader.database.transaction(read_only=True) as connection:
        ids = carriers_of(connection, judged.payload, judged.parsed, passed)
    bars = daily_bars_of(judged.parsed.rows_as(BarRows).take(passed), ids, judged.verdict.ordinal[passed])
    return bars.take(bars.instrument_id != instruments.NO_INSTRUMENT)


def _settled(sessions: Sessions, payload: Payload, bars: DailyBars, ledger: LedgerRows) -> Int32s:
    """Return the ordinals of which an answer has all the bars that there are."""
    asked = sessions_asked_for(payload, sessions)
    if asked is None:
        return bars.ordinal[:0]
    counts = np.bincount(np.searchsorted(asked, bars.ordinal), minlength=len(asked)).astype(np.int32)
    return asked[complete_sessions(asked, counts, ledger)]


def _rows(bars: DailyBars, field: str, left: Floats, right: Floats) -> Compared:
    return Compared(bars.instrument_id, bars.ordinal, np.full(len(bars), field, dtype=object), left, right)
