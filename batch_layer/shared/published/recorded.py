"""What a manifest says for the next publication alone: which parts it need not look at. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CHECK_EVERY = 30
"""So many versions after one whose rows and kept files were all looked at, they are looked at again."""


@dataclass(frozen=True)
class Recorded:
    """What stands for all that was stored until a version was made; empty in those of early Condvests.

    Attributes:
        states: of each data set the state of each part, see `Touched.states`, by the first part of each run
            of equal ones.
        calendar: by year what stands for its dates, see `calendar_states`.
        reference: what stands for all small data sets, see `reference_state`; "" if nothing does.
        unchecked: versions since the last one whose rows and kept files were all looked at; 0 if this
            one's were.
    """

    states: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    calendar: Mapping[str, str] = field(default_factory=dict)
    reference: str = ""
    unchecked: int = 0

    def document(self) -> dict[str, Any]:
        """Return it as a part of a manifest's JSON; nothing if it is empty."""
        return vars(self) if self.states else {}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Recorded:
        """Return what `document` made, out of a whole manifest.

        Raises:
            ValueError, TypeError, AttributeError: it is damaged.
        """
        unchecked = document.get("unchecked", 0)
        if type(unchecked) is not int or unchecked < 0:
            raise ValueError(f"{unchecked!r} is no count")
        states = document.get("states", {})
        return cls(
            {dataset: _texts(years) for dataset, years in states.items()},
            _texts(document.get("calendar", {})),
            str(document.get("reference", "")),
            unchecked,
        )

    def says_the_same(self, other: Recorded) -> bool:
        """Return whether the other stands for the same bars; of the small data sets their files tell."""
        return (self.states, self.calendar) == (other.states, other.calendar)


def _texts(document: Mapping[object, object]) -> dict[str, str]:
    return {str(name): str(value) for name, value in document.items()}
