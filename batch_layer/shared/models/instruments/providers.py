"""The providers of prices: which there are, and what each has to be able to do."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from condvest.batch_layer.shared.errors import CondvestError, TransientError, UsageError
from condvest.batch_layer.shared.models.given.file_options import SymbolsMean
from condvest.batch_layer.shared.models.given.payloads import Fetched
from condvest.batch_layer.shared.models.instruments.spellings import yahoo_symbol


@dataclass(frozen=True)
class ProviderKind:
    """A provider that can be asked. Its client is in `condvest.batch_layer.shared.clients`, under its name.

    Attributes:
        name: as in the ledger and on the command line.
        rank: its bar gives way only to one of a provider of the same or a higher rank.
        needs_symbols: whether it answers by symbol; the others give whole sessions.
        has_files: whether it also publishes its sessions as files.
        goes_on: whether it has new sessions each night.
        names_of_today: the data sets whose symbols its own answers mean as of the day of the fetch.
        keeps_former_names: whether some rows of those are under a symbol that its company has no more.
        named_by: what the name of an answer about one symbol has before the symbol; "" if there is none such.
    """

    name: str
    rank: int
    needs_symbols: bool = False
    has_files: bool = False
    goes_on: bool = True
    names_of_today: frozenset[str] = frozenset()
    keeps_former_names: bool = False
    named_by: str = ""


PROVIDERS: Mapping[str, ProviderKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            # Massive lists an action under the symbol that its company carries now, whatever it was then; but
            # not each of them (issue 253 of polygon-io).
            ProviderKind(
                "massive",
                rank=20,
                has_files=True,
                names_of_today=frozenset({"splits", "dividends"}),
                keeps_former_names=True,
            ),
            ProviderKind("sample", rank=0, goes_on=False),
            ProviderKind(
                "yahoo",
                rank=10,
                needs_symbols=True,
                names_of_today=frozenset({"chart", "daily_bars", "splits", "dividends"}),
                named_by="yahoo/chart/",
            ),
        )
    }
)
"""Every provider that can be asked, by name."""

IMPORTED_RANK = 30
"""The rank of any other name: what a user imports counts more than what a vendor says."""


_OWN_MEDIA = ("json", "json-seq")
"""What services answer in; CSV and Parquet are read alike, whoever wrote them."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")


def checked_name(provider: str) -> str:
    """Return the name of a provider, which names its folder in the archive.

    Raises:
        UsageError: it is none: not 1 to 32 of ``a-z 0-9 . _ -``, the first a letter or a digit.
    """
    if not _NAME.fullmatch(provider):
        raise UsageError(
            f"{provider[:40]!r} cannot be a provider's name: expected 1 to 32 of a-z, 0-9, '.', '_' and '-', "
            "beginning with a letter or a digit, for example stooq or my-vendor"
        )
    return provider


def rank_of(provider: str) -> int:
    """Return the rank of a provider by its name."""
    return PROVIDERS[provider].rank if provider in PROVIDERS else IMPORTED_RANK


def symbols_meant(provider: str, dataset: str, media: str) -> SymbolsMean | None:
    """Return how a payload means its symbols; None if only what was said when it was imported tells.

    Args:
        provider: of the payload.
        dataset: of the payload.
        media: its media, or a key of the archive, which ends with it.
    """
    kind = PROVIDERS.get(provider)
    if kind is None or not media.endswith(_OWN_MEDIA):
        return None
    return "today" if dataset in kind.names_of_today else "date"


def keeps_former_names(provider: str, media: str) -> bool:
    """Return whether a list in names of today may have rows under symbols of then; see `symbols_meant`."""
    kind = PROVIDERS.get(provider)
    return kind is not None and kind.keeps_former_names and media.endswith(_OWN_MEDIA)


def may_name(provider: str, name: str, symbols: Collection[str]) -> bool:
    """Return whether an answer may hold rows of some symbols, by its name.

    Args:
        provider: whose answer it is.
        name: of the answer; ``yahoo/chart/BRK-B`` is about one symbol, however it spells it.
        symbols: the symbols.
    """
    kind = PROVIDERS.get(provider)
    if kind is None or not kind.named_by or not name.startswith(kind.named_by):
        return True
    asked = yahoo_symbol(name.removeprefix(kind.named_by))
    return asked in map(yahoo_symbol, symbols)


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
