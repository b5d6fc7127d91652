"""What each provider of prices has to be able to do, and what it answers with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from condvest.batch_layer.shared.errors import CondvestError, TransientError
from condvest.batch_layer.shared.models.given.payloads import Fetched


@dataclass(frozen=True)
class Unavailable:
    """A session that a provider does not have yet, and its reason; it will be asked for again."""

    session: dt.date
    reason: str


@dataclass(frozen=True)
class Failed:
    """Something that could not be had while the rest could.

    Attributes:
        name: what was asked for: a symbol, an endpoint.
        error: why it failed.
    """

    name: str
    error: CondvestError

    @property
    def may_pass(self) -> bool:
        """Whether asking again may help."""
        return isinstance(self.error, TransientError)


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


Answers = Iterable[Fetched | Unavailable | Failed]
"""What comes of asking, as it comes. What ends the asking is raised: `condvest.batch_layer.shared.errors`."""


@runtime_checkable
class Provider(Protocol):
    """Where daily bars come from.

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

    def fetch(self, sessions: Sequence[dt.date]) -> Answers:
        """Yield the answers that hold the daily bars of ``sessions``, in their order, as they come."""
        ...


@runtime_checkable
class ActionsProvider(Protocol):
    """A provider that has lists of the splits and dividends of all its instruments."""

    def corporate_actions(self, since: dt.date | None = None) -> Answers:
        """Yield the answers that hold splits and dividends, those from an ex-date on (inclusive) or all."""
        ...


@runtime_checkable
class ReferenceProvider(Protocol):
    """A provider that says who is and was listed, and under which symbols."""

    def reference(self) -> Answers:
        """Yield the answers that say which instruments are and were listed."""
        ...

    def details(self, symbols: Sequence[str]) -> Answers:
        """Yield the answers that tell more about the instruments of these symbols."""
        ...

    def renames(self, figis: Sequence[str]) -> Answers:
        """Yield the answers that say which symbols the instruments of these FIGIs took.

        As many of them, the first, as it can well ask for in a night.
        """
        ...


@runtime_checkable
class SymbolProvider(Protocol):
    """A provider that is asked symbol by symbol, each for as long a time as wanted.

    Attributes:
        symbols: the symbols to be asked about, each once.
    """

    symbols: Sequence[str]

    def fetch_since(self, first_of: Mapping[str, dt.date], last: dt.date) -> Answers:
        """Yield the answers that hold each symbol's daily bars from its own first session through ``last``.

        Args:
            first_of: the first session wanted, by symbol; symbols that are not named are not asked about.
            last: the last session wanted, inclusive.
        """
        ...


@runtime_checkable
class FileProvider(Protocol):
    """A provider of files that may be published anew."""

    def published(self, first: dt.date, last: dt.date) -> Mapping[dt.date, tuple[str, str]]:
        """Return name and ETag of the file of each session that has one, from first to last inclusive."""
        ...
