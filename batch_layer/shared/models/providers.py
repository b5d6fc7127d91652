"""What a provider of prices has to be able to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from batch_layer.shared.models.payloads import Payload


@dataclass(frozen=True)
class Unavailable:
    """A session that a provider does not have yet, and its reason; it will be asked for again."""

    session: dt.date
    reason: str


@dataclass(frozen=True)
class Cost:
    """What asking a provider for sessions costs.

    Attributes:
        calls: calls of its API.
        seconds: how long they take at least under the plan's limit.
        megabytes: how much comes over the wire, about.
    """

    calls: int = 0
    seconds: float = 0.0
    megabytes: float = 0.0


class Provider(Protocol):
    """Where daily bars and corporate actions come from.

    Attributes:
        name: as in the ledger.
        corrects: whether its answers for past sessions may change, so that the newest are asked for again.
    """

    name: str
    corrects: bool

    def coverage(self, last_closed: dt.date) -> tuple[dt.date, dt.date]:
        """Return the first and last date (inclusive) whose sessions can be asked for.

        ``last_closed`` is the last session that the exchange has closed.
        """
        ...

    def cost(self, sessions: int) -> Cost:
        """Return what asking for so many sessions costs."""
        ...

    def reference(self) -> Iterable[Payload]:
        """Yield the answers that say which instruments are and were listed; none if it has no such."""
        ...

    def details(self, symbols: Sequence[str]) -> Iterable[Payload]:
        """Yield the answers that tell more about the instruments of these symbols; none if it cannot."""
        ...

    def renames(self, figis: Sequence[str]) -> Iterable[Payload]:
        """Yield the answers that say which symbols the instruments of these FIGIs took.

        As many of them, the first, as it can well ask for in a night.
        """
        ...

    def fetch(self, sessions: Sequence[dt.date]) -> Iterable[Payload | Unavailable]:
        """Yield the answers that hold the daily bars of ``sessions``, in their order, as they come."""
        ...

    def corporate_actions(self, since: dt.date | None = None) -> Iterable[Payload]:
        """Yield the answers that hold splits and dividends, those from an ex-date on (inclusive) or all."""
        ...


@runtime_checkable
class FileProvider(Protocol):
    """A provider of files that may be published anew."""

    def published(self, first: dt.date, last: dt.date) -> Mapping[dt.date, tuple[str, str]]:
        """Return name and ETag of the file of each session that has one, from first to last inclusive."""
        ...
