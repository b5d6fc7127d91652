"""Requests that came before, byte for byte, and whose answers are kept: they are not read again.

Who asks the same again sends the same bytes. What those mean was found out when they came first: so only what
may have changed since is looked at, the version of the data and the client's key, and the answer goes out as
it is kept. Whatever is different, or not kept, goes the usual way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from condvest.batch_layer.shared.errors import CondvestError
from condvest.serving_layer.http.answers.replying import Replies
from condvest.serving_layer.http.backends.states import State
from condvest.serving_layer.http.calls import Call
from condvest.serving_layer.http.front import Latest, Question
from condvest.serving_layer.http.protocol import Scope

BYTES = "condvest.bytes"
"""In the scope of a request that came alone and whole: its bytes."""

LONGEST = 4096
"""Bytes of a request that is remembered."""

_LARGEST = 8 << 20
"""Bytes of all that is remembered, about; then all of it is forgotten."""

_BESIDE = 2048
"""Bytes that a request takes beside its own, about."""

_LINES = {status: f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode() for status in (200, 304)}


class Guarding(Protocol):
    """What of `Guards` this needs."""

    def call(self) -> Call:
        """Return the call of a new request."""
        ...

    def check_key(self, scope: Scope, headers: dict[str, str], call: Call | None = None) -> None:
        """Check the key of a request, and count the request."""
        ...

    def lines(self, call: Call, origin: str) -> bytes:
        """Return the lines of the headers that every answer has."""
        ...

    def ended(self, scope: Scope, call: Call) -> None:
        """Count and log a request."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """A request that came before.

    Attributes:
        question: that it asks.
        has: the tags that its client has.
        scope: of the first one.
        headers: of it, names in lower case.
    """

    question: Question
    has: str | None
    scope: Scope
    headers: dict[str, str]


class Direct:
    """Answers known requests. For one event loop."""

    def __init__(self, replies: Replies, latest: Latest, guards: Guarding) -> None:
        """Answer by what is kept in ``replies`` of the latest version, behind the guards."""
        self._replies = replies
        self._latest = latest
        self._guards = guards
        self._known: dict[bytes, Known] = {}
        self._bytes = 0

    def learn(self, scope: Scope, question: Question, has: str | None) -> None:
        """Remember a request that was let in and answered by what is kept."""
        data: bytes | None = scope.get(BYTES)
        if data is None or data in self._known:
            return
        self._bytes += len(data) + _BESIDE
        if self._bytes > _LARGEST:
            self._known.clear()
            self._bytes = len(data) + _BESIDE
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        kept = {name: scope[name] for name in ("method", "path", "query_string", "headers")}
        self._known[data] = Known(question, has, kept, headers)

    def find(self, data: bytes) -> Known | None:
        """Return the request that has these bytes; None if none came."""
        return self._known.get(data)

    def ask(self, known: Known, then: Callable[[str | None], None]) -> None:
        """Have ``then`` called with the version that the answer is to be of; None if there is no telling.

        Never before this returns.
        """
        asked = known.question.asked
        self._latest.tell(
            lambda state: then(state.version if isinstance(state, State) else None),
            asked.version if asked.is_pinned else None,
        )

    def call(self) -> Call:
        """Return the call of a request that has just come."""
        return self._guards.call()

    def answer(
        self, known: Known, call: Call, version: str, given: Iterable[tuple[bytes, bytes]]
    ) -> list[bytes] | None:
        """Return the bytes of an answer, counted and logged; None if it takes more than what is kept.

        Args:
            known: the request.
            call: of this time.
            version: of the data.
            given: headers that the server adds to every answer.
        """
        reply = known.question.reply(self._replies, version, known.has)
        if reply is None:
            return None
        try:
            self._guards.check_key(known.scope, known.headers, call)
        except CondvestError:  # which is said the usual way
            return None
        call.is_kept, call.status, call.bytes = True, reply.status, len(reply.body)
        call.rows = reply.headers.get("Condvest-Rows", "")
        lines = [b"%b: %b\r\n" % each for each in given]
        origin = known.headers.get("origin", "")
        head = (_LINES[reply.status], *lines, reply.lines, self._guards.lines(call, origin), b"\r\n")
        self._guards.ended(known.scope, call)
        return [b"".join(head), reply.body] if reply.body else [b"".join(head)]
