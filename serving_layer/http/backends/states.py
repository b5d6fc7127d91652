"""One state of the data, by which answers are told apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from condvest.batch_layer.shared.errors import CondvestError


class NotServed(CondvestError):
    """This server's source cannot answer the question; another one can."""


@dataclass(frozen=True)
class State:
    """One state of the data.

    Attributes:
        version: a text that changes whenever an answer might.
        load: the last load stored; 0 where there is no telling.
        loaded_through: the last session loaded by provider, as ISO dates; told where rows are read.
        published_at: when it was published, an ISO instant; None of a database, and where no rows are read.
    """

    version: str
    load: int
    loaded_through: Mapping[str, str] = field(default_factory=dict, compare=False)
    published_at: str | None = field(default=None, compare=False)

    @property
    def origin(self) -> str:
        """What the version begins with: it tells one database from any other, and from its own former states.

        Loads of one origin are one history. A server that was started again may have been put back to an
        earlier state, whose next loads have numbers that others had.
        """
        return self.version.partition(":")[0]

    def beside(self, digest: str | None) -> State:
        """Return the state of these data and of others that change beside them, by a digest of those."""
        return self if digest is None else replace(self, version=f"{self.version}-{digest}")
