"""Read the rows of several answers as one table; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from condvest.batch_layer.shared.clients.massive import columns
from condvest.batch_layer.shared.clients.massive.answers import read_page
from condvest.batch_layer.shared.clients.massive.faults import Faults
from condvest.batch_layer.shared.models.bars import Int64s
from condvest.batch_layer.shared.models.given.given_rows import GivenRows
from condvest.batch_layer.shared.models.given.payload_rows import (
    BarRows,
    DividendRows,
    InstrumentRows,
    SplitRows,
    SymbolRows,
)
from condvest.batch_layer.shared.models.given.payloads import Parsed

Objects = list[dict[str, Any]]
SomeRows = TypeVar("SomeRows", BarRows, SplitRows, DividendRows, InstrumentRows, SymbolRows)


def rows_of_page(body: bytes) -> list[Any]:
    """Return the rows of one page of a list.

    Raises:
        InputError: the body is no page.
    """
    return read_page(body)[0]


def read_pages(
    bodies: Iterable[bytes],
    read: Callable[[Objects, Int64s, Faults], SomeRows],
    rows_of: Callable[[bytes], list[Any]] = rows_of_page,
) -> Parsed:
    """Read the rows of all answers, one answer after the other, so that only one is held as objects.

    Args:
        bodies: the answers.
        read: makes columns of one answer's rows, their lines (from 1, across the answers) and a place for
            their faults.
        rows_of: finds the rows of an answer.

    Raises:
        InputError: an answer is not what it should be; the message tells which one.
    """
    parts: list[SomeRows] = []
    faults: dict[int, str] = {}
    sources: list[GivenRows] = []
    count = 0
    for body in bodies:
        own = Faults()
        rows = columns.objects(rows_of(body), own)
        parts.append(read(rows, np.arange(count + 1, count + 1 + len(rows), dtype=np.int64), own))
        sources.append(columns.source_of(rows))
        faults |= {count + row: what for row, what in own.items()}
        count += len(rows)
    if not parts:
        return Parsed(read([], np.zeros(0, np.int64), Faults()), {}, GivenRows({}, 0))
    whole = type(parts[0]).concat(parts)
    return Parsed(whole, faults, GivenRows.concat(sources))
