"""Lists of records: filters, order and pages as all of Massive's lists have them."""

from __future__ import annotations

import base64
import json
import math
import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from condvest.batch_layer.shared.errors import UsageError
from condvest.serving_layer.compatible.massive.parameters import Parameters, date_of
from condvest.serving_layer.compatible.massive.records import Record

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_LARGEST_ROW = 2**31


@dataclass(frozen=True)
class ListKind:
    """One kind of list.

    Attributes:
        filters: parameters that select, and the record's key that each looks at. Each may carry one of the
            endings ``.gt``, ``.gte``, ``.lt``, ``.lte`` and ``.any_of``.
        default: rows per page unless said.
        most: rows per page at most.
        sort: the key that records are in order of, unless another is asked for; of a list without filters the
            only one, whose direction alone is asked for.
        numbers, dates: the parameters among ``filters`` whose values are numbers, or dates.
    """

    filters: Mapping[str, str]
    default: int
    most: int
    sort: str
    numbers: Collection[str] = ()
    dates: Collection[str] = ()

    @property
    def parameters(self) -> list[str]:
        """The names that may be asked, but for those of one list alone."""
        endings = ("", *(f".{ending}" for ending in (*_COMPARISONS, "any_of")))
        filters = [f"{name}{ending}" for name in self.filters for ending in endings]
        return [*filters, *(["order"] if filters else []), "sort", "limit", "cursor"]


def selected(records: Sequence[Record], asked: Parameters, kind: ListKind) -> list[Record]:
    """Return the records that pass every filter, in the order asked for.

    Text compares by code point, so that ISO dates compare as dates; a record without the key passes none.

    Raises:
        UsageError: an order or a number is none.
    """
    chosen = list(records)
    for name, value in asked.given.items():
        parameter, _, comparison = name.partition(".")
        if parameter in kind.filters:
            given = value.split(",") if comparison == "any_of" else [value]
            passes = _passing(
                kind.filters[parameter], comparison, [_as_kept(name, each, kind) for each in given]
            )
            chosen = [record for record in chosen if passes(record)]
    for key, is_descending in reversed(_order(asked, kind)):
        with_key = [record for record in chosen if key in record]
        without = [record for record in chosen if key not in record]
        chosen = sorted(with_key, key=operator.itemgetter(key), reverse=is_descending) + without
    return chosen


def _passing(key: str, comparison: str, wanted: Sequence[str | float]) -> Callable[[Record], bool]:
    """Return whether a record passes one filter."""
    compare = _COMPARISONS.get(comparison)
    if compare is None:
        return lambda record: key in record and _compared(record[key]) in wanted
    bound = wanted[0]
    return lambda record: key in record and compare(_compared(record[key]), bound)


def _compared(value: object) -> str | float:
    """Return a record's value as it is compared: a number as such, anything else as its text."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, int | float) else str(value)


def _as_kept(name: str, value: str, kind: ListKind) -> str | float:
    """Return a filter's value as `_compared` has those of its key; a misspelt one is refused."""
    parameter = name.partition(".")[0]
    if parameter in kind.numbers:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UsageError(f"{name} {value!r}: expected a number")
        return number
    return date_of(name, value).isoformat() if parameter in kind.dates else value


def _order(asked: Parameters, kind: ListKind) -> list[tuple[str, bool]]:
    """Return keys and whether each descends: ``sort=ticker&order=desc``, or ``sort=execution_date.desc``."""
    if not kind.filters:
        return [(kind.sort, asked.text("sort", ("asc", "desc"), "asc") == "desc")]
    overall = asked.text("order", ("asc", "desc"), "asc")
    keys = []
    for part in asked.given.get("sort", kind.sort).split(","):
        name, _, direction = part.partition(".")
        if name not in kind.filters or direction not in ("", "asc", "desc"):
            raise UsageError(f"sort {part!r}: choose {', '.join(kind.filters)}, each with .asc or .desc")
        keys.append((kind.filters[name], (direction or overall) == "desc"))
    return keys


@dataclass(frozen=True)
class Place:
    """Where a page begins: in which version of the data, and at which row."""

    version: str
    row: int

    def encoded(self) -> str:
        """Return the place as text for a URL; clients must not look into it."""
        return base64.urlsafe_b64encode(json.dumps([self.version, self.row]).encode()).decode().rstrip("=")

    @classmethod
    def decoded(cls, text: str) -> Place:
        """Return the place of a text.

        Raises:
            UsageError: the text is none that this server gave.
        """
        try:
            version, row = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            if isinstance(version, str) and type(row) is int and 0 <= row < _LARGEST_ROW:
                return cls(version, row)
        except (ValueError, TypeError, RecursionError):
            pass  # said below
        raise UsageError("cursor: not one that this server gave; ask for the first page again")
