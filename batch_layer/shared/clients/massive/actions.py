"""Splits and dividends; pure.

The current lists (``/stocks/v1``) and the deprecated ones (``/v3/reference``) are read alike: they differ
in keys that are not needed, and in the name of a dividend's kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from condvest.batch_layer.shared.clients.massive import columns
from condvest.batch_layer.shared.clients.massive.faults import Faults, shown
from condvest.batch_layer.shared.clients.massive.pages import Objects, read_pages
from condvest.batch_layer.shared.models.bars import Int64s
from condvest.batch_layer.shared.models.given.given_rows import GivenRows
from condvest.batch_layer.shared.models.given.payload_rows import DividendRows, SplitRows
from condvest.batch_layer.shared.models.given.payloads import Parsed

_CURRENCY = "USD"
_KINDS = ("distribution_type", "dividend_type", "adjustment_type")
_AMOUNT_DECIMALS = 9


def read_splits(pages: Iterable[bytes]) -> Parsed:
    """Read the splits (SplitRows) of a list's pages; stock dividends are splits, too.

    Splits of different kinds (a split and a stock dividend) that take effect on one ex-date become one row
    with the product of their ratios, in the place of the first of them. ``line`` counts from 1 across the
    pages.

    Raises:
        InputError: a page is none.
    """
    return _joined(read_pages(pages, _splits), ("split_from", "split_to"), math.prod)


def read_dividends(pages: Iterable[bytes]) -> Parsed:
    """Read the cash dividends (DividendRows) of a list's pages.

    Dividends of different kinds (a regular and a special one) that an instrument pays on one ex-date
    become one row with the sum, in the place of the first of them. An amount in another currency than US
    dollars is a fault of its row: it cannot be set against the prices. ``line`` counts from 1 across the
    pages.

    Raises:
        InputError: a page is none.
    """

    def total(amounts: Iterable[float]) -> float:
        return round(sum(amounts), _AMOUNT_DECIMALS)

    return _joined(read_pages(pages, _dividends), ("cash_amount",), total)


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
            faults.note(row, f"currency: {shown(currency)} is not {_CURRENCY}")
    return DividendRows(
        line=line,
        symbol=columns.texts(columns.values_of(rows, "ticker"), "symbol", faults, required=True),
        ex_date=columns.dates(columns.values_of(rows, "ex_dividend_date"), "ex_date", faults, required=True),
        cash_amount=columns.numbers(
            columns.values_of(rows, "cash_amount"), "cash_amount", faults, required=True
        ),
    )


def _joined(parsed: Parsed, names: tuple[str, ...], join: Callable[[Iterable[float]], float]) -> Parsed:
    """Make one row of the actions of different kinds on one ex-date, the values of ``names`` joined.

    Rows of one kind are left as they are: the same values are a copy, others a contradiction, and it
    is not for the parser to say which is right. So is a group in which a row could not be read or has no
    kind.
    """
    rows = parsed.rows
    assert isinstance(rows, SplitRows | DividendRows)  # noqa: S101  # for the type checker
    kept = np.ones(len(rows), dtype=np.bool_)
    joined = {name: getattr(rows, name).copy() for name in names}
    kinds = _kinds(parsed)
    for group in _groups(rows):
        # Numbers of Python's own: their sums and products overflow to infinity, which the rules refuse.
        pairs = {(kinds[row], *(joined[name][row].item() for name in names)) for row in group}
        is_readable = not any(row in parsed.faults or kinds[row] is None for row in group)
        if is_readable and 1 < len(pairs) == len({kind for kind, *_ in pairs}):
            for column, name in enumerate(names, start=1):
                joined[name][group[0]] = join(pair[column] for pair in sorted(pairs))
            kept[group[1:]] = False
    if kept.all():
        return parsed
    position = np.cumsum(kept) - 1
    return Parsed(
        rows=replace(rows, **joined).take(kept),
        faults={int(position[row]): what for row, what in parsed.faults.items()},
        source=_given(parsed).filter(kept.tolist()),
    )


def _groups(rows: SplitRows | DividendRows) -> list[list[int]]:
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
