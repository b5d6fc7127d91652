"""Which bars of a vendor's answer must not replace stored ones, because they are on another basis. Pure.

An answer that gives a stored bar anew with all four prices multiplied by one factor is no correction of
prices: the vendor has adjusted for a split that it does not list yet, or no longer lists; or has changed
the unit to cents. Which of the two is right cannot be seen from the answer, so the stored bar stays, and the
answer is in doubt until the vendor agrees with it again.

A factor is explained where the answer lists a split that was not known, or lists one under another ex-date:
then bringing Yahoo's prices back to as traded gives other numbers, and they are better. A 10-for-1 split of
06-10:

    ===============================  ==========================  ===========================
    stored bar of 06-07: 100.0       the answer's bar            is
    ===============================  ==========================  ===========================
    split stored, and in the answer  10.0                        in doubt: adjusted twice
    split stored, not in the answer  10.0                        in doubt: the split is lost
    no split stored nor in answer    10.0                        in doubt: adjusted too soon
    stored 10.0, no split stored,    100.0, and the split is     explained: the split had
    wrong for want of it             in the answer               been lost before
    ===============================  ==========================  ===========================
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from batch_layer.shared.models.bars import Bools, Columns, DailyBars, Floats, Int32s
from batch_layer.shared.models.difference import keys_of

SMALLEST_FACTOR = 1.2
"""A factor nearer to 1 than this, either way, may be a correction of prices."""

SPREAD = 0.004
"""The four prices are multiplied by one factor if the logarithms of theirs differ by no more than this."""

SAME = 0.01
"""A factor is explained if it differs from a split's by no more than this, in logarithms."""

ROUNDING = 1e-4
"""Relative: what six decimals of a price split to a cent and less still hold; of a volume, or one share of
today."""

REDATED_WITHIN = 10
"""Two splits of one ratio so many sessions apart are one split under two ex-dates."""


@dataclass(frozen=True, eq=False)
class KnownSplits(Columns):
    """Splits of instruments, for comparing what is stored with what an answer lists.

    Attributes:
        instrument_id: int32.
        ex_ordinal: int32, of the first session on the new basis.
        log_ratio: float64, the logarithm of the number of new shares per old share.
    """

    instrument_id: Int32s
    ex_ordinal: Int32s
    log_ratio: Floats


def rescaled(wanted: DailyBars, stored: DailyBars, listed: KnownSplits, known: KnownSplits) -> Bools:
    """Return which of the wanted bars are in doubt.

    Bars that are not stored are in doubt too where a later bar of their instrument is.

    Args:
        wanted: the bars of an answer, keys unique, by key.
        stored: stored bars, keys unique.
        listed: the splits that the answer lists of its period.
        known: the splits stored of the same instruments and period.
    """
    doubt = np.zeros(len(wanted), dtype=bool)
    _, ours, theirs = np.intersect1d(keys_of(wanted), keys_of(stored), return_indices=True)
    if not len(ours):
        return doubt
    logs = np.stack(
        [
            np.log(getattr(wanted, name)[ours] / getattr(stored, name)[theirs])
            for name in ("open", "high", "low", "close")
        ]
    )
    factor = np.median(logs, axis=0)
    is_one_factor = np.ptp(logs, axis=0) <= SPREAD
    suspect = is_one_factor & (np.abs(factor) >= np.log(SMALLEST_FACTOR))
    if not suspect.any():
        return doubt
    suspect &= np.abs(factor - _explained(wanted.take(ours), listed, known)) > SAME
    doubt[ours[suspect]] = True
    return doubt | _before_doubted(wanted, doubt, np.isin(np.arange(len(wanted)), ours))


def without_rounding(wanted: DailyBars, stored: DailyBars, listed: KnownSplits) -> DailyBars:
    """Return the bars of a chart, with the stored values in those that differ by the vendor's rounding alone.

    A chart is on today's split basis and rounded there, its volumes to whole shares of today, so a bar comes
    back with slightly different numbers after each split; that is no correction. See ROUNDING.

    Args:
        wanted: the bars of a chart, keys unique, by key.
        stored: stored bars, keys unique.
        listed: the splits of the chart.
    """
    _, ours, theirs = np.intersect1d(keys_of(wanted), keys_of(stored), return_indices=True)
    new, old = wanted.take(ours), stored.take(theirs)
    log_shares = sum((_before(new, split) for split in _triples(listed)), np.zeros(len(new)))
    whole_shares = 1 + np.exp(-log_shares)
    same = np.abs(new.volume - old.volume) <= np.maximum(ROUNDING * old.volume, whole_shares)
    for name in ("open", "high", "low", "close"):
        same &= np.abs(getattr(new, name) - getattr(old, name)) <= ROUNDING * getattr(old, name)
    columns = {}
    for column in fields(wanted):
        values = getattr(wanted, column.name).copy()
        values[ours[same]] = getattr(old, column.name)[same]
        columns[column.name] = values
    return DailyBars(**columns)


def _explained(bars: DailyBars, listed: KnownSplits, known: KnownSplits) -> Floats:
    """Return, for each bar, the logarithm of the factor by which the answer's own splits explain a change."""
    factor = np.zeros(len(bars))
    gained = [split for split in _triples(listed) if split not in _triples(known)]
    lost = [split for split in _triples(known) if split not in _triples(listed)]
    for split in gained:
        factor += _before(bars, split)
        # A split that was lost and is there under another date is the same split.
        twin = next((other for other in lost if _is_redated(split, other)), None)
        if twin is not None:
            lost.remove(twin)
            factor -= _before(bars, twin)
    return factor


def _before(bars: DailyBars, split: tuple[int, int, float]) -> Floats:
    instrument_id, ex_ordinal, log_ratio = split
    return np.where((bars.instrument_id == instrument_id) & (bars.ordinal < ex_ordinal), log_ratio, 0.0)


def _is_redated(split: tuple[int, int, float], other: tuple[int, int, float]) -> bool:
    return (
        split[0] == other[0]
        and abs(split[1] - other[1]) <= REDATED_WITHIN
        and abs(split[2] - other[2]) <= SAME
    )


def _triples(splits: KnownSplits) -> list[tuple[int, int, float]]:
    columns = (splits.instrument_id, splits.ex_ordinal, np.round(splits.log_ratio, 9))
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _before_doubted(wanted: DailyBars, doubt: Bools, is_stored: Bools) -> Bools:
    """Return the bars that are not stored and come before one in doubt of the same instrument."""
    last: dict[int, int] = {}
    for instrument_id, ordinal in zip(
        wanted.instrument_id[doubt].tolist(), wanted.ordinal[doubt].tolist(), strict=True
    ):
        last[instrument_id] = max(ordinal, last.get(instrument_id, ordinal))
    if not last:
        return doubt
    bound = np.array([last.get(one, np.iinfo(np.int32).min) for one in wanted.instrument_id.tolist()])
    return ~is_stored & (wanted.ordinal < bound)
