"""Take loads back, or all rows of an instrument; what was known before stays known as of before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.identity.instruments import NO_INSTRUMENT, instruments_of
from condvest.batch_layer.database.stores.loading import loads, undone
from condvest.batch_layer.database.stores.loading.undone import StoredLoad
from condvest.batch_layer.fetching.loading.retelling.answers import TABLES, answer_of
from condvest.batch_layer.fetching.loading.retelling.reach import dates_of_keys, is_undated, may_concern
from condvest.batch_layer.fetching.loading.retelling.replay import replayed
from condvest.batch_layer.fetching.loading.taking_back.undone_sessions import Undoing, leave_ledger
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.shared.models.bars import Bools, Columns, DailyBars, Int32s, Int64s
from condvest.batch_layer.shared.models.corporate_actions import SplitEvents
from condvest.batch_layer.shared.models.difference import difference, keys_of, unpack
from condvest.batch_layer.shared.models.given.payload_rows import UndoRows
from condvest.batch_layer.shared.models.given.payloads import DatasetName
from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.batch_layer.shared.models.spans import Spans

_EVERY_NUMBER = (-(2**31), 2**31 - 1)


def store_undo(load: PayloadLoad) -> LoadSummary:
    """Carry out an undo in the transaction of its load; doing it again changes nothing.

    Each row that came with a load which is taken back gives way to what the other loads say of it (see
    `replay`), or is withdrawn. It stays among the revisions, so answers as of before are as they were. A
    session that no other load of the provider speaks of leaves the ledger, so it counts as missing. Nothing
    keeps rows from coming again: a file may be imported again, and a vendor that gives a row again is
    believed.

    For example, load 5 of a file gave AAPL's session 99 a close of 99 in the place of Yahoo's 10 (load 2),
    and session 100 a close of 98, which nobody else gave:

        ======= ============== ==========================================
        session before         after, by the loads 6 (file) and 7 (yahoo)
        ======= ============== ==========================================
        99      99, load 5     10, load 7, of Yahoo, and gives way as such
        100     98, load 5     withdrawn by load 6
        ======= ============== ==========================================
    """
    undoing = _begun(load)
    if not undoing.targets and not len(undoing.removed):
        return load.summary
    main = _recorded(
        undoing, undoing.targets[0].dataset if undoing.targets else "daily_bars", load.provider_id
    )
    seen: dict[int, Int32s] = {}
    for dataset in TABLES:
        for provider, ids in _take_back(undoing, dataset).items():
            seen[provider] = np.union1d(seen.get(provider, ids[:0]), ids).astype(np.int32)
    undone.taking_back(load.connection, undoing.target_ids, main)
    notices = leave_ledger(undoing, main, seen)
    _count(undoing)
    counts = undoing.counts
    return replace(
        load.summary,
        rows=0,
        inserted=counts["inserted"],
        changed=counts["changed"],
        withdrawn=counts["withdrawn"],
        notices=notices,
    )


def _begun(load: PayloadLoad) -> Undoing:
    rows = load.parsed.rows_as(UndoRows)
    keys = {key for key in rows.archive_key.tolist() if key}
    counting = undone.loads_that_count(load.connection)
    named = rows.symbol != ""
    removed = instruments_of(load.connection, rows.symbol[named], rows.date[named])
    return Undoing(
        load,
        targets=[each for each in counting if each.archive_key in keys],
        removed=removed[removed != NO_INSTRUMENT],
        others=[each for each in counting if each.archive_key not in keys],
    )


def _recorded(undoing: Undoing, dataset: str, provider_id: int) -> int:
    """Return the load by which a provider's word comes into force; recorded at its first use."""
    key = (dataset, provider_id)
    if key not in undoing.recorded:
        load = undoing.load
        name: DatasetName = dataset  # type: ignore[assignment]  # one of TABLES
        empty = LoadSummary(load.payload.name, load.payload.provider, dataset)
        undoing.recorded[key] = loads.record_load(
            load.connection,
            replace(load.payload, dataset=name),
            provider_id,
            load.archive_key.result(),
            empty,
            loaded_at=load.known_from,
        )
    return undoing.recorded[key]


