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

Whether a split may explain a factor depends on when the stored bar was fetched:

- Before the ex-date it was as traded, whatever the split. A split that is new explains nothing until TRUSTED
  sessions after its ex-date: the vendor lists it and has not brought its prices to its basis.
- Later it may have been wrong, as the answer may be now. `continuity` has found no fault with the answer, so
  the answer has the last word where the factor is a listed split's.

A factor near 1 may be a correction of one bar; MANY bars that share one are on another basis.

A bar that is not stored is in doubt with those around it: before the last one in doubt, and after it where no
split begins another basis between them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields

import numpy as np

from condvest.batch_layer.shared.models.bars import Bools, Columns, DailyBars, Floats, Int32s
from condvest.batch_layer.shared.models.difference import keys_of

SMALLEST_FACTOR = 1.2
"""A factor nearer to 1 than this, either way, may be a correction of prices."""

MANY = 5
"""So many bars of an instrument with one factor are on another basis, however near to 1 the factor is."""

LEAST_FACTOR = 1.004
"""But a factor nearer to 1 than this, either way, is the rounding of small prices."""

TRUSTED = 21
"""So many sessions after an ex-date the vendor's prices are taken to be on the basis of the split."""

LAST_WORD = 4
"""Of so many newest splits any number may have been missing in the stored bar, or be counted there twice."""

SPREAD = 0.004
"""The four prices are multiplied by one factor if the logarithms of theirs differ by no more than this."""

SAME = 0.01
"""A factor is explained if it differs from a split's by no more than this, in logarithms, and by no more than
a quarter of the split's own logarithm."""

LEAST_SAME = 0.001
"""What is left of a factor by a split is nothing if it is no more than this, in logarithms."""

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


def rescaled(
    wanted: DailyBars,
    stored: DailyBars,
    stored_at: Int32s,
    told_at: int,
    listed: KnownSplits,
    known: KnownSplits,
) -> Bools:
    """Return which of the wanted bars are in doubt.

    Args:
        wanted: the bars of an answer, keys unique, by key.
        stored: stored bars, keys unique.
        stored_at: int32 a stored bar, the ordinal of the last session that had begun when it was fetched.
        told_at: the same of the answer.
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
    logs[0] = np.where(np.isnan(logs[0]), logs[3], logs[0])  # an unknown open says nothing
    factor, spread = np.median(logs, axis=0), np.ptp(logs, axis=0)
    size = np.abs(factor)
    large = (spread <= SPREAD) & (size >= np.log(SMALLEST_FACTOR))
    small = (spread <= SPREAD / 4) & (size >= np.log(LEAST_FACTOR)) & ~large
    if not (large.any() or small.any()):
        return doubt
    bars, since = wanted.take(ours), stored_at[theirs]
    left = factor - _explained(bars, since, told_at, listed, known)
    doubtful = ~_is_last_word(bars, since, left, listed)
    large &= doubtful
    small &= doubtful
    doubt[ours[large | _shared_by_many(bars.instrument_id, factor, small)]] = True
    return doubt | _beside_doubted(wanted, doubt, np.isin(np.arange(len(wanted)), ours), listed, known)


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
        # What the chart does not know, an open, is no difference.
        same &= ~(np.abs(getattr(new, name) - getattr(old, name)) > ROUNDING * getattr(old, name)) & (
            np.isnan(getattr(new, name)) | ~np.isnan(getattr(old, name))
        )
    columns = {}
    for column in fields(wanted):
        values = getattr(wanted, column.name).copy()
        values[ours[same]] = getattr(old, column.name)[same]
        columns[column.name] = values
    return DailyBars(**columns)


def _explained(
    bars: DailyBars, stored_at: Int32s, told_at: int, listed: KnownSplits, known: KnownSplits
) -> Floats:
    """Return, for each bar, the logarithm of the factor by which the answer's own splits explain a change."""
    factor = np.zeros(len(bars))
    now, before = _triples(listed), _triples(known)
    gained = [split for split in now if split not in before]
    lost = [split for split in before if split not in now]
    for split in gained:
        counts = stored_at >= (split[1] if told_at - split[1] < TRUSTED else np.iinfo(np.int32).min)
        change = _before(bars, split)
        # A split that was lost and is there under another date is the same split.
        twin = next((other for other in lost if _is_redated(split, other)), None)
        if twin is not None:
            lost.remove(twin)
            change -= _before(bars, twin)
        factor += np.where(counts, change, 0.0)
    return factor


def _is_last_word(bars: DailyBars, stored_at: Int32s, factor: Floats, listed: KnownSplits) -> Bools:
    """Return which factors are those of listed splits that the stored bar may have been wrong for."""
    newest = sorted(set(_triples(listed)), key=lambda split: -split[1])[:LAST_WORD]
    ratios = [np.where(stored_at >= split[1], _before(bars, split), 0.0) for split in newest]
    is_last_word = np.abs(factor) <= _nearness(np.zeros(len(bars)))
    for signs in itertools.product((-1.0, 0.0, 1.0), repeat=len(ratios)):
        change = sum((sign * ratio for sign, ratio in zip(signs, ratios, strict=True)), np.zeros(len(bars)))
        is_last_word |= (change != 0) & (np.abs(factor - change) <= _nearness(change))
    return is_last_word


def _nearness(change: Floats) -> Floats:
    """Return how near a factor is to a split's; nearer where the split's is near 1."""
    size = np.abs(change)
    return np.where(size > 0, np.minimum(SAME, size / 4), LEAST_SAME)


def _shared_by_many(instrument_id: Int32s, factor: Floats, chosen: Bools) -> Bools:
    """Return which chosen bars have the factor that MANY chosen bars of their instrument have."""
    shared = np.zeros(len(factor), dtype=bool)
    for instrument in np.unique(instrument_id[chosen]).tolist():
        own = chosen & (instrument_id == instrument)
        near = np.abs(factor - np.median(factor[own])) <= SPREAD / 4
        if (own & near).sum() >= MANY:
            shared |= own & near
    return shared


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


def _beside_doubted(
    wanted: DailyBars, doubt: Bools, is_stored: Bools, listed: KnownSplits, known: KnownSplits
) -> Bools:
    """Return the bars that are not stored and are in doubt with those of the same instrument around them."""
    beside = np.zeros(len(wanted), dtype=bool)
    ex_ordinals = [(split[0], split[1]) for split in (*_triples(listed), *_triples(known))]
    for instrument in np.unique(wanted.instrument_id[doubt]).tolist():
        own = wanted.instrument_id == instrument
        doubted, stored = wanted.ordinal[own & doubt], wanted.ordinal[own & is_stored]
        beside |= own & ~is_stored & (wanted.ordinal < doubted.max())
        for before in doubted.tolist():
            ends = [at for instrument_id, at in ex_ordinals if instrument_id == instrument and at > before]
            ends += stored[stored > before].tolist()
            end = min(ends, default=np.iinfo(np.int32).max)
            beside |= own & ~is_stored & (wanted.ordinal > before) & (wanted.ordinal < end)
    return beside
