"""What a terminal is shown of tables: figures stay whole."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Self

import click
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from condvest.cli.output.printable import printable

_NUMBER = re.compile(r"[-\d,.]*\d(e[-+]\d+)?")
"""A figure or a date."""

_BETWEEN = 2
"""Blanks between two columns."""

_MEASURES = Console(width=_BETWEEN)
"""Folds texts; it writes nothing, and its own width does not matter."""

_FOLDED = 24
"""Text longer than this may be folded on a terminal; figures, dates and symbols never are."""

_QUANTITIES = ("volume",)
"""Columns that count things: whole numbers are shown without decimals."""

_SIGNIFICANT = 4

_SMALLEST, _LARGEST = 1e-9, 1e18
"""Between these a number is written out. Above, a float knows its whole digits no longer."""


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "", exact: Collection[str] = ()
) -> None:
    """Write a table for people to standard output; numbers and dates to the right.

    On a terminal long text is folded to fit; where that is not enough the table is wider than the terminal,
    for a figure is never broken. Elsewhere nothing is folded.

    Args:
        columns: their names.
        rows: values, one per column.
        title: a line above.
        exact: the columns whose numbers are shown with every digit that they have.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    text = "\n".join(
        lines(
            columns,
            rows,
            title=title,
            exact=exact,
            terminal=console.width if console.is_terminal else None,
            is_bold=console.color_system is not None,
        )
    )
    click.echo(text, color=console.is_terminal)


def lines(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    title: str = "",
    exact: Collection[str] = (),
    terminal: int | None = None,
    is_bold: bool = False,
) -> Iterator[str]:
    """Yield the lines of a table as `table` writes it, without an object of a terminal's for each cell.

    Args:
        columns: as for `table`, like the next three.
        rows: as there.
        title: as there.
        exact: as there.
        terminal: the width of the terminal; None if nothing is to be folded.
        is_bold: whether title and heads are bold.
    """
    cells = [[_cell(value, name, exact) for name, value in zip(columns, row, strict=True)] for row in rows]
    shape = [_Column.of(name, texts) for name, *texts in zip(columns, *cells, strict=True)]
    widths = _fitted(shape, terminal)
    for line in (*title.splitlines(), *_lines(columns, shape, widths)):
        yield click.style(line, bold=True) if is_bold else line
    for texts in cells:
        yield from _lines(texts, shape, widths)


@dataclass(frozen=True)
class _Column:
    """How a column is laid out.

    Attributes:
        longest: the cells of a terminal that its longest text takes.
        is_right: its texts stand to the right.
        folds: its texts may be folded.
    """

    longest: int
    is_right: bool
    folds: bool

    @classmethod
    def of(cls, name: str, texts: Sequence[str]) -> Self:
        longest = max(map(_width, (name, *texts)))
        is_number = all(map(_is_number, texts))
        return cls(longest, bool(texts) and is_number, longest > _FOLDED and not is_number)


def _fitted(shape: Sequence[_Column], terminal: int | None) -> list[int]:
    """Return the width of each column: those that fold give way, the widest first, none below _FOLDED.

    Nothing gives way without a terminal (None).
    """
    widths = [column.longest for column in shape]
    room = math.inf if terminal is None else terminal - _BETWEEN * (len(widths) - 1)
    foldable = [index for index, column in enumerate(shape) if column.folds]
    while sum(widths) > room and any(widths[index] > _FOLDED for index in foldable):
        widest = max(widths[index] for index in foldable)
        wide = [index for index in foldable if widths[index] == widest]
        next_widest = max((widths[index] for index in foldable if widths[index] < widest), default=0)
        least = max(_FOLDED, next_widest, widest - math.ceil((sum(widths) - room) / len(wide)))
        for index in wide:
            widths[index] = least
    return widths


def _lines(texts: Sequence[str], shape: Sequence[_Column], widths: Sequence[int]) -> Iterator[str]:
    """Yield the lines of a row: one, or more where a text is folded."""
    parts = [
        (text,) if _width(text) <= width else _folded(text, width)
        for text, width in zip(texts, widths, strict=True)
    ]
    for line in zip_longest(*parts, fillvalue=""):
        yield (
            (" " * _BETWEEN)
            .join(
                " " * (width - _width(part)) + part
                if column.is_right
                else part + " " * (width - _width(part))
                for part, column, width in zip(line, shape, widths, strict=True)
            )
            .rstrip()
        )


def _folded(text: str, width: int) -> list[str]:
    return [line.plain for line in Text(text).wrap(_MEASURES, width, overflow="fold")]


def _width(text: str) -> int:
    """Return how many cells of a terminal a text takes; some characters take two."""
    return len(text) if text.isascii() else cell_len(text)


def _cell(value: Any, column: str, exact: Collection[str]) -> str:  # noqa: ANN401  # any value that a table shows
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if column in exact:
            return f"{value:,}"
        is_whole = column in _QUANTITIES and value.is_integer() and abs(value) < _LARGEST
        return f"{value:,.0f}" if is_whole else _decimal(value)
    return printable(str(value)).replace("\n", "\\n").replace("\t", "\\t")


def _decimal(value: float) -> str:
    """Return a number with two decimals, below 1 with four significant digits: 36.08, 0.50, 0.00001234.

    One that would be longer than anybody reads is given with an exponent: 1.234e-12.
    """
    if math.isfinite(value) and value != 0 and not _SMALLEST <= abs(value) < _LARGEST:
        return f"{value:.{_SIGNIFICANT - 1}e}"
    if not math.isfinite(value) or value == 0 or abs(value) >= 1:
        return f"{value:,.2f}"
    decimals = _SIGNIFICANT - 1 - math.floor(math.log10(abs(value)))
    whole, _, digits = f"{value:.{decimals}f}".partition(".")
    return f"{whole}.{digits.rstrip('0'):0<2}"


def _is_number(text: str) -> bool:
    return not text or text in ("inf", "-inf", "nan") or _NUMBER.fullmatch(text) is not None
