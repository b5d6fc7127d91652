"""The command ``plot``: the candles of a symbol in a file."""

from __future__ import annotations

import datetime as dt
import re
from contextlib import nullcontext
from pathlib import Path
from typing import get_args

import click
import pyarrow as pa

from condvest.api import answer, connected
from condvest.asking import LOCAL, From
from condvest.batch_layer.shared.errors import SettingsError, UsageError
from condvest.batch_layer.shared.settings import Settings
from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import SESSION
from condvest.cli.output.destination import opened
from condvest.facts import dividends, splits
from condvest.serving_layer.page.drawing.axes import Event
from condvest.serving_layer.page.drawing.chart import Drawing, chart
from condvest.serving_layer.page.drawing.svg import Theme, page, standalone
from condvest.serving_layer.queries.bars.question import Adjust, Question

SHAPES = (".svg", ".html", ".png")
"""The suffixes of the files that can be written."""

_SMALLEST, _LARGEST = 200, 10_000
"""Pixels of a side."""


def _size(_: click.Context, __: click.Parameter, value: str) -> tuple[int, int]:
    """Read a size in pixels."""
    sides = re.fullmatch(r"(\d{1,5})x(\d{1,5})", value)
    if sides is None or not all(_SMALLEST <= int(side) <= _LARGEST for side in sides.groups()):
        raise UsageError(
            f"--size {value!r}: expected width and height in pixels, {_SMALLEST} to {_LARGEST}, "
            "such as 1100x480"
        )
    return int(sides[1]), int(sides[2])


@click.command(short_help="Draw the candles of a symbol.")
@click.argument("symbol")
@click.option(
    "--interval", type=int, default=13, show_default=True, help="Sessions per bar; 1 for daily bars."
)
@click.option("--start", type=SESSION, help="Keep bars that end on or after DATE.")
@click.option("--end", type=SESSION, help="Keep bars that end on or before DATE.")
@click.option(
    "--adjust", type=click.Choice(get_args(Adjust)), default="splits", show_default=True,
    help="What to adjust prices for.",
)  # fmt: skip
@click.option("--log", is_flag=True, help="Prices on a logarithmic scale.")
@click.option("--vwap", is_flag=True, help="Draw the volume-weighted mean price, too.")
@click.option(
    "--theme", type=click.Choice(get_args(Theme)), default="light", show_default=True, help="Colours."
)
@click.option(
    "--size", default="1100x480", show_default=True, callback=_size, help="Width and height in pixels."
)
@click.option(
    "--source", type=click.Choice(LOCAL), default="database", show_default=True, help="Where to read."
)
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(allow_dash=True, path_type=Path),
    help="Write to FILE.svg, .html or .png; SVG to standard output if left out.",
)
@pass_cli
def plot(
    cli: Cli,
    symbol: str,
    interval: int,
    start: dt.date | None,
    end: dt.date | None,
    adjust: Adjust,
    log: bool,
    vwap: bool,
    theme: Theme,
    size: tuple[int, int],
    source: From,
    path: Path | None,
) -> None:
    """Draw the candles of a symbol, with volumes, splits, dividends and the open bar."""
    path = None if path is None or str(path) == "-" else path
    suffix = ".svg" if path is None else path.suffix.lower()
    if suffix not in SHAPES:
        raise UsageError(f"{path}: the name ends with none of {', '.join(SHAPES)}, which say what to write")
    question = Question([symbol], interval, start, end, adjust, include_open=True)
    with connected(cli.settings) if source == "database" else nullcontext():
        table = answer(question, source, cli.settings)
        events = _events(symbol, source, cli.settings)
    if not len(table):
        raise UsageError(f"{symbol} has no bar of {interval} sessions between these dates; ask for others")
    title = f"{symbol}, {'daily bars' if interval == 1 else f'bars of {interval} sessions'}"
    bars = _columns(table)
    node = chart(bars, Drawing(title, interval, "", events, *size, log=log, vwap=vwap))
    text = page(node, bars, title, theme) if suffix == ".html" else standalone(node, title, theme)
    content = _png(text) if suffix == ".png" else text.encode()
    with opened(path) as sink:
        sink.write(content)


def _columns(table: pa.Table) -> dict[str, list[object]]:
    """Return the columns of bars as the drawing takes them: dates as ISO text."""
    dates = ("first_session", "last_session")
    return {
        name: [each.isoformat() if name in dates else each for each in table[name].to_pylist()]
        for name in table.column_names
    }


def _events(symbol: str, source: From, settings: Settings) -> list[Event]:
    """Return the splits and dividends of a symbol as flags."""
    made = []
    for row in splits(symbol, source=source, settings=settings).to_pylist():
        date, new, old = row["ex_date"].isoformat(), f"{row['split_to']:g}", f"{row['split_from']:g}"
        made.append(Event(date, "split", f"S {new}:{old}", f"Split {new} for {old}, {date}"))
    for row in dividends(symbol, source=source, settings=settings).to_pylist():
        date, cash = row["ex_date"].isoformat(), f"{row['cash_amount']:g}"
        made.append(Event(date, "dividend", f"D {cash}", f"Dividend {cash}, {date}"))
    return made


def _png(svg: str) -> bytes:
    """Return an SVG as PNG.

    Raises:
        SettingsError: what renders it is not installed.
    """
    try:
        import resvg_py  # noqa: PLC0415  # an extra, for this alone
    except ImportError as error:
        raise SettingsError("PNG needs the extra `png`: pip install 'condvest[png]'") from error
    return bytes(resvg_py.svg_to_bytes(svg_string=svg))


COMMANDS = (plot,)
