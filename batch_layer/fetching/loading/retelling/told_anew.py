"""Store what all loads together say of some keys in the place of what is stored under them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.daily.retold import Known, joined, put_known, read_known
from condvest.batch_layer.database.stores.loading import told_loads
from condvest.batch_layer.database.stores.loading.told_loads import ToldLoad
from condvest.batch_layer.fetching.loading.retelling.answers import TABLES
from condvest.batch_layer.fetching.loading.retelling.histories import Histories
from condvest.batch_layer.fetching.loading.retelling.refused_anew import refuse_anew
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.shared.models.bars import DailyBars, Int32s, Int64s
from condvest.batch_layer.shared.models.corporate_actions import SplitEvents
from condvest.batch_layer.shared.models.spans import Spans

_NONE = np.zeros(0, dtype=np.int32)


def told_anew(
    load: PayloadLoad,
    dataset: str,
    keys: Int64s,
    loads: Sequence[ToldLoad],
    *,
    in_the_way: Sequence[Known[Any]] = (),
    losers: Int32s = _NONE,
    homeless: Collection[tuple[str, dt.date]] = (),
) -> None:
    """Store what the loads say of keys, with all that was known before, by who carries which symbol now.

    Bars are recorded for the resampler, loads count what is stored of them, and rows that wait for an
    instrument are refused, or no longer.

    Args:
        load: within the transaction; reads the archive.
        dataset: ``daily_bars``, ``splits`` or ``dividends``.
        keys: int64, ascending, unique; see `pack`.
        loads: all loads that may say something of them, in their order.
        in_the_way: what lay under some of the keys and was removed in this transaction.
        losers: int32, instruments that may be left without bars of some provider.
        homeless: symbol and date of rows that are nobody's now.

    Raises:
        ArchiveError: a payload is missing or damaged.
    """
    table, _ = TABLES[dataset]
    stored = read_known(load.connection, table, keys)
    histories = Histories(load, dataset, keys, loads, joined([stored, *in_the_way]))
    known = histories.known()
    differing = stored.differing(known)
    now, then = known.of_keys(differing), stored.of_keys(differing)
    if len(differing):
        put_known(load.connection, table, differing, then, now)
    if dataset == "daily_bars":
        _supply(load, histories, losers)
    _record_changes(load, then.rows, now.rows)
    stored_more: defaultdict[int, int] = defaultdict(int)
    for part, sign in ((now, 1), (then, -1), *((removed, -1) for removed in in_the_way)):
        for load_id, count in part.rows_by_load().items():
            stored_more[load_id] += sign * count
    refused_more = {
        other.load_id: refuse_anew(load, other, histories, keys, homeless)
        for other in histories.loads
        if other.load_id in histories.answers
    }
    for load_id in sorted(stored_more.keys() | refused_more.keys()):
        if stored_more[load_id] or refused_more.get(load_id):
            told_loads.amend_counts(
                load.connection, load_id, stored_more[load_id], refused_more.get(load_id, 0)
            )


def _supply(load: PayloadLoad, histories: Histories, losers: Int32s) -> None:
    """Record who supplies whom, by the answers that count."""
    seen: set[tuple[int, int]] = set()
    changed = [_NONE]
    for other in histories.loads:
        answer = histories.answers.get(other.load_id)
        if answer is None or other.taken_back_by is not None or not len(answer.rows):
            continue
        ids = np.unique(answer.rows.instrument_id)
        seen |= {(instrument_id, other.provider_id) for instrument_id in ids.tolist()}
        changed.append(told_loads.add_suppliers(load.connection, other.provider_id, ids, other.load_id))
    changed.append(told_loads.drop_suppliers(load.connection, losers, seen))
    ids = np.unique(np.concatenate(changed))
    if len(ids):
        everything = Spans.within(ids, load.sessions.first_ordinal, load.sessions.last_ordinal)
        changes.record_instruments(load.connection, everything)


def _record_changes(load: PayloadLoad, then: Any, now: Any) -> None:  # noqa: ANN401  # rows of any data set
    rows = type(now).concat([then, now])
    if isinstance(rows, DailyBars):
        changes.record_instruments(load.connection, Spans.of_points(rows.instrument_id, rows.ordinal))
    elif isinstance(rows, SplitEvents):
        splits = rows.on(load.sessions)
        last = np.int32(load.sessions.last_ordinal)
        spans = Spans.of_points(splits.instrument_id, np.minimum(splits.ex_ordinal, last))
        changes.record_instruments(load.connection, spans)
