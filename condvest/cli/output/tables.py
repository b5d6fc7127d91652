"""Answers as tables for people, or as the format that was asked for."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from condvest.cli.output import screen
from condvest.cli.output.data import write_arrow
from condvest.cli.output.destination import Format, format_for


def show_table(
    data: pa.Table,
    shape: Format | None,
    path: Path | None,
    hidden: tuple[str, ...] = (),
    exact: tuple[str, ...] = (),
) -> None:
    """Write a table to a file in the format asked for, or show it to people.

    Args:
        data: the table.
        shape: the format; None for the file's suffix, or else a table for people.
        path: the file; None for standard output.
        hidden: columns that people are not shown; a file has them all.
        exact: columns whose numbers people are shown to the last digit.
    """
    chosen = format_for(path, shape)
    if chosen == "table":
        names = [name for name in data.column_names if name not in hidden]
        screen.table(names, [list(row.values()) for row in data.select(names).to_pylist()], exact=exact)
    else:
        write_arrow(data, chosen, path)
