"""What a terminal is shown: tables whose figures stay whole, and text that cannot move its cursor."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

_WIDEST = 10_000
"""Columns of a table that goes to a pipe or a file: as many as it needs."""

_FOLDED = 24
"""Text longer than this may be folded on a terminal; figures, dates and symbols never are."""

_QUANTITIES = ("volume",)
"""Columns that count things: whole numbers are shown without decimals."""

_SIGNIFICANT = 4


def printable(text: str) -> str:
    r"""Return text with its control characters as escapes, such as ``\x1b``; line breaks and tabs stay.

    Names, reasons and paths come from vendors and files, which must not be able to move a terminal's cursor,
    clear its screen or reverse its writing.
    """
    return "".join(
        character
        if character.isprintable() or character in "\n\t"
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


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
    cells = [[_cell(value, name, exact) for name, value in zip(columns, row, strict=True)] for row in rows]
    shown = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    needed = 0
    for name, *texts in zip(columns, *cells, strict=True):
        longest = max(map(len, (name, *texts)))
        folds = longest > _FOLDED and not all(map(_is_number, texts))
        right = bool(texts) and all(map(_is_number, texts))
        shown.add_column(
            name,
            justify="right" if right else "left",
            header_style="bold",
            overflow="fold",
            no_wrap=not folds,
            min_width=_FOLDED if folds else longest,
        )
        needed += (_FOLDED if folds else longest) + 2
    for texts in cells:
        shown.add_row(*texts)
    # Symbols, reasons and paths may hold brackets and colons, which are no markup and no emoji.
    console = Console(highlight=False, markup=False, emoji=False)
    console.width = max(console.width, needed) if console.is_terminal else _WIDEST
    with console.capture() as captured:
        console.print(shown)
    for line in captured.get().splitlines():
        click.echo(line.rstrip(), color=console.is_terminal)


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
        return f"{value:,.0f}" if column in _QUANTITIES and value.is_integer() else _decimal(value)
    return printable(str(value)).replace("\n", "\\n").replace("\t", "\\t")


def _decimal(value: float) -> str:
    """Return a number with two decimals, below 1 with four significant digits: 36.08, 0.50, 0.00001234."""
    if not math.isfinite(value) or value == 0 or abs(value) >= 1:
        return f"{value:,.2f}"
    decimals = _SIGNIFICANT - 1 - math.floor(math.log10(abs(value)))
    whole, _, digits = f"{value:.{decimals}f}".partition(".")
    return f"{whole}.{digits.rstrip('0'):0<2}"


def _is_number(text: str) -> bool:
    return not text or text.replace(",", "").replace(".", "").replace("-", "").isdigit()
