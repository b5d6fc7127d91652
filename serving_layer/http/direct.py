"""Requests that came before, byte for byte, and whose answers are kept: they are not read again.

Who asks the same again sends the same bytes. What those mean was found out when they came first: so only what
may have changed since is looked at, the version of the data and the client's key, and the answer goes out as
it is kept. Whatever is different, or not kept, goes the usual way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from condvest.batch_layer.shared.errors import CondvestError
from condvest.serving_layer.http.answers.replying import Replies
from condvest.serving_layer.http.backends.states import State
from condvest.serving_layer.http.calls import Call
from condvest.serving_layer.http.front import Latest, Question
from condvest.serving_layer.http.protocol import Scope
from condvest.serving_layer.http.published.files import Sent
from condvest.serving_layer.kept import Kept
from condvest.serving_layer.ranges import Part

BYTES = "condvest.bytes"
"""In the scope of a request that came alone and whole: its bytes."""

LONGEST = 4096
"""Bytes of a request that is remembered."""

_LARGEST = 8 << 20
"""Bytes of all that is remembered, about."""

_BESIDE = 2048
"""Bytes that a request takes beside its own, about."""

_LINES = {status: f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode() for status in (200, 206, 304)}


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


class Files(Protocol):
    """What of `PublishedFiles` this needs."""

    def near(self, path: str, headers: Mapping[str, str], *, is_head: bool) -> Sent | None:
        """Return a file of a directory, open to be sent; None if it is not there."""
        ...


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A request for a published file that came before.

    Attributes:
        path: of the file, as the manifest has it.
        scope: of the first request.
        headers: of it, names in lower case.
    """

    path: str
    scope: Scope
    headers: dict[str, str]


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


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """An answer whose body the kernel is to send.

    Attributes:
        head: the bytes before it.
        file: the descriptor of the file.
        part: which bytes of the file.
        end: closes the file, and counts and logs the request; to be called once, whatever was sent.
    """

    head: bytes
    file: int
    part: Part
    end: Callable[[], None]


class Direct:
    """Answers known requests. For one event loop."""

    def __init__(self, replies: Replies, latest: Latest, guards: Guarding, files: Files) -> None:
        """Answer by what is kept in ``replies`` of the latest version, and by files, behind the guards."""
        self._replies = replies
        self._latest = latest
        self._guards = guards
        self._files = files
        self._known: Kept[Known | KnownFile] = Kept(_LARGEST)

    def learn(self, scope: Scope, question: Question, has: str | None) -> None:
        """Remember a request that was let in and answered by what is kept."""
        self._learn(scope, lambda kept, headers: Known(question, has, kept, headers))

    def learn_file(self, scope: Scope, path: str) -> None:
        """Remember a request that was let in and answered by sending a file of a directory."""
        self._learn(scope, lambda kept, headers: KnownFile(path, kept, headers))

    def _learn(self, scope: Scope, known: Callable[[Scope, dict[str, str]], Known | KnownFile]) -> None:
        data: bytes | None = scope.get(BYTES)
        if data is None or self._known.find(data) is not None:
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        kept = {name: scope[name] for name in ("method", "path", "query_string", "headers")}
        self._known.put(data, known(kept, headers), len(data) + _BESIDE)

    def find(self, data: bytes) -> Known | KnownFile | None:
        """Return the request that has these bytes; None if none came."""
        return self._known.find(data)

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
        if not self._is_let_in(known, call):
            return None
        call.is_kept, call.status, call.bytes = True, reply.status, len(reply.body)
        call.rows = reply.headers.get("Condvest-Rows", "")
        head = self._head(known, call, given, reply.lines)
        self._guards.ended(known.scope, call)
        return [head, reply.body] if reply.body else [head]

    def open(self, known: KnownFile, call: Call, given: Iterable[tuple[bytes, bytes]]) -> FileAnswer | None:
        """Return an answer whose body the kernel is to send; None if it takes more than that.

        The arguments are those of `answer`.
        """
        sent = self._files.near(known.path, known.headers, is_head=False)
        if sent is None or sent.opened is None:
            return None
        opened, part = sent.opened, sent.part
        if part is None or opened.descriptor is None or not self._is_let_in(known, call):
            opened.close()
            return None
        call.status, call.bytes = sent.status, len(part)
        own = b"".join([f"{name.lower()}: {value}\r\n".encode() for name, value in sent.headers.items()])

        def end() -> None:
            opened.close()
            self._guards.ended(known.scope, call)

        return FileAnswer(self._head(known, call, given, own), opened.descriptor, part, end)

    def _is_let_in(self, known: Known | KnownFile, call: Call) -> bool:
        """Check the key; why it is refused is said the usual way."""
        try:
            self._guards.check_key(known.scope, known.headers, call)
        except CondvestError:
            return False
        return True

    def _head(
        self, known: Known | KnownFile, call: Call, given: Iterable[tuple[bytes, bytes]], own: bytes
    ) -> bytes:
        """Return the status and the headers of an answer, with lines of its own."""
        lines = [b"%b: %b\r\n" % each for each in given]
        always = self._guards.lines(call, known.headers.get("origin", ""))
        return b"".join((_LINES[call.status], *lines, own, always, b"\r\n"))
