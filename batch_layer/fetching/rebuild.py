"""Service: build the database anew from the archive, and go on with a rebuild that was stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

from condvest.batch_layer.database.stores.loading.loads import (
    archived_loads,
    lock_loads,
    take_back_unused_ids,
)
from condvest.batch_layer.database.stores.loading.rebuilds import unfinished_rebuild
from condvest.batch_layer.fetching.loading.judged import JudgedPayload
from condvest.batch_layer.fetching.loading.loader import MOST_AT_ONCE, Loader
from condvest.batch_layer.shared.errors import DatabaseRefusedValue, InputError, UsageError
from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.batch_layer.shared.utils.prefetch import prefetch_batches

_OF_THE_PAYLOAD = (
    InputError,
    DatabaseRefusedValue,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
)
"""Errors that a payload causes by what it holds: it failed so when it came, and was never loaded."""


def keys_to_load(loader: Loader) -> list[str]:
    """Return the keys that a rebuild has to load, in their order.

    All of them for an empty database. After a rebuild that was stopped, those behind the last one that has a
    load: the transactions of a rebuild are whole and ascend. A payload before it without a load said nothing
    new, or was passed over; loading it now would put an old answer over a newer one.

    Raises:
        UsageError: the archive is empty; or the database holds loads, and not by a rebuild that was stopped,
            or also by other commands since.
    """
    with loader.database.transaction(read_only=True) as connection:
        loaded = {load.archive_key for load in archived_loads(connection)}
        stopped = unfinished_rebuild(connection)
    if loaded and stopped is None:
        raise UsageError(
            "the database holds loads already; rebuild into an empty one (another CONDVEST_DATABASE_URL)"
        )
    if loaded and stopped is not None and stopped.is_mixed:
        raise UsageError(
            f"the rebuild that began at {stopped.began} did not end, and other commands have loaded since: "
            "the rest would come in a wrong order; rebuild into an empty database (another "
            "CONDVEST_DATABASE_URL)"
        )
    keys = list(loader.archive.keys())
    if not keys:
        raise UsageError("the archive is empty: there is nothing to rebuild from")
    done = max((number for number, key in enumerate(keys, start=1) if key in loaded), default=0)
    if loaded and not done:
        raise UsageError(
            "the database holds loads of another archive; rebuild into an empty one (another "
            "CONDVEST_DATABASE_URL), or set CONDVEST_ARCHIVE to the archive that it was built from"
        )
    return keys[done:]


def rebuild(
    loader: Loader,
    keys: Sequence[str],
    faults: list[str],
    on_progress: Callable[[int, int], None] | None = None,
) -> list[LoadSummary]:
    """Load the archive, in the order in which its payloads were fetched.

    A payload that cannot be parsed or stored for what it holds is passed over, as when it came.

    Args:
        loader: of the database and its archive.
        keys: what `keys_to_load` returned.
        faults: takes a sentence for each payload that was passed over for another error than that of what
            parses it: perhaps it was loaded when it came.
        on_progress: called with the payloads done, and of how many.

    Raises:
        ArchiveError: a payload of the archive is damaged. What came before it is stored: mend it and rebuild
            again.
        TransientError, DatabaseError: the database is unreachable or refuses; rebuild again.
    """
    _take_back_unused_ids(loader)
    summaries: list[LoadSummary] = []
    done = 0
    with closing(
        prefetch_batches((_read_or_passed_over(loader, key, faults) for key in keys), MOST_AT_ONCE)
    ) as batches:
        for batch in batches:
            summaries += [payload for payload in batch if isinstance(payload, LoadSummary)]
            summaries += _loaded(
                loader, [payload for payload in batch if isinstance(payload, JudgedPayload)], faults
            )
            done += len(batch)
            if on_progress is not None:
                on_progress(done, len(keys))
    return summaries


def _read_or_passed_over(loader: Loader, key: str, faults: list[str]) -> JudgedPayload | LoadSummary:
    try:
        return loader.read_archived(key)
    except _OF_THE_PAYLOAD as error:
        return _passed_over(key, error, faults)


def _loaded(loader: Loader, batch: Sequence[JudgedPayload], faults: list[str]) -> list[LoadSummary]:
    """Load payloads in one transaction; each in its own if one of them cannot be stored."""
    try:
        return loader.load_all(batch)
    except _OF_THE_PAYLOAD as error:
        if len(batch) == 1:
            _take_back_unused_ids(loader)
            return [_passed_over(batch[0].archived or batch[0].whole.name, error, faults)]
    _take_back_unused_ids(loader)
    return [summary for payload in batch for summary in _loaded(loader, [payload], faults)]


def _take_back_unused_ids(loader: Loader) -> None:
    with loader.database.transaction() as connection:
        lock_loads(connection)
        take_back_unused_ids(connection)


def _passed_over(key: str, error: Exception, faults: list[str]) -> LoadSummary:
    if isinstance(error, InputError):
        return LoadSummary(key, "", "", notices=(f"passed over: {error}",))
    faults.append(f"{key}: passed over: {type(error).__name__}: {error}")
    return LoadSummary(key, "", "")
