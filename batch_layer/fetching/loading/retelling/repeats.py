"""Rows that a payload gives twice of one instrument and date, under two of its symbols.

FB became META on 2022-06-09. A file in names of today may have rows of both symbols for 2022-06-01, and both
are of one instrument. If they agree, the first counts; if they differ, neither does, for there is no telling
which of them is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from condvest.batch_layer.fetching.loading.bar_plan import IdentifiedBars
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.shared.models.bars import Bools, Columns, Int64s
from condvest.batch_layer.shared.models.difference import keys_of


def repeated(rows: Columns, keys: Int64s) -> tuple[Bools, Bools]:
    """Return which rows repeat an earlier one of their instrument and date, and which contradict one.

    Args:
        rows: of a payload: line, symbol, date, and values, of which one NaN is as good as another.
        keys: int64, one per row: of what it is; see `pack`.
    """
    is_first, in_conflict = np.ones(len(keys), dtype=bool), np.zeros(len(keys), dtype=bool)
    ascending = np.sort(keys)
    if not (ascending[1:] == ascending[:-1]).any():
        return ~is_first, in_conflict
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    is_first[:] = False
    is_first[first] = True
    differs = np.zeros(len(keys), dtype=bool)
    for field in fields(rows)[3:]:
        column = np.asarray(getattr(rows, field.name))
        other = column[first[group]]
        differs |= (column != other) & ~((column != column) & (other != other))  # noqa: PLR0124  # NaN
    in_conflict = np.isin(group, group[differs])
    return ~is_first & ~in_conflict, in_conflict


def without_repeats(load: PayloadLoad, positions: Int64s, keys: Int64s) -> tuple[PayloadLoad, Bools, Bools]:
    """Return a load without the rows that repeat others, and with those refused that contradict others.

    Args:
        load: of a payload.
        positions: int64, where its rows stand that passed and have an instrument.
        keys: int64, of what each of them is.

    Returns:
        the load; bool, which of those rows are left; bool, which of them contradict others.
    """
    rows = load.parsed.rows
    copies, contradictions = repeated(rows.take(positions), keys)
    passed_over, refused = (np.zeros(len(rows), dtype=bool) for _ in range(2))
    passed_over[positions[copies]] = True
    refused[positions[contradictions]] = True
    load = load.passing_over(passed_over).refusing(
        refused,
        "conflicting_duplicate",
        lambda row: (
            f"{rows.symbol[row]} {rows.dates()[row]}: given more than once, differently, under two symbols "
            "of one instrument"
        ),
    )
    return load, ~(copies | contradictions), contradictions


def without_repeated_bars(
    loads: Sequence[PayloadLoad], identified: Sequence[IdentifiedBars]
) -> tuple[list[PayloadLoad], list[IdentifiedBars]]:
    """Return loads of daily bars, and their bars, each with at most one of an instrument and session."""
    once = [_once_each(load, bars) for load, bars in zip(loads, identified, strict=True)]
    return [load for load, _ in once], [bars for _, bars in once]


def _once_each(load: PayloadLoad, identified: IdentifiedBars) -> tuple[PayloadLoad, IdentifiedBars]:
    keys = keys_of(identified.bars)
    if not (keys[1:] == keys[:-1]).any():
        return load, identified
    load, is_left, contradictions = without_repeats(load, identified.positions, keys)
    return load, replace(
        identified,
        bars=identified.bars.take(is_left),
        positions=identified.positions[is_left],
        refused_keys=np.concatenate([identified.refused_keys, np.unique(keys[contradictions])]),
    )