def _take_back(undoing: Undoing, dataset: str) -> dict[int, Int32s]:
    """Take back the rows of a data set; return the instruments that others' answers had, by provider."""
    connection, (table, _) = undoing.load.connection, TABLES[dataset]
    targets = [target for target in undoing.targets if target.dataset == dataset]
    if not targets and not len(undoing.removed):
        return {}
    if targets:
        stored, load_id, keys = _affected(undoing, dataset, targets)
    else:
        stored, load_id = undone.rows_of_instruments(connection, table, undoing.removed)
        keys = keys_of(stored)
    others = [] if len(undoing.removed) else undoing.others
    now = replayed(undoing.load, dataset, keys, others)
    compared = difference(stored, now.rows)
    givers, _ = loads.ranks_of_loads(connection, load_id)
    replaced: Int64s = compared.replaced
    is_stored = replaced >= 0
    same = np.zeros(len(now.rows), dtype=bool)
    same[is_stored] = ~compared.changed[is_stored] & (
        givers[replaced[is_stored]] == now.provider_id[is_stored]
    )
    for provider in np.unique(now.provider_id[~same]).tolist():
        own = (now.provider_id == provider) & ~same
        by = _recorded(undoing, dataset, provider)
        old = replaced[own & is_stored]
        new = now.rows.take(own & is_stored)
        table.supersede(connection, stored.take(old), load_id[old], new, by)
        table.insert(connection, now.rows.take(own & ~is_stored), by)
    gone = compared.gone
    if gone.any():
        by = _recorded(undoing, dataset, undoing.load.provider_id)
        table.supersede(connection, stored.take(gone), load_id[gone], stored.take(slice(0)), by)
    undoing.counts.update(
        withdrawn=int(gone.sum()),
        changed=int((~same & is_stored).sum()),
        inserted=int((~same & ~is_stored).sum()),
    )
    _record_changes(undoing, stored, now.rows, _altered(stored, replaced[same]), ~same)
    return now.seen if dataset == "daily_bars" else {}


def _affected(undoing: Undoing, dataset: str, targets: Sequence[StoredLoad]) -> tuple[Any, Int32s, Int64s]:
    """Return the rows that targets gave, by key, the load of each, and their keys with those they withdrew.

    Where an earlier undo left a word of theirs in force, the row came with it, or with what it took back.
    """
    connection, (table, _) = undoing.load.connection, TABLES[dataset]
    ids, reach = [target.load_id for target in targets], _reach(undoing, dataset)
    stored, load_id = undone.rows_of_loads(connection, table, ids, reach)
    keys = np.union1d(keys_of(stored), undone.withdrawn_by(connection, table, ids))
    earlier = undone.with_words_of_others(connection, dataset)
    if not earlier:
        return stored, load_id, keys
    theirs, their_load_id = undone.rows_of_loads(connection, table, earlier, reach)
    withdrawn = undone.withdrawn_by(connection, table, earlier)
    spoken = _spoken_of(undoing, dataset, targets, np.union1d(keys_of(theirs), withdrawn))
    chosen = np.isin(keys_of(theirs), spoken)
    together = type(stored).concat([stored, theirs.take(chosen)])
    order = np.argsort(keys_of(together), kind="stable")
    load_id = np.concatenate([load_id, their_load_id[chosen]])[order]
    return together.take(order), load_id, np.union1d(keys, spoken)


def _spoken_of(undoing: Undoing, dataset: str, targets: Sequence[StoredLoad], keys: Int64s) -> Int64s:
    """Return those of some keys (ascending) of which targets say something, be it by leaving them out."""
    if not len(keys):
        return keys
    _, date = np.unique(unpack(keys)[1], return_inverse=True)
    dates = dates_of_keys(undoing.load, dataset, keys)
    is_spoken = np.zeros(len(keys), dtype=bool)
    for target in targets:
        answer = answer_of(undoing.load, dataset, keys, target)
        if answer is None:
            continue
        is_spoken |= np.isin(keys, answer.lines.key)
        if not is_undated(target.archive_key):
            within = [may_concern(target.archive_key, dataset, [each]) for each in dates]
            is_spoken |= np.array(within, dtype=bool)[date]
    return keys[is_spoken]


def _reach(undoing: Undoing, dataset: str) -> tuple[int, int]:
    """Return between which ordinals the daily bars of the targets lie: no table need be read whole."""
    if dataset != "daily_bars":
        return _EVERY_NUMBER
    tables = [undoing.load.read(target.archive_key).table(dataset) for target in undoing.targets]
    ordinals = [table.verdict.ordinal[table.verdict.passed] for table in tables if table is not None]
    every = np.concatenate(ordinals) if ordinals else np.zeros(0, dtype=np.int32)
    return (int(every.min()), int(every.max())) if len(every) else (0, -1)


def _altered(stored: Columns, untouched: Int64s) -> Bools:
    altered = np.ones(len(stored), dtype=bool)
    altered[untouched] = False
    return altered


def _record_changes(undoing: Undoing, stored: Columns, now: Columns, old: Bools, new: Bools) -> None:
    rows = type(stored).concat([stored.take(old), now.take(new)])
    if isinstance(rows, DailyBars):
        spans = Spans.of_points(rows.instrument_id, rows.ordinal)
    elif isinstance(rows, SplitEvents):
        splits = rows.on(undoing.load.sessions)
        last = np.int32(undoing.load.sessions.last_ordinal)
        spans = Spans.of_points(splits.instrument_id, np.minimum(splits.ex_ordinal, last))
    else:
        return  # no stored bar depends on dividends
    if len(spans):
        changes.record_instruments(undoing.load.connection, spans)


def _count(undoing: Undoing) -> None:
    """Write into each load of the undo how many rows it gave and withdrew."""
    for (dataset, _), load_id in undoing.recorded.items():
        table, _of_rows = TABLES[dataset]
        undone.count_rows(undoing.load.connection, table, load_id)
