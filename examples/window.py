"""The picture of docs/how-a-bar-is-made.md: sessions, their windows, and the bars made of them.

Two stocks over three windows of five sessions around Thanksgiving 2024. The windows are the exchange's, so
they are the same for both, though one of the stocks is halted for two sessions.

    python examples/window.py [FILE]
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

from condvest.batch_layer.shared.models.sessions import calendar_of
from condvest.batch_layer.shared.utils.calendar import exchange_sessions

INTERVAL = 5
FIRST_DATE = dt.date(2024, 11, 18)
WIDTH, LEFT, TOP = 46, 90, 46
CLOSES = {
    "BIG": (50, 52, 51, 54, 55, 53, 56, 58, 57, 60, 59, 61, 60),
    "HALTED": (30, 31, 30, 29, None, None, 33, 34, 33, 32, 31, 33, 34),
}
"""By session, from the first one of the first window; two of the third window are still to come."""


def main(path: Path) -> None:
    """Draw the picture into a file."""
    sessions = calendar_of(*exchange_sessions(1962, 2025))
    begin = sessions.ordinal(FIRST_DATE)
    begin += -begin % INTERVAL
    parts = [text(8, 24, "session"), text(8, 40, "ordinal")]
    for at in range(15):
        x = LEFT + at * WIDTH
        parts.append(text(x, 24, f"{sessions.session(begin + at):%m-%d}"))
        parts.append(text(x, 40, str(begin + at)))
    for row, (name, closes) in enumerate(CLOSES.items()):
        parts += stock(name, closes, TOP + row * 160)
    for window in range(3):
        x = LEFT + window * INTERVAL * WIDTH - 4
        parts.append(
            f'<rect x="{x}" y="6" width="{INTERVAL * WIDTH - 8}" height="362" class="window" rx="6"/>'
        )
        number = (begin + window * INTERVAL) // INTERVAL
        state = ("complete", "complete", "open: two sessions to come")[window]
        parts.append(text(x + 8, 388, f"window {number} = ordinal // {INTERVAL}"))
        parts.append(text(x + 8, 406, state))
    style = (
        "text{font:13px sans-serif;fill:#777} .window{fill:none;stroke:#999;stroke-dasharray:4 3}"
        " .day{stroke:#4a7ebb;fill:#4a7ebb} .bar{stroke:#c0622f;fill:none;stroke-width:2}"
    )
    body = "\n".join(parts)
    width, height = LEFT + 15 * WIDTH, 416
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>{style}</style>\n{body}\n</svg>\n',
        encoding="utf-8",
    )
    print(f"the picture is in {path}")


def stock(name: str, closes: tuple[int | None, ...], top: int) -> list[str]:
    """Return the daily bars of a stock and, around those of each window, the bar folded from them."""
    known = [close for close in closes if close is not None]
    low, high = min(known) - 2, max(known) + 2

    def y(price: float) -> float:
        return round(top + 20 + (high - price) / (high - low) * 110, 1)

    parts = [text(8, top + 80, name)]
    for begin in range(0, 15, INTERVAL):
        own = [(at, close) for at, close in enumerate(closes[begin : begin + INTERVAL]) if close is not None]
        left = LEFT + begin * WIDTH
        for at, close in own:
            x = left + at * WIDTH + 12
            parts.append(f'<path d="M{x} {y(close + 1)}V{y(close - 1)}" class="day"/>')
            parts.append(f'<circle cx="{x}" cy="{y(close)}" r="3" class="day"/>')
        upper, lower = max(close for _, close in own) + 1, min(close for _, close in own) - 1
        width = (INTERVAL - 1) * WIDTH + 24
        height = round(y(lower) - y(upper), 1)
        parts.append(f'<rect x="{left}" y="{y(upper)}" width="{width}" height="{height}" class="bar"/>')
        parts.append(text(left, round(y(lower) + 15, 1), f"close {own[-1][1]}, sessions {len(own)}"))
    return parts


def text(x: float, y: float, words: str) -> str:
    """Return a line of text."""
    return f'<text x="{x}" y="{y}">{words}</text>'


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "window.svg"))
