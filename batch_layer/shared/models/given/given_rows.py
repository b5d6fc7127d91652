"""The rows of a payload as they were given, kept for the record of those that are refused. Pure.

Few rows are ever refused, so values become text only when a row is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, Protocol, Self


class OriginalRows(Protocol):
    """Rows as given, columns of text. A ``pyarrow.Table`` of text is one, too."""

    @property
    def column_names(self) -> Sequence[str]:
        """The names of the columns."""
        ...

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        ...

    def slice(self, offset: int, length: int) -> Self:
        """Return ``length`` rows from ``offset`` on."""
        ...

    def to_pylist(self) -> list[dict[str, Any]]:
        """Return the rows, text by column, None where a value is missing."""
        ...


@dataclass(frozen=True)
class GivenColumn:
    """Values of one column, as they came."""

    values: Sequence[Any]

    def to_pylist(self) -> list[str | None]:
        """Return the values as text; see `as_text`."""
        return [None if value is None else as_text(value) for value in self.values]


@dataclass(frozen=True)
class GivenRows:
    """A `Source` of values as they came.

    Attributes:
        columns: the values by name of column, all columns of one length.
        num_rows: that length.
    """

    columns: Mapping[str, Sequence[Any]]
    num_rows: int

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        return list(self.columns)

    def __getitem__(self, name: str) -> GivenColumn:
        return GivenColumn(self.columns[name])

    def slice(self, offset: int, length: int) -> GivenRows:
        """Return ``length`` rows from ``offset`` on."""
        part = {name: values[offset : offset + length] for name, values in self.columns.items()}
        return GivenRows(part, max(min(length, self.num_rows - offset), 0))

    def filter(self, kept: Sequence[bool]) -> GivenRows:
        """Return the rows for which ``kept`` is true."""
        part = {name: list(compress(values, kept)) for name, values in self.columns.items()}
        return GivenRows(part, sum(map(bool, kept)))

    def to_pylist(self) -> list[dict[str, str | None]]:
        """Return the rows, text by column, None where a value is missing."""
        if not self.columns:  # none of the rows was an object
            return [{} for _ in range(self.num_rows)]
        texts = [self[name].to_pylist() for name in self.columns]
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*texts, strict=True)]

    @classmethod
    def concat(cls, parts: Iterable[GivenRows]) -> GivenRows:
        """Return the rows of all parts, one after the other; a column that a part lacks is missing there."""
        parts = list(parts)
        names = dict.fromkeys(name for part in parts for name in part.columns)
        return cls(
            {
                name: [value for part in parts for value in part.columns.get(name, [None] * part.num_rows)]
                for name in names
            },
            sum(part.num_rows for part in parts),
        )


def as_text(value: object) -> str:
    """Return a value as text: text as it is, anything else as JSON."""
    return unpaired(value) if isinstance(value, str) else json.dumps(value)


def unpaired(text: str) -> str:
    """Return text with each lone surrogate as U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
