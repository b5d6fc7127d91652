"""Bars as a handful of paths, one per class of candle; the twin of the page's ``candles.js``."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from condvest.serving_layer.page.drawing.geometry import Node, View, rounded, text

Columns = Mapping[str, Sequence[Any]]
"""Columns of `condvest.bars` of one symbol, by window; dates as ISO text."""

_ROOM = 2.0
"""Pixels per window below which windows share a pixel."""

_BODY = 3.0
"""Pixels per window from which a body is drawn beside the wick."""


@dataclass
class Shape:
    """What is drawn of a bar, or of those that share a pixel; x in pixels."""

    x: float
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float | None
    kind: str

    @property
    def name(self) -> str:
        """The classes of its candle."""
        return f"{self.kind} {'up' if self.close >= self.open else 'down'}"


def kind(bars: Columns, at: int, interval: int, through: str) -> str:
    """Return what a bar is: open (its window is under way), lacking (sessions are missing in it) or whole."""
    if bars["is_complete"][at]:
        return "lacking" if bars["sessions"][at] < interval else "whole"
    is_open = bars["last_session"][at] > through if through else at == len(bars["window"]) - 1
    return "open" if is_open else "lacking"


def within(bars: Columns, first: int, last: int) -> range:
    """Return the rows whose windows lie within two, inclusive."""
    window = bars["window"]
    return range(bisect_left(window, first), bisect_left(window, last + 1))


def shapes(bars: Columns, view: View, interval: int, through: str) -> list[Shape]:
    """Return each bar, or where windows are narrower than 2 pixels, the range of those that share a pixel."""
    made: list[Shape] = []
    for at in within(bars, view.first, view.last):
        center = view.center(bars["window"][at])
        x = math.floor(center) + 0.5 if view.step < _ROOM else rounded(center)
        own = {name: bars[name][at] for name in ("open", "high", "low", "close", "volume", "vwap")}
        if view.step < _ROOM and made and made[-1].x == x:
            last = made[-1]
            last.high, last.low = max(last.high, own["high"]), min(last.low, own["low"])
            last.volume, last.close, last.vwap = max(last.volume, own["volume"]), own["close"], own["vwap"]
            if last.kind == "whole":
                last.kind = kind(bars, at, interval, through)
        else:
            made.append(Shape(x, **own, kind=kind(bars, at, interval, through)))
    return made


def candles(made: Iterable[Shape], step: float, y: Callable[[float], float]) -> list[Node]:
    """Return the nodes of candles: wicks and bodies by class."""
    wicks: dict[str, str] = {}
    bodies: dict[str, str] = {}
    half = _half(step)
    for each in made:
        low = max(y(each.low), rounded(y(each.high) + 1))
        wicks[each.name] = wicks.get(each.name, "") + f"M{text(each.x)} {text(y(each.high))}V{text(low)}"
        if step >= _BODY:
            top, bottom = y(max(each.open, each.close)), y(min(each.open, each.close))
            bodies[each.name] = bodies.get(each.name, "") + _box(each.x, half, top, bottom)
    return [*_paths("wick", wicks), *_paths("body", bodies)]


def volumes(made: Sequence[Shape], step: float, top: float, bottom: float) -> list[Node]:
    """Return the nodes of volume bars."""
    most = max((each.volume for each in made), default=0)
    by: dict[str, str] = {}
    for each in made:
        if each.volume > 0:
            high = rounded(bottom - max((each.volume / most) * (bottom - top), 1))
            by[each.name] = by.get(each.name, "") + _box(each.x, _half(step), high, bottom)
    return _paths("volume", by)


def vwap_line(made: Iterable[Shape], step: float, y: Callable[[float], float]) -> list[Node]:
    """Return the node of the volume-weighted mean price: a line that ends where a window is missing."""
    line = ""
    before: float | None = None
    for each in made:
        if each.vwap is None:
            before = None
            continue
        joins = before is not None and each.x - before <= max(step * 1.5, 2)
        line += f"{'L' if joins else 'M'}{text(each.x)} {text(y(each.vwap))}"
        before = each.x
    return [("path", {"class": "vwap", "d": line}, [])] if line else []


def _half(step: float) -> float:
    return rounded(max(min(step * 0.36, 9), 0.5))


def _box(x: float, half: float, top: float, bottom: float) -> str:
    left, right = rounded(x - half), rounded(x + half)
    return f"M{text(left)} {text(top)}H{text(right)}V{text(max(bottom, rounded(top + 1)))}H{text(left)}Z"


def _paths(part: str, by: Mapping[str, str]) -> list[Node]:
    return [("path", {"class": f"{part} {name}", "d": by[name]}, []) for name in sorted(by)]
