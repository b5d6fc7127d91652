"""A chart of bars as a tree of nodes; the twin of the page's ``chart.js``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from condvest.serving_layer.page.drawing.axes import Event, axes, flags
from condvest.serving_layer.page.drawing.candles import (
    Columns,
    candles,
    kind,
    shapes,
    volumes,
    vwap_line,
    within,
)
from condvest.serving_layer.page.drawing.geometry import Node, Panels, Scale, View, rounded

_HATCHES: list[Node] = [
    (
        "pattern",
        {
            "id": f"hatch-{name}",
            "width": 5,
            "height": 5,
            "patternUnits": "userSpaceOnUse",
            "patternTransform": "rotate(45)",
        },
        [("path", {"class": f"hatch {name}", "d": "M1 0V5"}, [])],
    )
    for name in ("up", "down")
]


@dataclass(frozen=True)
class Drawing:
    """How a chart is drawn.

    Attributes:
        title: what it shows, in words.
        interval: sessions per bar.
        through: the last loaded session, ISO; "" if it is not known.
        events: splits and dividends by ex-date.
        width, height: pixels.
        log: prices on a logarithmic scale.
        vwap: draw the volume-weighted mean price, too.
    """

    title: str
    interval: int
    through: str
    events: Sequence[Event] = ()
    width: int = 1100
    height: int = 480
    log: bool = False
    vwap: bool = False


def chart(bars: Columns, drawing: Drawing, first: int | None = None, last: int | None = None) -> Node:
    """Return the chart of the bars of one symbol as an ``svg`` element.

    Args:
        bars: columns of `condvest.bars`, by window, at least one row; dates as ISO text.
        drawing: how it is drawn.
        first: first window in view, the first bar's if None.
        last: last window in view, inclusive; the last bar's if None.
    """
    panels = Panels(drawing.width, drawing.height)
    view = View(
        bars["window"][0] if first is None else first,
        bars["window"][-1] if last is None else last,
        panels.left,
        panels.right,
    )
    made = shapes(bars, view, drawing.interval, drawing.through)
    low = min((each.low for each in made), default=0.0)
    high = max((each.high for each in made), default=1.0)
    prices = Scale.over(low, high, panels, log=drawing.log)
    attributes: dict[str, str | float] = {
        "xmlns": "http://www.w3.org/2000/svg",
        "class": "chart",
        "viewBox": f"0 0 {drawing.width} {drawing.height}",
        "width": drawing.width,
        "height": drawing.height,
        "role": "img",
        "aria-label": drawing.title,
    }
    under_way, note = _under_way(bars, view, panels, drawing)
    return (
        "svg",
        attributes,
        [
            ("defs", {}, _HATCHES),
            *under_way,
            *axes(bars, view, panels, prices),
            *volumes(made, view.step, panels.volume_top, panels.volume_bottom),
            *candles(made, view.step, prices.y),
            *(vwap_line(made, view.step, prices.y) if drawing.vwap else []),
            *flags(drawing.events, bars, view),
            *note,
        ],
    )


def _under_way(bars: Columns, view: View, panels: Panels, drawing: Drawing) -> tuple[list[Node], list[Node]]:
    """Return what shades the window under way, and what says how far it is."""
    rows = within(bars, view.first, view.last)
    if not rows or kind(bars, rows[-1], drawing.interval, drawing.through) != "open":
        return [], []
    at = rows[-1]
    offset = bars["window"][at] - view.first
    shade: dict[str, str | float] = {
        "class": "under-way",
        "x": rounded(view.left + offset * view.step),
        "y": panels.top,
        "width": rounded(max(view.step, 1)),
        "height": panels.volume_bottom - panels.top,
    }
    words = f"{bars['sessions'][at]} of {drawing.interval} sessions, closes {bars['last_session'][at]}"
    attributes: dict[str, str | float] = {
        "class": "label note",
        "x": rounded(view.left + offset * view.step - 3),
        "y": panels.bottom - 6,
    }
    return [("rect", shade, [])], [("text", attributes, words)]
