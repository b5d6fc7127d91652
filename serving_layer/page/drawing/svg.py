"""Drawings as text: SVG that stands alone, and HTML with the same chart and its table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Literal

from condvest.serving_layer.page.assets import assets
from condvest.serving_layer.page.drawing.candles import Columns
from condvest.serving_layer.page.drawing.geometry import Node, text

Theme = Literal["light", "dark"]

_TITLE = 26
"""Pixels above the chart, for its title."""

_COLUMNS = ("first_session", "last_session", "open", "high", "low", "close", "vwap", "volume", "sessions")
_VARIABLE = re.compile(r"--([\w-]+): ([^;]+);")
_USE = re.compile(r"var\(--([\w-]+)\)")
_TABLE = """
body { margin: 16px; font: 14px/1.4 sans-serif; background: var(--paper); color: var(--ink); }
svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 2px 10px; text-align: right; border-bottom: 1px solid var(--line); }
"""


def markup(node: Node) -> str:
    """Return a node as markup; whatever its texts hold, they stay texts."""
    name, attributes, inner = node
    pairs = "".join(f' {key}="{escape(_value(value))}"' for key, value in attributes.items())
    content = escape(inner) if isinstance(inner, str) else "".join(map(markup, inner))
    return f"<{name}{pairs}>{content}</{name}>" if content else f"<{name}{pairs}/>"


def standalone(node: Node, title: str, theme: Theme) -> str:
    """Return the chart as an SVG file of its own: a title above, and the page's colours of a theme in it."""
    name, attributes, inner = node
    width, height = attributes["width"], float(attributes["height"]) + _TITLE
    size: dict[str, str | float] = {"viewBox": f"0 -{_TITLE} {width} {text(height)}", "height": height}
    above: list[Node] = [
        ("style", {}, _style(theme) + f".paper {{ fill: {_colours(theme)['paper']}; }}"),
        ("rect", {"class": "paper", "y": -_TITLE, "width": width, "height": height}, []),
        ("text", {"class": "heading", "x": 8, "y": 10 - _TITLE / 2}, title),
    ]
    return markup((name, attributes | size, [*above, *([] if isinstance(inner, str) else inner)])) + "\n"


def page(node: Node, bars: Columns, title: str, theme: Theme) -> str:
    """Return an HTML page that stands alone: the chart, and the table of its bars, newest first."""
    style = _resolved(_TABLE, _colours(theme)) + _style(theme)
    head = "".join(f"<th>{escape(name)}</th>" for name in _COLUMNS)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{escape(_cell(bars[name][at]))}</td>" for name in _COLUMNS) + "</tr>"
        for at in reversed(range(len(bars["window"])))
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"/><title>{escape(title)}</title>\n'
        f"<style>{style}</style></head>\n<body><h1>{escape(title)}</h1>\n{markup(node)}\n"
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></body></html>\n"
    )


def _cell(value: object) -> str:
    return "" if value is None else text(value) if isinstance(value, float) else str(value)


def _value(value: str | float) -> str:
    return value if isinstance(value, str) else text(value)


def _style(theme: Theme) -> str:
    """Return the chart's style sheet with a theme's colours in place: not every program knows variables."""
    return _resolved(_asset("chart.css"), _colours(theme))


def _resolved(style: str, colours: Mapping[str, str]) -> str:
    return _USE.sub(lambda use: colours[use[1]], style)


def _colours(theme: Theme) -> Mapping[str, str]:
    """Return the colours of a theme, as the page's style sheet gives them."""
    light, dark = _asset("theme.css").split('[data-theme="dark"]')
    return dict(_pairs(light)) | (dict(_pairs(dark)) if theme == "dark" else {})


def _pairs(block: str) -> Sequence[tuple[str, str]]:
    return [(name, value) for name, value in _VARIABLE.findall(block)]


def _asset(name: str) -> str:
    return assets()[name].content.decode()
