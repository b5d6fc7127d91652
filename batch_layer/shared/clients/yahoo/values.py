"""Values of a chart answer as columns, with what is wrong with them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.shared.clients.yahoo.chart import date_at
from condvest.batch_layer.shared.models.bars import Floats, Int64s
from condvest.batch_layer.shared.models.given.given_rows import GivenRows

_SHOWN_LENGTH = 40


class Faults:
    """Collects what is wrong with rows."""

    def __init__(self) -> None:
        self.by_row: dict[int, str] = {}

    def add(self, row: int, what: str) -> None:
        """Note what is wrong with a row, beside what is known already."""
        self.by_row[row] = f"{self.by_row[row]}; {what}" if row in self.by_row else what


def numbers(values: Sequence[Any], name: str, faults: Faults) -> Floats:
    """Return JSON values as float64, NaN where null or no number, which is a fault."""
    read = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        plain = number(value)
        if plain is not None:
            read[row] = plain
        elif value is None:
            faults.add(row, f"{name}: missing")
        else:
            faults.add(row, f"{name}: {shown(value)} is not a number")
    return read


def number(value: object) -> float | None:
    """Return a JSON number as a float, infinite where it is too large for one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def shown(value: object) -> str:
    """Return the beginning of a value in quotes, for a message."""
    return repr(str(value)[:_SHOWN_LENGTH])


def dates(events: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.datetime64]:
    """Return the dates of events at the exchange (datetime64[D])."""
    return np.array([date_at(event["date"]) for event in events], dtype="datetime64[D]")


def members(events: Iterable[Mapping[str, Any]], name: str) -> list[Any]:
    """Return a member of each event; None where an event lacks it."""
    return [event.get(name) for event in events]


def lines(events: Sequence[Any]) -> Int64s:
    """Return the numbers of the events, from 1."""
    return np.arange(1, len(events) + 1, dtype=np.int64)


def repeated(symbol: str, count: int) -> npt.NDArray[np.object_]:
    """Return the column of a symbol that all rows have."""
    return np.full(count, symbol, dtype=object)


def events_as_given(symbol: str, events: Sequence[Mapping[str, Any]], *names: str) -> GivenRows:
    """Return the date and the named members of events as they came."""
    return as_given(symbol, {name: members(events, name) for name in ("date", *names)})


def as_given(symbol: str, columns: Mapping[str, Sequence[Any]]) -> GivenRows:
    """Return values as they came, under their names at Yahoo."""
    count = len(next(iter(columns.values())))
    return GivenRows({"symbol": [symbol] * count, **columns}, count)
