"""Errors as RFC 9457 problem details, in the sentences of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from batch_layer.shared.errors import (
    CondvestError,
    NotASession,
    TransientError,
    UnknownSymbol,
    UsageError,
)
from serving_layer.formats import NotAcceptable
from serving_layer.http.backends import NotServed

MEDIA_TYPE = "application/problem+json"


class Gone(CondvestError):
    """The state of the data that a cursor belongs to can no longer be read."""


class Unauthorized(CondvestError):
    """No key, or a wrong one."""


class Forbidden(CondvestError):
    """The request names a host that this server does not answer for."""


class MethodNotAllowed(CondvestError):
    """The method would change something; this server only reads."""


class Unexpected(CondvestError):
    """Something failed that nobody thought of; the cause is in the server's log."""


class Busy(TransientError):
    """More questions wait than this server takes."""


class BadRequest(UsageError):
    """A parameter is unknown, empty, doubled, or has a value that it cannot have.

    Attributes:
        parameter: its name.
        near: names that may have been meant.
    """

    def __init__(self, message: str, parameter: str, near: list[str] | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.near = near or []


@dataclass(frozen=True)
class Kind:
    """One kind of problem: the last part of its type URI, its title and its status."""

    name: str
    title: str
    status: int


_KINDS: tuple[tuple[type[CondvestError], Kind], ...] = (
    (NotAcceptable, Kind("not-acceptable", "No such format", 406)),
    (UnknownSymbol, Kind("unknown-symbol", "Unknown symbol", 404)),
    (NotASession, Kind("not-a-session", "Not a session", 400)),
    (UsageError, Kind("bad-request", "Bad request", 400)),
    (Unauthorized, Kind("unauthorized", "A key is needed", 401)),
    (Forbidden, Kind("forbidden", "Not allowed", 403)),
    (MethodNotAllowed, Kind("method", "Method not allowed", 405)),
    (Gone, Kind("gone", "This state of the data is gone", 410)),
    (NotServed, Kind("not-served", "Not served from this source", 501)),
    (Busy, Kind("busy", "Too many questions at once", 503)),
    (TransientError, Kind("unavailable", "The data cannot be reached now", 503)),
)
"""Error to kind, the first that fits."""

_INTERNAL = Kind("internal", "Internal error", 500)

RETRY_AFTER = 5
"""Seconds after which a client may ask again when the data could not be reached."""


def kind_of(error: Exception) -> Kind:
    """Return the kind of problem that an error is."""
    return next((kind for cause, kind in _KINDS if isinstance(error, cause)), _INTERNAL)


def problem(error: Exception, request_id: str) -> tuple[int, dict[str, Any]]:
    """Return the status and the members of the problem document of an error.

    Of an internal error, and of what a database or a store says of itself, nothing is shown but the
    request's id: the text may hold addresses. It is in the server's log under that id.
    """
    kind = kind_of(error)
    members: dict[str, Any] = {
        "type": f"/problems/{kind.name}",
        "title": kind.title,
        "status": kind.status,
        "detail": str(error),
        "instance": request_id,
    }
    if kind.name in ("internal", "unavailable"):
        members["detail"] = f"look for request {request_id} in the server's log"
    if isinstance(error, BadRequest):
        members["parameter"] = error.parameter
        if error.near:
            members["near"] = error.near
    return kind.status, members


def headers_of(status: int) -> dict[str, str]:
    """Return the headers of a problem document with a status."""
    more = {
        401: {"www-authenticate": "Bearer"},
        405: {"allow": "GET, HEAD"},
        503: {"retry-after": str(RETRY_AFTER)},
    }
    return {"content-type": MEDIA_TYPE, **more.get(status, {})}
