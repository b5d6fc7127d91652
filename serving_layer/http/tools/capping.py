"""From a table to a text that fits into a conversation. Pure.

A model that is given a whole history forgets the question; one that is given the beginning alone takes it for
the whole. So the text says how many rows there are, and of too many it holds the first and the last ones.
"""

from __future__ import annotations

import pyarrow as pa

from condvest.serving_layer.formats import FORMATS

MOST_ROWS = 200
MOST_BYTES = 12_000
"""Of one answer, in CSV; the line that says what it is stands beside."""


def capped(table: pa.Table, version: str, narrower: str) -> str:
    """Return a table as CSV of at most MOST_ROWS rows and MOST_BYTES bytes, after a line about it.

    Args:
        table: the whole answer.
        version: of the data; "" if it belongs to none.
        narrower: how to ask for less.
    """
    about = f"# {len(table)} rows, data version {version or 'unknown'}"
    whole = _fitting(table, len(table)) if len(table) <= MOST_ROWS else None
    if whole is not None:
        return f"{about}\n{whole}"
    few, many = 0, MOST_ROWS  # of these rows the text fits, of more than those it does not
    text = _fitting(table, 0) or ""
    while few < many:
        middle = (few + many + 1) // 2
        tried = _fitting(table, middle)
        if tried is None:
            many = middle - 1
        else:
            few, text = middle, tried
    return f"{about}; only {few} of them are shown, the first and the last ones. {narrower}\n{text}"


def _fitting(table: pa.Table, count: int) -> str | None:
    """Return ``count`` rows from both ends as CSV, and a line where others are left out; None if too long."""
    if count >= len(table):
        return _within(_csv(table))
    last = count // 2
    first = _csv(table.slice(0, count - last))
    rest = _csv(table.slice(len(table) - last)).partition("\n")[2] if last else ""
    return _within(f"{first}# {len(table) - count} rows are left out here\n{rest}")


def _csv(table: pa.Table) -> str:
    # No name of a column holds an end of line, so the header is the first line.
    return FORMATS["csv"].encode(table, {}).decode()


def _within(text: str) -> str | None:
    return text if len(text.encode()) <= MOST_BYTES else None
