"""The symbols that a provider is asked about one by one: by a person's word, and by its refusals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from condvest.batch_layer.database.stores.identity.symbols import latest_carriers, symbols_by_instrument
from condvest.batch_layer.database.stores.identity.watched import forget_watched, read_watched, write_watched
from condvest.batch_layer.fetching.fetch import FetchReport
from condvest.batch_layer.fetching.watching import NightlySymbols, set_aside, symbols_of_night
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.errors import SymbolGone, UsageError
from condvest.batch_layer.shared.models.instruments.provider_kinds import PROVIDERS
from condvest.batch_layer.shared.models.instruments.watched import Watched
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE


@dataclass(frozen=True)
class ListedSymbol:
    """A symbol of the list.

    Attributes:
        symbol: the symbol.
        state: ``watched``: asked about every night; ``left_out``; ``set_aside``: asked about seldom.
        next_ask: when one that is set aside is asked about again; None otherwise.
        note: why it is set aside; "" otherwise.
    """

    symbol: str
    state: str
    next_ask: dt.date | None
    note: str


def is_by_symbol(provider: str) -> bool:
    """Return whether a provider is asked symbol by symbol."""
    return provider in PROVIDERS and PROVIDERS[provider].needs_symbols


def listed(workspace: Workspace, provider: str) -> list[ListedSymbol]:
    """Return the symbols of a provider's list, those that are left out or set aside too, ascending.

    Raises:
        UsageError: the provider is asked for whole sessions, not for symbols.
    """
    supplied, watched = _known(workspace, provider)
    every = sorted({*supplied, *watched})
    return [
        ListedSymbol(symbol, said.state, said.next_ask, said.note)
        if (said := watched.get(symbol))
        else ListedSymbol(symbol, "watched", None, "")
        for symbol in every
    ]


def add(workspace: Workspace, provider: str, symbols: Sequence[str]) -> list[str]:
    """Let a provider be asked about symbols every night; return them as Condvest spells them.

    The next night asks for the whole history of those that are new.

    Raises:
        UsageError: the provider is asked for whole sessions, or something cannot be a symbol.
    """
    spelt = _spelt(symbols)
    supplied, _ = _known(workspace, provider)
    with workspace.database.transaction() as connection:
        forget_watched(connection, provider, [symbol for symbol in spelt if symbol in supplied])
        new = [symbol for symbol in spelt if symbol not in supplied]
        write_watched(
            connection, provider, [Watched(symbol, "watched", workspace.now, 0, None, "") for symbol in new]
        )
    return spelt


def leave_out(workspace: Workspace, provider: str, symbols: Sequence[str]) -> list[str]:
    """Let a provider be asked about symbols no more; what it gave stays. Return them as Condvest spells them.

    Raises:
        UsageError: the provider is asked for whole sessions, or a symbol is not on its list.
    """
    spelt = _spelt(symbols)
    supplied, watched = _known(workspace, provider)
    unknown = [symbol for symbol in spelt if symbol not in supplied and symbol not in watched]
    if unknown:
        raise UsageError(
            f"{provider} is not asked about {', '.join(unknown)}; condvest watch list shows whom it is"
        )
    with workspace.database.transaction() as connection:
        forget_watched(connection, provider, [symbol for symbol in spelt if symbol not in supplied])
        known = [symbol for symbol in spelt if symbol in supplied]
        left = [Watched(symbol, "left_out", workspace.now, 0, None, "") for symbol in known]
        write_watched(connection, provider, left)
    return spelt


def named(workspace: Workspace, provider: str, symbols: Sequence[str]) -> list[str]:
    """Return symbols as Condvest spells them, or those of the list that are asked about every night.

    Raises:
        UsageError: the provider is asked for whole sessions, or something cannot be a symbol.
    """
    if symbols:
        return _spelt(symbols)
    return [each.symbol for each in listed(workspace, provider) if each.state == "watched"]


def night(workspace: Workspace, provider: str, symbols: Sequence[str]) -> NightlySymbols:
    """Return whom a night asks about: the symbols named, or else those of the list.

    Raises:
        UsageError: nobody is named, and the list is empty.
    """
    if not is_by_symbol(provider):
        return NightlySymbols(list(symbols), [])
    supplied, watched = _known(workspace, provider)
    if symbols:
        spelt = _spelt(symbols)
        known = [symbol for symbol in spelt if symbol in supplied and symbol not in watched]
        return NightlySymbols(known, [symbol for symbol in spelt if symbol not in known])
    if not supplied and not watched:
        raise UsageError(
            "Yahoo needs symbols: pass --symbols AAPL,MSFT or --symbols-file FILE, or add them to its list: "
            "condvest watch add AAPL MSFT"
        )
    watched = _without_renamed(workspace, supplied, watched)
    return symbols_of_night(supplied, watched, _today(workspace))


def settle_night(
    workspace: Workspace, provider: str, asked: NightlySymbols, fetched: FetchReport
) -> list[str]:
    """Set aside the symbols of which a provider has nothing any more; return a sentence for each.

    They are no failures of the night then. One that was set aside and was answered is asked about every night
    again.
    """
    if not is_by_symbol(provider):
        return []
    supplied, watched = _known(workspace, provider)
    refused = {each.name: str(each.error) for each in fetched.failed if isinstance(each.error, SymbolGone)}
    every = [*asked.usual, *asked.whole]
    aside = set_aside(refused, every, supplied, watched, workspace.now, _today(workspace))
    failed = {each.name for each in fetched.failed}
    back = [symbol for symbol in every if symbol in watched and symbol in supplied and symbol not in failed]
    with workspace.database.transaction() as connection:
        write_watched(connection, provider, aside)
        forget_watched(connection, provider, back)
    gone = {each.symbol for each in aside}
    fetched.failed[:] = [each for each in fetched.failed if each.name not in gone]
    return [
        f"{each.note}; it is set aside and asked about again on {each.next_ask} "
        f"(condvest watch remove {each.symbol} ends that)"
        for each in aside
    ]


def _known(workspace: Workspace, provider: str) -> tuple[set[str], dict[str, Watched]]:
    if not is_by_symbol(provider):
        raise UsageError(f"{provider} gives whole sessions, and is not asked about symbols")
    with workspace.database.transaction(read_only=True) as connection:
        watched = read_watched(connection, provider)
    return set(workspace.supplied_symbols(provider)), watched


def _without_renamed(
    workspace: Workspace, supplied: Collection[str], watched: Mapping[str, Watched]
) -> dict[str, Watched]:
    """Return what is said of symbols, without those set aside whose company carries another one by now.

    That one is asked about. What a provider would say of the former symbol is of whoever took it since, whose
    past would lie under the dates on which the company before it carried the symbol.
    """
    aside = [each.symbol for each in watched.values() if each.state == "set_aside"]
    aside = [symbol for symbol in aside if symbol not in supplied]
    if not aside:
        return dict(watched)
    with workspace.database.transaction(read_only=True) as connection:
        carriers = latest_carriers(connection, aside)
        names = symbols_by_instrument(connection, np.array(sorted(carriers.values()), dtype=np.int32))
    renamed = {symbol for symbol, carrier in carriers.items() if names.get(carrier, symbol) != symbol}
    return {symbol: said for symbol, said in watched.items() if symbol not in renamed}


def _spelt(symbols: Sequence[str]) -> list[str]:
    # Imported here: no other provider needs Yahoo's spelling.
    from condvest.batch_layer.shared.clients.yahoo.symbols import house_symbol, is_symbol, yahoo_symbol  # noqa: PLC0415

    junk = [symbol for symbol in symbols if not is_symbol(symbol)]
    if junk:
        raise UsageError(f"{junk[0]!r} is no symbol; Yahoo is asked for symbols such as AAPL or BRK.B")
    return list(dict.fromkeys(house_symbol(yahoo_symbol(symbol)) for symbol in symbols))


def _today(workspace: Workspace) -> dt.date:
    return workspace.now.astimezone(EXCHANGE_ZONE).date()
