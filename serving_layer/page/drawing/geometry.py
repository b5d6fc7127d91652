"""Where things lie: the panels of a chart, scales and their ticks; the twin of the page's ``geometry.js``."""

from __future__ import annotations

import math
from dataclasses import dataclass

Node = tuple[str, dict[str, str | float], "list[Node] | str"]
"""An element: its name, its attributes, and its children or its text."""


def rounded(value: float) -> float:
    """Return a coordinate rounded to tenths, halves upwards, so that both twins write the same text."""
    return math.floor(value * 10 + 0.5) / 10


def text(value: float) -> str:
    """Return a coordinate as JavaScript writes it: without a fraction where there is none."""
    return str(int(value)) if value == int(value) else repr(float(value))


@dataclass(frozen=True)
class Panels:
    """The panels of a chart of a size in pixels: prices above, volumes below, labels right and beneath."""

    width: int
    height: int

    left = 6
    top = 34

    @property
    def right(self) -> int:
        """Where the plots end and the labels of prices begin."""
        return self.width - 62

    @property
    def volume_bottom(self) -> int:
        """Where volumes stand."""
        return self.height - 22

    @property
    def volume_top(self) -> int:
        """Where the highest volume ends."""
        return self.volume_bottom - max(math.floor(self.height * 0.16), 36)

    @property
    def bottom(self) -> int:
        """Where prices end."""
        return self.volume_top - 8


@dataclass(frozen=True)
class View:
    """Which windows are drawn, inclusive, and from where to where."""

    first: int
    last: int
    left: int
    right: int

    @property
    def step(self) -> float:
        """Pixels per window."""
        return (self.right - self.left) / (self.last - self.first + 1)

    def center(self, window: int) -> float:
        """Return the middle of a window."""
        return self.left + (window - self.first + 0.5) * self.step


@dataclass(frozen=True)
class Scale:
    """A scale from values to pixels; values of at most 0 have no logarithm, so it is linear then."""

    low: float
    high: float
    top: float
    bottom: float
    log: bool

    @classmethod
    def over(cls, low: float, high: float, panels: Panels, *, log: bool) -> Scale:
        """Return the scale over the values of the price panel."""
        is_log = log and low > 0
        if low == high:
            low, high = (-1.0, 1.0) if low == 0 else (low - abs(low) * 0.01, high + abs(high) * 0.01)
        return cls(low, high, panels.top, panels.bottom, is_log)

    def y(self, value: float) -> float:
        """Return where a value lies."""
        low, high, own = (
            (math.log(self.low), math.log(self.high), math.log(value))
            if self.log
            else (self.low, self.high, value)
        )
        margin = (high - low) * 0.04
        start, end = low - margin, high + margin
        return rounded(self.bottom - ((own - start) / (end - start)) * (self.bottom - self.top))


def ticks(scale: Scale, about: int) -> list[tuple[float, str]]:
    """Return the ticks of a scale with their labels, about so many, of 1, 2 or 5 times a power of ten."""
    low, high = scale.low, scale.high
    if scale.log and high / low >= 5:  # noqa: PLR2004  # the base of the digits  # half a decade: steps of equal size would crowd
        return _decades(low, high, about)
    rough = (high - low) / max(about, 1)
    power = math.floor(math.log10(rough))
    factor = next((each for each in (1, 2, 5, 10) if each * 10.0**power >= rough * (1 - 1e-9)), 10)
    digits = max(-power - 1 if factor == 10 else -power, 0)  # noqa: PLR2004
    step = factor * 10.0**power
    made = []
    at = math.ceil(low / step - 1e-9)
    while at * step <= high * (1 + 1e-12):
        made.append((at * step, f"{at * step:.{digits}f}"))
        at += 1
    return made


def _decades(low: float, high: float, about: int) -> list[tuple[float, str]]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(powers) * 3 <= about * 2 else (1,)
    values = [(each * 10.0**power, max(-power, 0)) for power in powers for each in factors]
    return [(value, f"{value:.{digits}f}") for value, digits in values if low <= value <= high]
