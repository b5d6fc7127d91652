"""Axes, and flags for splits and dividends; the twin of the page's ``axes.js``.

The horizontal axis counts windows, not time, so a missing window is a hole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from condvest.serving_layer.page.drawing.candles import Columns, within
from condvest.serving_layer.page.drawing.geometry import Node, Panels, Scale, View, rounded, text, ticks

_ABOUT = 46
"""Pixels between the lines of the grid, roughly."""


@dataclass(frozen=True)
class _Level:
    """Dates of one fineness.

    Attributes:
        room: least distance of its labels in pixels.
        group: what a date belongs to; a label stands where this changes.
        length: how much of the date is written.
    """

    room: int
    group: Callable[[str], str]
    length: int


def _years(count: int) -> _Level:
    return _Level(44, lambda date: str(int(date[:4]) // count), 4)


_LEVELS = (
    _Level(76, lambda date: date, 10),
    _Level(60, lambda date: date[:7], 7),
    _Level(60, lambda date: date[:4] + str((int(date[5:7]) - 1) // 3), 7),
    *(_years(count) for count in (1, 2, 5, 10, 20)),
)


@dataclass(frozen=True)
class Event:
    """A split or a dividend.

    Attributes:
        date: its ex-date, ISO.
        kind: split or dividend.
        text: what its flag says: ``S 2:1``, ``D 0.52``.
        title: the same in words.
    """

    date: str
    kind: str
    text: str
    title: str


def dates(bars: Columns, view: View) -> list[tuple[float, str]]:
    """Return labels below the windows with their places; the finest dates that have room."""
    rows = within(bars, view.first, view.last)
    first_session, window = bars["first_session"], bars["window"]
    for level in _LEVELS:
        starts = [
            at
            for at in rows
            if at == rows.start or level.group(first_session[at]) != level.group(first_session[at - 1])
        ]
        if len(starts) * level.room > view.right - view.left + level.room and level is not _LEVELS[-1]:
            continue
        made: list[tuple[float, str]] = []
        for at in starts:
            x = rounded(view.center(window[at]))
            is_free = not made or x - made[-1][0] >= level.room
            if is_free and view.left + level.room / 2 - 8 <= x <= view.right - level.room / 2 + 16:
                made.append((x, first_session[at][: level.length]))
        return made
    return []


def axes(bars: Columns, view: View, panels: Panels, prices: Scale) -> list[Node]:
    """Return the nodes of the grid, of both axes and of their labels."""
    lines = []
    labels: list[Node] = []
    for value, label in ticks(prices, (panels.bottom - panels.top) // _ABOUT):
        y = prices.y(value)
        lines.append(f"M{panels.left} {text(y)}H{panels.right}")
        labels.append(("text", {"x": panels.right + 6, "y": rounded(y + 4), "class": "label"}, label))
    for x, label in dates(bars, view):
        lines.append(f"M{text(x)} {panels.top}V{panels.volume_bottom}")
        labels.append(("text", {"x": x, "y": panels.volume_bottom + 16, "class": "label middle"}, label))
    return [("path", {"class": "grid", "d": "".join(lines)}, []), *labels]


def flags(events: Sequence[Event], bars: Columns, view: View) -> list[Node]:
    """Return the nodes of flags; texts are left out where they would overlap."""
    made: list[Node] = []
    taken = {"split": float("-inf"), "dividend": float("-inf")}
    for event in events:
        x = _position(event, bars, view)
        if x is None:
            continue
        y = 12 if event.kind == "split" else 26
        room = len(event.text) * 6 + 16
        triangle = f"M{text(rounded(x - 4))} {y - 4}H{text(rounded(x + 4))}L{text(x)} {y + 3}Z"
        children: list[Node] = [("title", {}, event.title), ("path", {"d": triangle}, [])]
        is_inside = x - taken[event.kind] >= 8 and x + room - 8 <= view.right + 56  # noqa: PLR2004  # pixels
        if is_inside and _is_free(events, event, bars, view, x, room):
            children.append(("text", {"x": rounded(x + 6), "y": y + 3}, event.text))
            taken[event.kind] = x + room
        made.append(("g", {"class": f"flag {event.kind}"}, children))
    return made


def _position(event: Event, bars: Columns, view: View) -> float | None:
    """Return where an event's flag stands; None if its window is not in view."""
    at = bisect_left(bars["last_session"], event.date)
    if at >= len(bars["window"]) or not view.first <= bars["window"][at] <= view.last:
        return None
    if at == 0 and event.date < bars["first_session"][0]:
        return None  # before all bars
    return rounded(view.center(bars["window"][at]))


def _is_free(events: Sequence[Event], event: Event, bars: Columns, view: View, x: float, room: float) -> bool:
    following = next((each for each in events if each.kind == event.kind and each.date > event.date), None)
    if following is None:
        return True
    at = bisect_left(bars["last_session"], following.date)
    return at >= len(bars["window"]) or view.center(bars["window"][at]) - x >= room
