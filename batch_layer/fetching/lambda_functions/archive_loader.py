"""The function that loads what comes into the archive: archive to PostgreSQL. It runs inside the VPC."""

from __future__ import annotations

from typing import Any

from condvest.batch_layer.fetching.lambda_functions.deadline import LambdaContext
from condvest.batch_layer.fetching.lambda_functions.events import (
    CheckEvent,
    KeysEvent,
    LoadEvent,
    ObjectEvent,
    QueueEvent,
    ScheduleEvent,
    load_event,
    message_event,
)
from condvest.batch_layer.fetching.lambda_functions.loading import (
    Loaded,
    changes_waiting,
    load_key,
    measure_bars_staleness,
    measure_staleness,
    not_loaded,
    open_loader,
)
from condvest.batch_layer.fetching.lambda_functions.observing import Call, logged, observed
from condvest.batch_layer.fetching.lambda_functions.wiring import LABEL, archive_of, read_settings
from condvest.batch_layer.fetching.loading.loader import Loader
from condvest.batch_layer.shared.clients.archive.s3 import S3Archive
from condvest.batch_layer.shared.errors import ArchiveError, CondvestError, OutOfTime
from condvest.batch_layer.shared.utils.clock import utc_now


def handler(event: Any, context: LambdaContext) -> dict[str, Any]:  # noqa: ANN401  # whatever came
    """Load what the event names; for a schedule's event, whatever of the last days no event named.

    Returns:
        ``changed``: how many records of change wait for the jobs, so that 0 means there is nothing to
        start; ``keys``: what became of each key; ``inserted``, ``altered``, ``withdrawn``, ``refused``: rows;
        ``partial``: sessions that look cut short; ``left``: keys that there was no time for;
        ``correlation_id``. For a batch of a queue also ``batchItemFailures``: the messages that are to come
        again.

    Raises:
        CondvestError: of the event, the archive or the database; nothing of what failed was stored. Of a
            batch no single message raises: it is in the answer.
    """
    with observed("archive_loader", context) as call:
        asked = load_event(event)
        settings = read_settings()
        archive = archive_of(settings, call)
        if isinstance(asked, ObjectEvent) and not _keys(asked, archive):
            # The bytes of a payload, which its description follows: what is to be done is done then.
            return logged(call, "not complete yet", {"changed": 0, "keys": {}})
        with open_loader(settings, archive, utc_now()) as loader:
            measure_bars_staleness(call, loader)
            loaded = Loaded()
            answer: dict[str, Any] = {}
            if isinstance(asked, QueueEvent):
                answer["batchItemFailures"] = _load_batch(call, loader, archive, asked, loaded)
            elif isinstance(asked, ScheduleEvent):
                if asked.correlation_id:
                    call.correlate(asked.correlation_id)
                keys = not_loaded(loader, archive, settings.nightly.provider)
                answer["left"] = _sweep(call, loader, keys, loaded)
            elif isinstance(asked, CheckEvent):
                answer["not_loaded"] = len(not_loaded(loader, archive, settings.nightly.provider))
            else:
                answer["left"] = _load(call, loader, archive, asked, loaded)
            measure_staleness(call, loader, settings.nightly.provider)
            answer |= {"changed": changes_waiting(loader), "keys": loaded.keys, **loaded.counts}
        return logged(call, "loaded", answer | {"partial": sorted(loaded.partial)})


def _keys(asked: LoadEvent, archive: S3Archive) -> tuple[str, ...]:
    if isinstance(asked, KeysEvent):
        return asked.keys
    if asked.detail.bucket.name != archive.bucket:
        raise ArchiveError(f"the event is of the bucket {asked.detail.bucket.name}, not of {archive.bucket}")
    key = archive.key_of_object(asked.detail.object.key)
    return () if key is None else (key,)


def _load(call: Call, loader: Loader, archive: S3Archive, asked: LoadEvent, loaded: Loaded) -> list[str]:
    """Load the keys of one event; return those that there was no time for."""
    keys = _keys(asked, archive)
    for number, key in enumerate(keys):
        if not call.deadline.has_time():
            if number == 0:
                raise OutOfTime(f"no time was left to load {key}")
            call.log.warning("out of time: keys are left", left=keys[number:])
            return list(keys[number:])
        given = asked.correlation_id if isinstance(asked, KeysEvent) else None
        began = given or archive.labels(key).get(LABEL)
        if began:
            call.correlate(began)
        load_key(call, loader, key, loaded)
    return []


def _sweep(call: Call, loader: Loader, keys: list[str], loaded: Loaded) -> list[str]:
    """Load the keys that no event told of; return those that there was no time for.

    A key that cannot be loaded holds up no other.

    Raises:
        CondvestError: of the last key that could not be loaded; the others are.
    """
    failed: CondvestError | None = None
    for number, key in enumerate(keys):
        if not call.deadline.has_time():
            call.log.warning("out of time: keys are left", left=keys[number:])
            return keys[number:]
        try:
            load_key(call, loader, key, loaded)
        except OutOfTime:
            raise
        except CondvestError as error:
            call.log.exception("key failed", key=key, reason=str(error))
            failed = error
    if failed is not None:
        raise failed
    return []


def _load_batch(
    call: Call, loader: Loader, archive: S3Archive, batch: QueueEvent, loaded: Loaded
) -> list[dict[str, str]]:
    """Load the messages of a batch; return those that failed, as Lambda wants to be told."""
    failures = []
    for message in batch.records:
        try:
            event = message_event(message)
            if _load(call, loader, archive, event, loaded):
                raise OutOfTime(f"message {message.message_id} was loaded in part")  # it comes again
        except CondvestError as error:
            call.log.exception("message failed", message_id=message.message_id, reason=str(error))
            failures.append({"itemIdentifier": message.message_id})
    return failures
