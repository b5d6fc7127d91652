"""Errors as RFC 9457 problem details, in the sentences of the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from condvest.batch_layer.shared.errors import (
    CondvestError,
    DatabaseRefusedValue,
    DatabaseTimeout,
    NotASession,
    PublishedError,
    PublishedGone,
    TransientError,
    UnknownName,
    UnknownSymbol,
    UsageError,
)
from condvest.serving_layer.formats import NotAcceptable
from condvest.serving_layer.http.backends.sessions import LONGEST_STATEMENT
from condvest.serving_layer.http.backends.states import NotServed
from condvest.serving_layer.queries.bars.size import TooLarge
from condvest.serving_layer.sql.limits import BadStatement, StatementTimeout, StatementTooLarge

MEDIA_TYPE = "application/problem+json"


class Gone(CondvestError):
    """The state of the data that a cursor belongs to can no longer be read."""


class Unauthorized(CondvestError):
    """No key, or a wrong one."""


class NoSuchPath(CondvestError):
    """The server has no such path."""


class Forbidden(CondvestError):
    """The request names a host that this server does not answer for."""


class MethodNotAllowed(CondvestError):
    """The method would change something; this server only reads.

    Attributes:
        allowed: the methods that the path takes, as the header Allow has them.
    """

    def __init__(self, message: str, allowed: str) -> None:
        super().__init__(message)
        self.allowed = allowed


class Unexpected(CondvestError):
    """Something failed that nobody thought of; the cause is in the server's log."""


class Busy(TransientError):
    """More questions wait than this server takes."""


class Stale(TransientError):
    """The data follow the market less closely than who asks wants."""


class TooManyRequests(TransientError):
    """A key has asked more often than it may.

    Attributes:
        limits: headers that say when it may ask again, and how often.
    """

    def __init__(self, message: str, limits: Mapping[str, str]) -> None:
        super().__init__(message)
        self.limits = limits


class BadRequest(UsageError):
    """A parameter is unknown, empty, doubled, or has a value that it cannot have.

    Attributes:
        parameter: its name.
        near: names that may have been meant.
        value: that it was given; None if it was none, or that of a name which is not known and may be a key.
    """

    def __init__(
        self, message: str, parameter: str, near: Sequence[str] = (), value: str | None = None
    ) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.near = tuple(near)
        self.value = value


@dataclass(frozen=True)
class Kind:
    """One kind of problem: the last part of its type URI, its title and its status."""

    name: str
    title: str
    status: int


_KINDS: tuple[tuple[type[CondvestError], Kind], ...] = (
    (NotAcceptable, Kind("not-acceptable", "No such format", 406)),
    (UnknownSymbol, Kind("unknown-symbol", "Unknown symbol", 404)),
    (UnknownName, Kind("unknown-name", "Unknown name", 404)),
    (NoSuchPath, Kind("no-such-path", "No such path", 404)),
    (NotASession, Kind("not-a-session", "Not a session", 400)),
    (BadStatement, Kind("bad-statement", "A statement that is not answered", 400)),
    (UsageError, Kind("bad-request", "Bad request", 400)),
    (DatabaseRefusedValue, Kind("refused-value", "A value that no database holds", 400)),
    (Unauthorized, Kind("unauthorized", "A key is needed", 401)),
    (Forbidden, Kind("forbidden", "Not allowed", 403)),
    (MethodNotAllowed, Kind("method", "Method not allowed", 405)),
    (StatementTooLarge, Kind("too-large", "The answer would be too large", 413)),
    (TooLarge, Kind("too-large", "The answer would be too large", 413)),
    (Gone, Kind("gone", "This state of the data is gone", 410)),
    (PublishedGone, Kind("gone", "This state of the data is gone", 410)),
    (NotServed, Kind("not-served", "Not served from this source", 501)),
    (TooManyRequests, Kind("quota", "Too many requests of this key", 429)),
    (Busy, Kind("busy", "Too many questions at once", 503)),
    (Stale, Kind("stale", "The data are too far behind the market", 503)),
    (StatementTimeout, Kind("statement-timeout", "The statement takes too long", 504)),
    (DatabaseTimeout, Kind("timeout", "The answer takes too long", 504)),
    (PublishedError, Kind("unavailable", "The data cannot be reached now", 503)),
    (TransientError, Kind("unavailable", "The data cannot be reached now", 503)),
)
"""Error to kind, the first that fits."""

_INTERNAL = Kind("internal", "Internal error", 500)

RETRY_AFTER = 5
"""Seconds after which a client may ask again when the data could not be reached."""


def failure_of(error: Exception) -> CondvestError:
    """Return an error as one of ours: what nobody thought of is its cause."""
    if isinstance(error, CondvestError):
        return error
    unexpected = Unexpected("an answer failed")
    unexpected.__cause__ = error
    return unexpected


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
    if kind.name == "refused-value":
        members["detail"] = "a parameter holds what no text of the database can hold, such as a NUL"
    if kind.name == "timeout":
        members["detail"] = (
            f"the database works on one step of an answer for at most {LONGEST_STATEMENT} s, and this one "
            "took longer; ask for fewer symbols or sessions, or again when it has less to do"
        )
    return kind.status, members | _about(error)


def _about(error: Exception) -> dict[str, Any]:
    """Return which parameter an error is about, the value it was given, and what may have been meant."""
    about: dict[str, Any]
    if isinstance(error, UnknownSymbol) and error.symbols:
        about = {"parameter": "symbol", "symbols": list(error.symbols)}
        if len(error.symbols) == 1:
            about["value"] = error.symbols[0]
    elif isinstance(error, BadRequest | UnknownName):
        about = {"parameter": error.parameter}
        if error.value is not None:
            about["value"] = error.value
    else:
        return {}
    if error.near:
        about["near"] = list(error.near)
    return about


def headers_of(status: int, error: Exception | None = None) -> dict[str, str]:
    """Return the headers of a problem document with a status; its error knows methods and quotas."""
    more = {
        401: {"www-authenticate": "Bearer"},
        503: {"retry-after": str(RETRY_AFTER)},
        504: {"retry-after": str(RETRY_AFTER)},
    }
    own: Mapping[str, str] = {}
    if isinstance(error, TooManyRequests):
        own = error.limits
    elif isinstance(error, MethodNotAllowed):
        own = {"allow": error.allowed}
    return {"content-type": MEDIA_TYPE, **more.get(status, {}), **own}
