"""Splits and dividends; pure.

The current lists (``/stocks/v1``) and the deprecated ones (``/v3/reference``) are read alike: they differ
in keys that are not needed, and in the name of a dividend's kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from batch_layer.shared.clients.massive import columns
from batch_layer.shared.clients.massive.answers import read_page
from batch_layer.shared.clients.massive.columns import Faults
from batch_layer.shared.models.bars import Columns
from batch_layer.shared.models.payloads import DividendRows, Parsed, SplitRows

AnyRows = TypeVar("AnyRows", bound=Columns)

_CURRENCY = "USD"
_AMOUNT_DECIMALS = 9


def read_splits(pages: Iterable[bytes]) -> Parsed:
    """Read the splits (SplitRows) of a list's pages; stock dividends are splits, too.

    ``line`` counts the rows from 1 across the pages.

    Raises:
        InputError: a page is none.
    """
    parts, faults, sources = [], Faults(), []
    for first, rows in _numbered(pages, faults):
        own = Faults()
        part = SplitRows(
            line=np.arange(first + 1, first + 1 + len(rows), dtype=np.int64),
            symbol=columns.texts(_of(rows, "ticker"), "symbol", own, required=True),
            ex_date=columns.dates(_of(rows, "execution_date"), "ex_date", own, required=True),
            split_from=columns.numbers(_of(rows, "split_from"), "split_from", own, required=True),
            split_to=columns.numbers(_of(rows, "split_to"), "split_to", own, required=True),
        )
        _add(part, own, rows, parts, faults, sources, first)
    return Parsed(rows=SplitRows.concat(parts), faults=faults, source=_table(sources))


def read_dividends(pages: Iterable[bytes]) -> Parsed:
    """Read the cash dividends (DividendRows) of a list's pages.

    Dividends of different kinds (a regular and a special one) that an instrument pays on one ex-date
    become one row with the sum, at the place of the first. An amount in another currency than US dollars is
    a fault of its row: it cannot be set against the prices. ``line`` counts from 1 across the pages.

    Raises:
        InputError: a page is none.
    """
    parts, faults, sources, kinds = [], Faults(), [], []
    for first, rows in _numbered(pages, faults):
        own = Faults()
        part = DividendRows(
            line=np.arange(first + 1, first + 1 + len(rows), dtype=np.int64),
            symbol=columns.texts(_of(rows, "ticker"), "symbol", own, required=True),
            ex_date=columns.dates(_of(rows, "ex_dividend_date"), "ex_date", own, required=True),
            cash_amount=columns.numbers(_of(rows, "cash_amount"), "cash_amount", own, required=True),
        )
        for row, currency in enumerate(_of(rows, "currency")):
            if currency is not None and currency != _CURRENCY:
                own.note(row, f"currency: {columns.shown(currency)} is not {_CURRENCY}")
        kinds += [str(row.get("distribution_type") or row.get("dividend_type")) for row in rows]
        _add(part, own, rows, parts, faults, sources, first)
    return _summed(Parsed(rows=DividendRows.concat(parts), faults=faults, source=_table(sources)), kinds)


def _numbered(pages: Iterable[bytes], faults: Faults) -> Iterable[tuple[int, list[dict[str, Any]]]]:
    """Yield each page's rows with the number of rows before them; there is at least one page."""
    count = 0
    for page in pages or (b'{"status":"OK","results":[]}',):
        own = Faults()
        rows = columns.objects(read_page(page)[0], own)
        for row, what in own.items():
            faults.note(row + count, what)
        yield count, rows
        count += len(rows)
