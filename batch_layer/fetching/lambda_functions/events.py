"""The events that the functions take, each checked with pydantic before anything is done.

What is ours (a schedule's input, a manual event) may hold nothing that is unknown: a misspelt field is an
error, not a default. What AWS sends may grow fields.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from condvest.batch_layer.shared.errors import InputError

Symbols = tuple[Annotated[str, Field(min_length=1, max_length=40)], ...]

_MOST_SHOWN = 300


class _Ours(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScheduleEvent(_Ours):
    """What the schedule sends: its name and the instant at which it was due, an ISO instant."""

    schedule: Annotated[str, Field(min_length=1)]
    scheduled_at: str | None = None

    @property
    def correlation_id(self) -> str | None:
        """What all that comes of the event is marked with."""
        return f"{self.schedule}/{self.scheduled_at}" if self.scheduled_at else None


class _Manual(_Ours):
    symbols: Symbols = ()
    correlation_id: Annotated[str, Field(pattern=r"^[ -~]{1,200}$")] | None = None


class SessionsEvent(_Manual):
    """A person's wish: these sessions, whether or not they are there; of Yahoo these symbols."""

    sessions: Annotated[tuple[dt.date, ...], Field(min_length=1)]


class RangeEvent(_Manual):
    """A person's wish: the sessions from ``start`` to ``end``, both inclusive."""

    start: dt.date
    end: dt.date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start > self.end:
            raise ValueError(f"start {self.start} lies after end {self.end}")
        return self


class KeysEvent(_Ours):
    """A person's wish: load what the archive has under these keys."""

    keys: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
    correlation_id: Annotated[str, Field(pattern=r"^[ -~]{1,200}$")] | None = None


class CheckEvent(_Ours):
    """What a deployment asks of the loader: log in, look at the schema and at the archive, load nothing."""

    check: Literal["everything"]


class _Bucket(BaseModel):
    name: str


class _Object(BaseModel):
    key: Annotated[str, Field(min_length=1)]


class _Detail(BaseModel):
    bucket: _Bucket
    object: _Object


class ObjectEvent(BaseModel):
    """What EventBridge sends when an object came into a bucket; ``key`` is as it is, not URL-encoded."""

    source: Literal["aws.s3"]
    detail_type: Annotated[Literal["Object Created"], Field(alias="detail-type")]
    detail: _Detail


class _Message(BaseModel):
    message_id: Annotated[str, Field(alias="messageId")]
    body: str


class QueueEvent(BaseModel):
    """A batch of messages of a queue, each of which holds one of the other events as JSON."""

    records: Annotated[tuple[_Message, ...], Field(alias="Records", min_length=1)]


FetchEvent = ScheduleEvent | SessionsEvent | RangeEvent
LoadEvent = KeysEvent | ObjectEvent
LoaderEvent = LoadEvent | QueueEvent | ScheduleEvent | CheckEvent

_FETCH_FORMS = (
    '{"schedule": "nightly", "scheduled_at": "..."}, {"sessions": ["2024-05-31"]}, '
    '{"start": "2024-05-01", "end": "2024-05-31"}'
)
_LOAD_FORMS = (
    'an "Object Created" event of S3 from EventBridge, a batch of a queue, {"keys": ["..."]}, '
    '{"schedule": "sweep", "scheduled_at": "..."}, {"check": "everything"}'
)


def fetch_event(event: Any) -> FetchEvent:  # noqa: ANN401  # whatever came
    """Return the event of a fetcher.

    Raises:
        InputError: it is none; the message says what is wrong, and what a fetcher takes.
    """
    kind = _kind(event, {"schedule": ScheduleEvent, "sessions": SessionsEvent, "start": RangeEvent})
    checked: FetchEvent = _checked(event, kind, _FETCH_FORMS)
    return checked


def load_event(event: Any) -> LoaderEvent:  # noqa: ANN401  # whatever came
    """Return the event of the loader; that of a schedule asks it to sweep.

    Raises:
        InputError: it is none; the message says what is wrong, and what the loader takes.
    """
    kinds: dict[str, type[BaseModel]] = {"keys": KeysEvent, "detail": ObjectEvent, "Records": QueueEvent}
    kind = _kind(event, kinds | {"schedule": ScheduleEvent, "check": CheckEvent})
    checked: LoaderEvent = _checked(event, kind, _LOAD_FORMS)
    return checked


def message_event(message: _Message) -> LoadEvent:
    """Return the event in a message of a queue.

    Raises:
        InputError: there is none in it.
    """
    try:
        inner = json.loads(message.body)
    except ValueError as error:
        raise InputError(f"message {message.message_id} holds no JSON: {error}") from error
    event = load_event(inner)
    if isinstance(event, KeysEvent | ObjectEvent):
        return event
    raise InputError(
        f"message {message.message_id} holds a {type(event).__name__}: expected an object or keys to load"
    )


def _kind(event: Any, kinds: dict[str, type[BaseModel]]) -> type[BaseModel] | None:  # noqa: ANN401  # as above
    if not isinstance(event, dict):
        return None
    return next((kind for name, kind in kinds.items() if name in event), None)


def _checked(event: Any, kind: type[BaseModel] | None, forms: str) -> Any:  # noqa: ANN401  # as above
    if kind is None:
        raise InputError(f"this is no event for this function: {_shown(event)}; it takes {forms}")
    try:
        return kind.model_validate(event)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'event'}: {fault['msg']}" for fault in error.errors()
        )
        raise InputError(f"the event cannot be used ({wrong}): {_shown(event)}; take {forms}") from error


def _shown(event: Any) -> str:  # noqa: ANN401  # as above
    text = json.dumps(event, default=str)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
