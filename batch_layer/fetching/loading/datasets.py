"""The data sets: what their rows are, and how these are judged, stored and found again. One entry each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS, DIVIDENDS, SPLITS, RevisionedTable
from condvest.batch_layer.database.stores.identity.instruments import last_instrument
from condvest.batch_layer.fetching import quality
from condvest.batch_layer.fetching.loading.actions import (
    dividend_events_of,
    split_events_of,
    store_dividends,
    store_splits,
)
from condvest.batch_layer.fetching.loading.bars import claimed_sessions, daily_bars_of, store_bars
from condvest.batch_layer.fetching.loading.by_portions.portions import store_portions
from condvest.batch_layer.fetching.loading.homeless import adopt_homeless
from condvest.batch_layer.fetching.loading.listings import follow_renames, store_listings, store_symbols
from condvest.batch_layer.fetching.loading.retelling.renames import store_renames
from condvest.batch_layer.fetching.loading.retelling.retold import give_to_made
from condvest.batch_layer.fetching.loading.taking_back.undoing import store_undo
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.shared.models.bars import Columns, Int32s
from condvest.batch_layer.shared.models.given.payload_rows import (
    BarRows,
    DividendRows,
    InstrumentRows,
    RenameRows,
    Rows,
    SplitRows,
    SymbolRows,
    UndoRows,
)
from condvest.batch_layer.shared.models.given.payloads import DatasetName, Parsed, Payload
from condvest.batch_layer.shared.models.instruments.provider_kinds import IMPORTED_RANK, rank_of
from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.batch_layer.shared.models.sessions import NO_ORDINAL, Sessions


@dataclass(frozen=True)
class StoredAs:
    """How the rows of a data set are stored, for those that are stored row by row.

    Attributes:
        noun: what one of them is called in findings.
        table: where they are, with their revisions.
        of_rows: turns parsed rows, their instruments and their ordinals (int32) into rows of the table.
    """

    noun: str
    table: RevisionedTable[Any]
    of_rows: Callable[[Any, Int32s, Int32s], Columns]


@dataclass(frozen=True)
class Dataset:
    """One data set.

    Attributes:
        rows: what a payload of it is parsed into.
        judge: decides which rows of a payload may be loaded.
        store: stores a group of loads within their transaction; a summary per load, in their order.
        claimed: the ordinals (ascending) that a load speaks of. Consecutive loads of one provider that claim
            no session in common form a group. None: every load is a group of its own, as one in portions is.
        stored_as: how its rows are stored; None where they are taken apart into what they say about
            instruments.
    """

    rows: type[Rows]
    judge: Callable[[Payload, Parsed, Sessions], quality.Verdict]
    store: Callable[[Sequence[PayloadLoad]], list[LoadSummary]]
    claimed: Callable[[PayloadLoad], Int32s] | None = None
    stored_as: StoredAs | None = None


def _judge_bars(payload: Payload, parsed: Parsed, sessions: Sessions) -> quality.Verdict:
    if parsed.portions is not None:  # each is judged when it is stored
        parsed = replace(parsed, portions=None)
    bounds = None
    if payload.first_session and payload.last_session:
        bounds = (payload.first_session, payload.last_session)
    # By the instant of the fetch, so that loading it again from the archive judges as the first load did.
    last_closed = sessions.last_closed(payload.fetched_at)
    return quality.judge_bars(parsed.rows_as(BarRows), parsed.faults, sessions, last_closed, bounds)


def _judge_splits(payload: Payload, parsed: Parsed, sessions: Sessions) -> quality.Verdict:
    return quality.judge_splits(
        parsed.rows_as(SplitRows), parsed.faults, sessions, may_take_back=_is_a_persons(payload)
    )


def _judge_dividends(payload: Payload, parsed: Parsed, sessions: Sessions) -> quality.Verdict:
    return quality.judge_dividends(
        parsed.rows_as(DividendRows), parsed.faults, sessions, may_take_back=_is_a_persons(payload)
    )


def _is_a_persons(payload: Payload) -> bool:
    """Return whether a person imported it: a zero of theirs takes back, one of a vendor is a fault."""
    return rank_of(payload.provider) >= IMPORTED_RANK


def _judge_listings(_: Payload, parsed: Parsed, __: Sessions) -> quality.Verdict:
    return quality.judge_listings(parsed.rows_as(InstrumentRows), parsed.faults)


def _judge_symbols(_: Payload, parsed: Parsed, __: Sessions) -> quality.Verdict:
    return quality.judge_listings(parsed.rows_as(SymbolRows), parsed.faults)


def _judge_renames(_: Payload, parsed: Parsed, sessions: Sessions) -> quality.Verdict:
    return quality.judge_renames(parsed.rows_as(RenameRows), parsed.faults, sessions)


def _judge_undo(_: Payload, parsed: Parsed, __: Sessions) -> quality.Verdict:
    count = len(parsed.rows)
    ordinal = np.full(count, NO_ORDINAL, dtype=np.int32)
    return quality.Verdict(np.ones(count, dtype=bool), np.zeros(count, dtype=np.int8), {}, 0, ordinal)


def _store_bars(loads: Sequence[PayloadLoad]) -> list[LoadSummary]:
    if loads[0].parsed.portions is not None:
        return [store_portions(loads[0], _judge_bars)]
    return store_bars(loads)


def _each(
    store: Callable[[PayloadLoad], LoadSummary],
) -> Callable[[Sequence[PayloadLoad]], list[LoadSummary]]:
    return lambda loads: [store(load) for load in loads]


DATASETS: Mapping[DatasetName, Dataset] = {
    "daily_bars": Dataset(
        BarRows, _judge_bars, _store_bars, claimed_sessions, StoredAs("daily_bar", DAILY_BARS, daily_bars_of)
    ),
    "splits": Dataset(
        SplitRows, _judge_splits, _each(store_splits), None, StoredAs("split", SPLITS, split_events_of)
    ),
    "dividends": Dataset(
        DividendRows,
        _judge_dividends,
        _each(store_dividends),
        None,
        StoredAs("dividend", DIVIDENDS, dividend_events_of),
    ),
    "instruments": Dataset(InstrumentRows, _judge_listings, _each(store_listings)),
    "symbols": Dataset(SymbolRows, _judge_symbols, _each(store_symbols)),
    "undo": Dataset(UndoRows, _judge_undo, _each(store_undo)),
    "renames": Dataset(RenameRows, _judge_renames, _each(store_renames)),
}
"""Every data set by its name."""


def store_all(loads: Iterable[PayloadLoad]) -> list[LoadSummary]:
    """Store payloads as if one after the other; return a summary per load, in their order."""
    summaries = []
    for group in _groups(loads):
        dataset, connection = group[0].parsed.dataset, group[0].connection
        last_before = last_instrument(connection) if dataset == "daily_bars" else 0
        stored = DATASETS[dataset].store(group)
        summaries += stored
        if dataset == "daily_bars" and any(summary.inserted for summary in stored):
            give_to_made(group[0], last_before)
            follow_renames(group[0])
        # Whatever brings an instrument may bring the one that an earlier split or dividend waits for.
        # Statements are laid over all symbols once more, be they new or not.
        may_bring = dataset == "renames" or any(summary.altered for summary in stored)
        if may_bring and dataset not in ("splits", "dividends"):
            adopt_homeless(group[0])
    return summaries


def _groups(loads: Iterable[PayloadLoad]) -> Iterator[list[PayloadLoad]]:
    """Yield consecutive loads that can be stored together; see `Dataset.claimed`.

    Daily bars of sessions 1 and 2, splits, and daily bars of sessions 3, 4 and 3 again make four groups:
    bars 1 and 2; splits; bars 3 and 4; bars 3.
    """
    group: list[PayloadLoad] = []
    claimed_by_group: set[int] = set()
    for load in loads:
        claimed_by = DATASETS[load.parsed.dataset].claimed
        in_portions = load.parsed.portions is not None
        claimed = None if claimed_by is None or in_portions else set(claimed_by(load).tolist())
        if group and (claimed is None or claimed & claimed_by_group or not _alike(load, group[0])):
            yield group
            group, claimed_by_group = [], set()
        group.append(load)
        if claimed is None:
            yield group
            group = []
        else:
            claimed_by_group |= claimed
    if group:
        yield group


def _alike(load: PayloadLoad, other: PayloadLoad) -> bool:
    return (load.provider_id, load.parsed.dataset) == (other.provider_id, other.parsed.dataset)
