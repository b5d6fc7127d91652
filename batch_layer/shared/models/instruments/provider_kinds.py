"""The providers that can be asked, and what is known of each by its name."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.given.file_options import SymbolsMean
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
