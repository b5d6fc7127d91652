"""What is wrong with the values of an answer, by row; pure."""

from __future__ import annotations

from typing import Any

Values = list[Any]
"""One value a row, as JSON gives it; None stands for a key that is absent or null."""

_SHOWN_LENGTH = 40


class Faults(dict[int, str]):
    """What could not be read, by the row's position."""

    def note(self, row: int, what: str) -> None:
        """Add to a row's faults."""
        self[row] = f"{self[row]}; {what}" if row in self else what

    def note_missing(self, values: Values, label: str) -> None:
        """Add ``<label>: missing`` to each row without a value."""
        for row, value in enumerate(values):
            if value is None:
                self.note(row, f"{label}: missing")


def shown(value: object) -> str:
    """Return a value as it stands in a message."""
    return repr(value)[:_SHOWN_LENGTH]
