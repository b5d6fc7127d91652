"""Service: hold the daily bars against the archive they came from, and build them anew from it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from batch_layer.database import catalog_store, instruments_store
from batch_layer.database.keyed_store import DAILY_BARS
from batch_layer.fetching.load import Loader
from batch_layer.fetching.store_bars import bars_of
from batch_layer.shared.errors import BatchLayerError, InputError, UsageError
from batch_layer.shared.models.difference import difference
from batch_layer.shared.models.loads import LoadSummary
from batch_layer.shared.models.payloads import BarRows


@dataclass(frozen=True)
class Finding:
    """A difference between what is stored and what should be.

    Attributes:
        what: ``archive`` (a payload is missing or damaged), ``daily_bar`` or ``bar``.
        symbol, where: which bar: its symbol, and its session or interval and window; "" for a payload.
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
        if catalog_store.counts(connection)["daily_bars"] or catalog_store.loads_of_bars(connection):
            raise UsageError(
                "the database holds loads already; rebuild into an empty one (another CONDVEST_DATABASE_URL)"
            )
    keys = list(loader.archive.keys())
    if not keys:
        raise UsageError("the archive is empty: there is nothing to rebuild from")
    summaries = []
    for done, key in enumerate(keys, start=1):
        try:
            summaries.append(loader.replay(key))
        except InputError as error:
            summaries.append(LoadSummary(key, "", "", notices=(f"passed over: {error}",)))
        if on_progress is not None:
            on_progress(done, len(keys))
    return summaries


def check_archive(loader: Loader, sample: int | None, seed: int) -> Iterator[Finding]:
    """Yield what differs between stored daily bars and the payloads they came from.

    Args:
        loader: of the database and its archive; stores nothing.
        sample: how many loads to look at, chosen at random; all if None.
        seed: makes the choice repeatable.
    """
    with loader.database.transaction(read_only=True) as connection:
        loads = catalog_store.loads_of_bars(connection)
    for load_id, key, stored in _chosen(loads, sample, seed):
        try:
            yield from _check_load(loader, load_id, key, stored)
        except BatchLayerError as error:
            yield Finding("archive", "", "", f"load {load_id}: {error}")


def _chosen(
    loads: Sequence[tuple[int, str, int]], sample: int | None, seed: int
) -> Sequence[tuple[int, str, int]]:
    if sample is None or sample >= len(loads):
        return loads
    return sorted(random.Random(seed).sample(loads, sample))  # noqa: S311  # a sample, not a secret


def _check_load(loader: Loader, load_id: int, key: str, stored: int) -> Iterator[Finding]:
    payload = loader.archive.read(key)
    parsed = loader.parse(payload)
    if not isinstance(parsed.rows, BarRows):
        return
    verdict = loader.judge(payload, parsed)
    rows = parsed.rows.take(verdict.passed)
    with loader.database.transaction(snapshot=True, read_only=True) as connection:
        ids = instruments_store.instruments_of(connection, rows.symbol, rows.session)
        names = catalog_store.symbols_by_instrument(connection)
        held = DAILY_BARS.of_load(connection, load_id)
    found = difference(held, bars_of(rows, ids, verdict.ordinal[verdict.passed]))
    wrong = [(held.take(found.gone), "is in no row of its payload")]
    place = found.replaced[found.changed]
    wrong.append((held.take(place), "differs from its payload"))
    for bars, problem in wrong:
        for instrument_id, ordinal in zip(bars.instrument_id.tolist(), bars.ordinal.tolist(), strict=True):
            session = loader.sessions.session(ordinal).isoformat()
            yield Finding(
                "daily_bar", names.get(instrument_id, str(instrument_id)), session, f"{problem} {key}"
            )
    if len(held) != stored:
        lost = f"load {load_id} stored {stored:,} daily bars, {len(held):,} of them are there"
        yield Finding("daily_bar", "", "", lost)
    unheld = np.count_nonzero(ids == instruments_store.NO_INSTRUMENT)
    if unheld:
        yield Finding("daily_bar", "", "", f"{unheld:,} rows of {key} belong to no instrument any more")
