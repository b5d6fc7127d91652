"""Service: hold the daily bars against the archive they came from."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS
from condvest.batch_layer.database.stores.daily.refused import refused_lines
from condvest.batch_layer.database.stores.identity import instruments
from condvest.batch_layer.database.stores.identity.symbols import all_symbols
from condvest.batch_layer.database.stores.loading.loads import ArchivedLoad, archived_loads
from condvest.batch_layer.database.stores.loading.rebuilds import unfinished_rebuild
from condvest.batch_layer.fetching import quality
from condvest.batch_layer.fetching.loading.carriers import carriers_of
from condvest.batch_layer.fetching.loading.datasets import DATASETS
from condvest.batch_layer.fetching.loading.loader import Loader
from condvest.batch_layer.fetching.rebuild import keys_to_load
from condvest.batch_layer.shared.clients.archive import order_instant_of
from condvest.batch_layer.shared.errors import CondvestError, UsageError
from condvest.batch_layer.shared.models.bars import Columns, Int32s
from condvest.batch_layer.shared.models.difference import difference
from condvest.batch_layer.shared.models.given.payload_rows import DividendRows, SplitRows
from condvest.batch_layer.shared.models.given.payloads import Payload
from condvest.batch_layer.shared.models.spans import Spans
from condvest.batch_layer.shared.models.undo import is_undo

NO_REACH = (0, -1)
"""Of a load that no row came with."""


@dataclass(frozen=True)
class Finding:
    """A difference between what is stored and what should be.

    Attributes:
        what: ``archive`` (a payload is missing or damaged), ``daily_bar``, ``split``, ``dividend``, ``bar``,
            ``published`` (a file).
        symbol, where: which one: its symbol, and its session, ex-date, interval and window, or the path of
            the file; "" for a payload.
        problem: what is wrong, in one sentence.
    """

    what: str
    symbol: str
    where: str
    problem: str


def check_archive(loader: Loader, sample: int | None, seed: int) -> Iterator[Finding]:
    """Yield what differs between what is stored and the payloads it came from, each difference once.

    That is, of daily bars, splits and dividends, current and superseded: one that no row of its payload
    gives, one that its payload gives otherwise, one that a payload gave and that is not there, one that
    comes from no load. Every payload that the archive has no more, or damaged. Every load that a rebuild
    would put in another place, for a wrong clock. And a rebuild that was stopped, with the payloads that wait
    for it.

    Args:
        loader: of the database and its archive; stores nothing.
        sample: how many loads to look at, chosen at random; all if None.
        seed: makes the choice repeatable.
    """
    yield from _unfinished(loader)
    with loader.database.transaction(read_only=True) as connection:
        loads = archived_loads(connection)
        reaches: dict[str, dict[int, tuple[int, int]]] = {}
        for name, dataset in DATASETS.items():
            if dataset.stored_as is None:
                continue
            reaches[name] = dataset.stored_as.table.reaches_of_loads(connection)
            for load_id, rows in dataset.stored_as.table.of_no_load(connection, name):
                yield Finding(
                    dataset.stored_as.noun,
                    "",
                    "",
                    f"{rows:,} rows come from load {load_id}, which gave none of them",
                )
    yield from _in_another_order(loads)
    named = set()
    for load in _chosen(loads, sample, seed):
        try:
            # One that is lost is missed by every load that gave it.
            reach = reaches.get(load.dataset, {}).get(load.load_id, NO_REACH)
            for finding in _check_load(loader, load, reach):
                if finding not in named:
                    named.add(finding)
                    yield finding
        except CondvestError as error:
            yield Finding("archive", "", "", f"load {load.load_id}: {error}")


def without_load(loader: Loader) -> list[str]:
    """Return the keys of the archive that no load is of, in their order.

    Most are no fault: an answer that says nothing new is archived and not loaded, nor is one that cannot be
    read.
    """
    with loader.database.transaction(read_only=True) as connection:
        loaded = {load.archive_key for load in archived_loads(connection)}
    archived = loader.archive.keys()
    return [key for key in archived if key not in loaded]


def _unfinished(loader: Loader) -> Iterator[Finding]:
    with loader.database.transaction(read_only=True) as connection:
        stopped = unfinished_rebuild(connection)
    if stopped is None:
        return
    said = f"the rebuild that began at {stopped.began} has not ended; {stopped.to_do}"
    yield Finding("archive", "", "", said)
    try:
        waiting = without_load(loader) if stopped.is_mixed else keys_to_load(loader)
    except UsageError:  # the archive is another one, or empty: each load without its payload is named below
        return
    for key in waiting:
        yield Finding("archive", "", "", f"{key} has no load: the rebuild did not come so far")


def _in_another_order(loads: Sequence[ArchivedLoad]) -> Iterator[Finding]:
    """Yield the loads whose payloads the archive has before one that was loaded before them.

    If that one also seems to have been fetched after they were loaded, a clock was wrong. Otherwise its event
    came first: on AWS a rebuild is meant to follow the fetches.
    """
    newest: ArchivedLoad | None = None
    for load in loads:
        if (
            newest is not None
            and _order_instant(load) < _order_instant(newest)
            and load.loaded_at < _order_instant(newest)
        ):
            yield Finding(
                "archive",
                "",
                "",
                f"load {load.load_id} ({load.archive_key}) came after load {newest.load_id} "
                f"({newest.archive_key}), but lies before it in the archive, for a clock that was wrong: a "
                f"rebuild loads it before that one; after a rebuild, import {load.name} or fetch it again",
            )
        if newest is None or _order_instant(load) > _order_instant(newest):
            newest = load


def _order_instant(load: ArchivedLoad) -> dt.datetime:
    return order_instant_of(load.archive_key) or load.fetched_at


def _chosen(loads: Sequence[ArchivedLoad], sample: int | None, seed: int) -> Sequence[ArchivedLoad]:
    if sample is None or sample >= len(loads):
        return loads
    places = random.Random(seed).sample(range(len(loads)), sample)  # noqa: S311  # a sample, not a secret
    return [loads[number] for number in sorted(places)]


def _check_description(load: ArchivedLoad, payload: Payload) -> Iterator[Finding]:
    for what in ("provider", "name", "digest", "fetched_at"):
        then, now = getattr(load, what), getattr(payload, what)
        if then != now:
            yield Finding(
                "archive",
                "",
                "",
                f"load {load.load_id}: {load.archive_key} is described with {what} {now}, "
                f"it was loaded with {then}; restore its description from a backup",
            )


def _check_load(loader: Loader, load: ArchivedLoad, reach: tuple[int, int]) -> Iterator[Finding]:
    judged = loader.read_archived_whole(load.archive_key)
    if is_undo(load.archive_key):
        return  # its rows are those of other payloads, which are held against what is stored themselves
    yield from _check_description(load, judged.payload)
    judged = judged.table(load.dataset) or judged
    stored_as = DATASETS[judged.parsed.dataset].stored_as
    if stored_as is None:
        return
    table, noun = stored_as.table, stored_as.noun
    with loader.database.transaction(snapshot=True, read_only=True) as connection:
        # What it refused by rules of its time, or because of what was stored then, is no lack, though it
        # passes when it is judged by itself today.
        refused = refused_lines(connection, load.load_id)
        passed = judged.verdict.passed & ~np.isin(judged.parsed.rows.line, refused)
        given_rows = judged.parsed.rows
        if isinstance(given_rows, SplitRows | DividendRows):
            passed &= ~quality.takes_back(given_rows)  # they store nothing
        rows = given_rows.take(passed)
        ids = carriers_of(connection, judged.payload, judged.parsed, passed)
        names = all_symbols(connection)
        stored = table.of_load(connection, load.load_id, reach)
        given = stored_as.of_rows(rows, ids, judged.verdict.ordinal[passed])
        ids, number = _keys(given)
        # Whatever a load gives is known when it has been stored, whichever load it came with.
        then = table.read(connection, Spans.of_points(ids, number), known_by=load.load_id)

    def findings(wrong: Columns, problem: str) -> Iterator[Finding]:
        for instrument_id, key in zip(*(column.tolist() for column in _keys(wrong)), strict=True):
            date = np.datetime64(key, "D")
            if table is DAILY_BARS:
                date = loader.sessions.dates_of(np.array([key]))[0]
            symbol = names.get(instrument_id, str(instrument_id))
            yield Finding(noun, symbol, str(date), problem)

    differences = difference(stored, given)
    is_known = ids != instruments.NO_INSTRUMENT
    lost = given.take(difference(then, given).inserted & is_known)
    yield from findings(stored.take(differences.gone), f"is in no row of its payload {load.archive_key}")
    yield from findings(
        stored.take(differences.replaced[differences.changed]), f"differs from its payload {load.archive_key}"
    )
    yield from findings(lost, "is not there, though a payload gave it")
    if not is_known.all():
        count = np.count_nonzero(~is_known)
        yield Finding(noun, "", "", f"{count:,} rows of {load.archive_key} are of no instrument now")
    if len(stored) not in (load.stored, load.stored - len(lost)):
        counts = f"stored {load.stored:,} rows, {len(stored):,} are there"
        yield Finding(noun, "", "", f"load {load.load_id} ({load.archive_key}) {counts}")


def _keys(rows: Columns) -> tuple[Int32s, Int32s]:
    """Return the instruments and the numbers (ordinals, or days since 1970-01-01) that are the rows' keys."""
    instrument_id, number = (getattr(rows, field.name) for field in fields(rows)[:2])
    return instrument_id, number.astype(np.int32)
