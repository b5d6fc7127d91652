"""Service: hold the daily bars against the archive they came from, and build them anew from it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields

import numpy as np

from batch_layer.database.postgres.revisioned import DAILY_BARS
from batch_layer.database.stores import instruments
from batch_layer.database.stores.loads import ArchivedLoad, archived_loads, refused_lines
from batch_layer.database.stores.symbols import all_symbols
from batch_layer.fetching.loading.carriers import carriers_of
from batch_layer.fetching.loading.datasets import DATASETS
from batch_layer.fetching.loading.loader import MOST_AT_ONCE, JudgedPayload, Loader
from batch_layer.shared.errors import CondvestError, InputError, UsageError
from batch_layer.shared.models.bars import Columns, Int32s
from batch_layer.shared.models.difference import difference
from batch_layer.shared.models.loads import LoadSummary
from batch_layer.shared.models.spans import Spans
from batch_layer.shared.utils.prefetch import prefetch_batches


@dataclass(frozen=True)
class Finding:
    """A difference between what is stored and what should be.

    Attributes:
        what: ``archive`` (a payload is missing or damaged), ``daily_bar``, ``split``, ``dividend``, ``bar``.
        symbol, where: which one: its symbol, and its session, ex-date, or interval and window; "" for
            a payload.
        problem: what is wrong, in one sentence.
    """

    what: str
    symbol: str
    where: str
    problem: str


def rebuild(loader: Loader, on_progress: Callable[[int, int], None] | None = None) -> list[LoadSummary]:
    """Load the whole archive into an empty database, in the order in which its payloads were fetched.

    A payload that could not be read the first time is passed over again: it never was loaded.

    Raises:
        UsageError: the database is not empty, or the archive is.
        ArchiveError: a payload of the archive is damaged.
    """
    with loader.database.transaction(read_only=True) as connection:
        if archived_loads(connection):
            raise UsageError(
                "the database holds loads already; rebuild into an empty one (another CONDVEST_DATABASE_URL)"
            )
    keys = list(loader.archive.keys())
    if not keys:
        raise UsageError("the archive is empty: there is nothing to rebuild from")
    summaries: list[LoadSummary] = []
    with closing(
        prefetch_batches((_read_or_passed_over(loader, key) for key in keys), MOST_AT_ONCE)
    ) as batches:
        for batch in batches:
            summaries += [one for one in batch if isinstance(one, LoadSummary)]
            summaries += loader.load_all([one for one in batch if isinstance(one, JudgedPayload)])
            if on_progress is not None:
                on_progress(len(summaries), len(keys))
    return summaries


def _read_or_passed_over(loader: Loader, key: str) -> JudgedPayload | LoadSummary:
    try:
        return loader.read_archived(key)
    except InputError as error:
        return LoadSummary(key, "", "", notices=(f"passed over: {error}",))


def check_archive(loader: Loader, sample: int | None, seed: int) -> Iterator[Finding]:
    """Yield what differs between what is stored and the payloads it came from, each difference once.

    That is, of daily bars, splits and dividends, current and superseded: one that no row of its payload
    gives, one that its payload gives otherwise, one that a payload gave and that is not there, one that
    comes from no load. And every payload that the archive has no more, or damaged.

    Args:
        loader: of the database and its archive; stores nothing.
        sample: how many loads to look at, chosen at random; all if None.
        seed: makes the choice repeatable.
    """
    with loader.database.transaction(read_only=True) as connection:
        loads = archived_loads(connection)
        for name, dataset in DATASETS.items():
            if dataset.stored_as is None:
                continue
            for load_id, rows in dataset.stored_as.table.of_no_load(connection, name):
                yield Finding(
                    dataset.stored_as.noun,
                    "",
                    "",
                    f"{rows:,} rows come from load {load_id}, which gave none of them",
                )
    named = set()
    for load in _chosen(loads, sample, seed):
        try:
            # One that is lost is missed by every load that gave it.
            for finding in _check_load(loader, load):
                if finding not in named:
                    named.add(finding)
                    yield finding
        except CondvestError as error:
            yield Finding("archive", "", "", f"load {load.load_id}: {error}")


def _chosen(loads: Sequence[ArchivedLoad], sample: int | None, seed: int) -> Sequence[ArchivedLoad]:
    if sample is None or sample >= len(loads):
        return loads
    places = random.Random(seed).sample(range(len(loads)), sample)  # noqa: S311  # a sample, not a secret
    return [loads[place] for place in sorted(places)]


def _check_load(loader: Loader, load: ArchivedLoad) -> Iterator[Finding]:
    judged = loader.read_archived(load.archive_key)
    judged = next(table for table in (judged, *judged.also) if table.parsed.dataset == load.dataset)
    stored_as = DATASETS[judged.parsed.dataset].stored_as
    if stored_as is None:
        return
    table, noun = stored_as.table, stored_as.noun
    with loader.database.transaction(snapshot=True, read_only=True) as connection:
        # What it refused by rules of its time, or because of what was stored then, is no lack, though it
        # passes when it is judged by itself today.
        refused = refused_lines(connection, load.load_id)
        passed = judged.verdict.passed & ~np.isin(judged.parsed.rows.line, refused)
        rows = judged.parsed.rows.take(passed)
        ids = carriers_of(connection, judged.payload, judged.parsed, passed)
        names = all_symbols(connection)
        held = table.of_load(connection, load.load_id)
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

    found = difference(held, given)
    is_known = ids != instruments.NO_INSTRUMENT
    lost = given.take(difference(then, given).inserted & is_known)
    yield from findings(held.take(found.gone), f"is in no row of its payload {load.archive_key}")
    yield from findings(
        held.take(found.replaced[found.changed]), f"differs from its payload {load.archive_key}"
    )
    yield from findings(lost, "is not there, though a payload gave it")
    if not is_known.all():
        count = np.count_nonzero(~is_known)
        yield Finding(noun, "", "", f"{count:,} rows of {load.archive_key} are of no instrument now")
    if len(held) not in (load.stored, load.stored - len(lost)):
        yield Finding(
            noun,
            "",
            "",
            f"load {load.load_id} ({load.archive_key}) stored {load.stored:,} rows, {len(held):,} are there",
        )


def _keys(rows: Columns) -> tuple[Int32s, Int32s]:
    """Return the instruments and the numbers (ordinals, or days since 1970-01-01) that are the rows' keys."""
    instrument_id, number = (getattr(rows, field.name) for field in fields(rows)[:2])
    return instrument_id, number.astype(np.int32)
