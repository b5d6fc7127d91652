"""Store the payloads of a transaction, each by what it holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from batch_layer.fetching.loading.actions import store_dividends, store_splits
from batch_layer.fetching.loading.bars import sessions_of, store_bars
from batch_layer.fetching.loading.listings import store_listings, store_symbols
from batch_layer.fetching.loading.transaction import PayloadLoad
from batch_layer.shared.models.loads import LoadSummary
from batch_layer.shared.models.payloads import BarRows, DividendRows, InstrumentRows, SplitRows


def store_all(storings: Iterable[PayloadLoad]) -> list[LoadSummary]:
    """Store payloads as one after the other, and return what came of each, in their order."""
    return [summary for group in _groups(storings) for summary in _stored(group)]


def _groups(storings: Iterable[PayloadLoad]) -> Iterator[list[PayloadLoad]]:
    """Yield together what can be stored together: daily bars of one provider, no two of one session."""
    group: list[PayloadLoad] = []
    taken: set[int] = set()
    for storing in storings:
        sessions = set(sessions_of(storing).tolist()) if isinstance(storing.parsed.rows, BarRows) else None
        if group and (sessions is None or sessions & taken or storing.provider_id != group[0].provider_id):
            yield group
            group, taken = [], set()
        group.append(storing)
        if sessions is None:
            yield group
            group = []
        else:
            taken |= sessions
    if group:
        yield group


def _stored(group: list[PayloadLoad]) -> list[LoadSummary]:
    rows = group[0].parsed.rows
    if isinstance(rows, BarRows):
        return store_bars(group)
    (storing,) = group
    if isinstance(rows, SplitRows):
        return [store_splits(storing, rows)]
    if isinstance(rows, DividendRows):
        return [store_dividends(storing, rows)]
    if isinstance(rows, InstrumentRows):
        return [store_listings(storing, rows)]
    return [store_symbols(storing, rows)]
