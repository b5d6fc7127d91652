"""The bounds of a question, and the windows of its answer with their days. Pure."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from condvest.batch_layer.shared.core.windows import first_ordinals, last_ordinals, windows_of
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans
from condvest.serving_layer.queries.bars.question import Question


def bounds_of(sessions: Sessions, question: Question) -> tuple[int, int]:
    """Return the ordinals between which the last session of a bar that is asked for lies, inclusive."""
    first, last = sessions.first_ordinal, sessions.last_ordinal
    if question.start:
        first = int(sessions.ordinals_on_or_after(np.array([question.start], "datetime64[D]"))[0])
    if question.end:
        after = np.array([np.datetime64(question.end, "D") + np.timedelta64(1, "D")])
        last = int(sessions.ordinals_on_or_after(after)[0]) - 1
    return first, last


def days_of_windows(sessions: Sessions, n: int, window: Int32s) -> list[Int32s]:
    """Return, per bar, the first and the last day of its window, counted by the calendar; see `Answer`."""
    low, days = _days_of_calendar(sessions, n)
    offset = window - low
    if len(offset) and (offset.min() < 0 or offset.max() >= len(days[0])):
        return days_of(sessions, n, window, 0)  # which says what is wrong with it
    return [each.take(offset) for each in days]


@lru_cache(maxsize=32)
def _days_of_calendar(sessions: Sessions, n: int) -> tuple[int, list[Int32s]]:
    """Return the first window of a calendar, and the first and the last day of each window that it holds."""
    first, end = sessions.first_ordinal // n, (sessions.last_ordinal + 1) // n
    return first, days_of(sessions, n, np.arange(first, end, dtype=np.int32), 0)


def days_of(sessions: Sessions, n: int, windows: Int32s, anchor: int | Int32s) -> list[Int32s]:
    """Return the first and the last day of each window that is counted from an anchor (an ordinal).

    Raises:
        NotASession: a window ends after the calendar.
    """
    # The very first windows may begin before the calendar does.
    first = np.maximum(first_ordinals(windows, n, anchor), np.int32(sessions.first_ordinal))
    return [
        sessions.dates_of(ordinals).astype("datetime64[D]").astype(np.int32)
        for ordinals in (first, last_ordinals(windows, n, anchor))
    ]


def windows_within(changed: Spans, n: int, asked: Spans) -> Spans:
    """Return the windows of interval n that hold a changed ordinal and are asked for, merged.

    Args:
        changed: spans of ordinals of instruments that ``asked`` has.
        n: sessions per window.
        asked: one span of windows per instrument, ascending by instrument.
    """
    asked = asked.take(np.searchsorted(asked.instrument_id, changed.instrument_id))
    first = np.maximum(windows_of(changed.first, n), asked.first)
    last = np.minimum(windows_of(changed.last, n), asked.last)
    is_any = first <= last
    return Spans(changed.instrument_id[is_any], first[is_any], last[is_any]).merged()
