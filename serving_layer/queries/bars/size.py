"""How large an answer about bars would be, told before any bar is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from condvest.batch_layer.shared.core.windows import windows_of
from condvest.batch_layer.shared.errors import PermanentError
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.settings import INTERVALS
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.queries.bars.selection import select
from condvest.serving_layer.queries.bars.windows import bounds_of
from condvest.serving_layer.sources import BarSource

BAR = 88
"""Bytes of a bar in memory, about: the columns of `condvest.bars`."""

DAILY_BAR = 72
"""Bytes of a daily bar in memory, about."""


class TooLarge(PermanentError):
    """The answer would hold more than is given at once."""


@dataclass(frozen=True)
class Size:
    """How many rows an answer takes, at most.

    Attributes:
        bars: that it holds.
        daily: daily bars that it is folded from; 0 where the bars are stored as they are asked for.
    """

    bars: int
    daily: int


@dataclass(frozen=True)
class Largest:
    """What one answer may take.

    Attributes:
        answer: bytes of its bars.
        read: bytes of the daily bars that it is folded from.
    """

    answer: int
    read: int


def check_size(source: BarSource, question: Question, largest: Largest) -> None:
    """Refuse a question about bars whose answer would be too large.

    Symbols that are named are counted and nothing is read. Where they are too many for that, as for the
    whole market, the sessions that were loaded are counted, which the ledger tells; and only where those are
    too many, too, the first and last daily bar of each instrument are looked for.

    Raises:
        TooLarge: with what to ask instead.
        UnknownSymbol: no instrument with bars carries or carried a symbol.
    """
    first, last = bounds_of(source.sessions, question)
    if question.symbols is not None:
        each = np.ones(len(question.symbols), dtype=np.int32)
        if _fits(_size(source, question, each * np.int32(first), each * np.int32(last)), largest):
            return
    _, ids = select(source, question.symbols, on=question.symbols_on)
    if _fits(_size_at_most(source, question, ids), largest):
        return
    size = size_of(source, question, ids)
    if not _fits(size, largest):
        folded = f", folded from {size.daily} daily bars" if size.daily else ""
        dataset = f"bars_{question.interval}" if question.interval in INTERVALS else "daily_bars"
        raise TooLarge(
            f"the answer would hold up to {size.bars} bars{folded}; this server gives at most "
            f"{largest.answer // BAR} at once, folded from at most {largest.read // DAILY_BAR}. Ask for "
            f"fewer symbols or sessions (start=, end=), or read the published files: /v1/datasets/{dataset}"
        )


def size_of(source: BarSource, question: Question, ids: Int32s) -> Size:
    """Return the size of an answer about some instruments, by their first and last daily bars."""
    listed = source.listed(ids)
    first, last = bounds_of(source.sessions, question)
    return _size(
        source,
        question,
        np.maximum(listed.first, np.int32(first)),
        # A window may end after the last daily bar that it holds.
        np.minimum(listed.last + np.int32(question.interval - 1), np.int32(last)),
    )


def _size_at_most(source: BarSource, question: Question, ids: Int32s) -> Size:
    """Return what `size_of` returns, or more: as if each instrument had every session that was loaded."""
    coverage = source.coverage(ids)
    first, last = bounds_of(source.sessions, question)
    loaded = coverage.last_loaded(ids)
    return _size(
        source,
        question,
        np.full(len(ids), max(first, coverage.first_ordinal), dtype=np.int32),
        np.minimum(loaded + np.int32(question.interval - 1), np.int32(last)),
    )


def _size(source: BarSource, question: Question, first: Int32s, last: Int32s) -> Size:
    """Return the size of an answer whose windows end within spans of ordinals, one an instrument."""
    n = question.interval
    is_any = first <= last
    windows = (windows_of(last, n) - windows_of(first, n) + 1)[is_any].astype(np.int64)
    bars = int(windows.sum())
    if question.adjust == "total":  # the factors need the closes of all later sessions
        until = np.int64(source.sessions.last_ordinal)
        return Size(bars, int((until - first[is_any].astype(np.int64) + n).sum()))
    is_stored = n in INTERVALS and question.anchor == "calendar" and question.as_of is None
    return Size(bars, 0 if is_stored else bars * n)


def _fits(size: Size, largest: Largest) -> bool:
    return size.bars * BAR <= largest.answer and size.daily * DAILY_BAR <= largest.read
