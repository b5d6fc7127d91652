"""Splits and dividends; pure.

The current lists (``/stocks/v1``) and the deprecated ones (``/v3/reference``) are read alike: they differ
in keys that are not needed, and in the name of a dividend's kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from batch_layer.shared.clients.massive import columns
from batch_layer.shared.clients.massive.columns import Faults
from batch_layer.shared.clients.massive.pages import Objects, read_pages
from batch_layer.shared.models.bars import Int64s
from batch_layer.shared.models.payloads import DividendRows, Parsed, SplitRows
from batch_layer.shared.models.source import GivenRows

_CURRENCY = "USD"
_KINDS = ("distribution_type", "dividend_type")
_AMOUNT_DECIMALS = 9


def read_splits(pages: Iterable[bytes]) -> Parsed:
    """Read the splits (SplitRows) of a list's pages; stock dividends are splits, too.

    ``line`` counts the rows from 1 across the pages.

    Raises:
        InputError: a page is none.
    """
    return read_pages(pages, _splits)


def read_dividends(pages: Iterable[bytes]) -> Parsed:
    """Read the cash dividends (DividendRows) of a list's pages.

    Dividends of different kinds (a regular and a special one) that an instrument pays on one ex-date
    become one row with the sum, in the place of the first of them. An amount in another currency than US
    dollars is a fault of its row: it cannot be set against the prices. ``line`` counts from 1 across the
    pages.

    Raises:
        InputError: a page is none.
    """
    return _summed(read_pages(pages, _dividends))


def _splits(rows: Objects, line: Int64s, faults: Faults) -> SplitRows:
    return SplitRows(
        line=line,
        symbol=columns.texts(columns.values_of(rows, "ticker"), "symbol", faults, required=True),
        ex_date=columns.dates(columns.values_of(rows, "execution_date"), "ex_date", faults, required=True),
        split_from=columns.numbers(
            columns.values_of(rows, "split_from"), "split_from", faults, required=True
        ),
        split_to=columns.numbers(columns.values_of(rows, "split_to"), "split_to", faults, required=True),
    )


def _dividends(rows: Objects, line: Int64s, faults: Faults) -> DividendRows:
    for row, currency in enumerate(columns.values_of(rows, "currency")):
        if currency is not None and currency != _CURRENCY:
            faults.note(row, f"currency: {columns.shown(currency)} is not {_CURRENCY}")
    return DividendRows(
        line=line,
        symbol=columns.texts(columns.values_of(rows, "ticker"), "symbol", faults, required=True),
        ex_date=columns.dates(columns.values_of(rows, "ex_dividend_date"), "ex_date", faults, required=True),
        cash_amount=columns.numbers(
            columns.values_of(rows, "cash_amount"), "cash_amount", faults, required=True
        ),
    )


def _summed(parsed: Parsed) -> Parsed:
    """Make one row of the dividends of different kinds on one ex-date.

    Rows of one kind are left as they are: the same amount is a copy, another one a contradiction, and it
    is not for the parser to say which is right. So is a group in which a row could not be read.
    """
    rows = parsed.rows
    assert isinstance(rows, DividendRows)  # noqa: S101  # for the type checker
    kept = np.ones(len(rows), dtype=np.bool_)
    amounts = rows.cash_amount.copy()
    kinds = _kinds(parsed)
    for group in _groups(rows):
        pairs = {(kinds[row], amounts[row]) for row in group}
        is_readable = not any(row in parsed.faults for row in group)
        if is_readable and 1 < len(pairs) == len({kind for kind, _ in pairs}):
            amounts[group[0]] = round(sum(amount for _, amount in pairs), _AMOUNT_DECIMALS)
            kept[group[1:]] = False
    if kept.all():
        return parsed
    place = np.cumsum(kept) - 1
    return Parsed(
        rows=replace(rows, cash_amount=amounts).take(kept),
        faults={int(place[row]): what for row, what in parsed.faults.items()},
        source=_given(parsed).filter(kept.tolist()),
    )


def _groups(rows: DividendRows) -> list[list[int]]:
    """Return the positions of the rows that share symbol and ex-date with another, group by group."""
    places: dict[tuple[str, int], list[int]] = {}
    keys = zip(rows.symbol.tolist(), rows.ex_date.astype(np.int64).tolist(), strict=True)
    for row, key in enumerate(keys):
        places.setdefault(key, []).append(row)
    return [group for group in places.values() if len(group) > 1]


def _kinds(parsed: Parsed) -> list[str | None]:
    given = _given(parsed)
    for name in _KINDS:
        if name in given.column_names:
            return given[name].to_pylist()
    return [None] * len(parsed.rows)


def _given(parsed: Parsed) -> GivenRows:
    assert isinstance(parsed.source, GivenRows)  # noqa: S101  # for the type checker
    return parsed.source
