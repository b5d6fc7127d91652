"""From what was made for a question to what goes to the client: tags, headers, compression.

All paths come through here, so what a tag stands for is said once. An answer is made once per version of the
data and form. What is asked again is found by its tag, so nothing stale can be found; and a client that has
the answer already is told so before anything is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version as version_of

from condvest.serving_layer.formats import SMALLEST, compressed
from condvest.serving_layer.http.calls import CALL, Call, encoded
from condvest.serving_layer.kept import Kept
from condvest.serving_layer.versions import entity_tag, is_any, matches

_NOT_MODIFIED = 304

PROGRAM = version_of("condvest")

REVALIDATE = "private, no-cache"
"""An answer may be kept, and has to be asked about before it is used: a 304 costs next to nothing."""

FOR_EVER = "private, max-age=31536000, immutable"
"""What is asked of one version, or by the digest of its bytes, may be kept and used unasked."""

LARGEST_CACHE = 64 << 20
"""Bytes of answers that are kept; the least recently used go first."""

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Asked:
    """What a request asks for.

    Attributes:
        version: of the data that it is to be answered from.
        digest: of the question.
        form: what else makes the bytes differ: the format, the page.
        coding: the content coding; "" for none.
        if_none_match: the tags that the client has, as they came.
        is_pinned: whether it names the version, whose answer never changes.
    """

    version: str
    digest: str
    form: tuple[str, ...]
    coding: str
    if_none_match: str | None
    is_pinned: bool = False

    def tag(self, version: str) -> str:
        """Return the entity tag of the answer from a version of the data."""
        return entity_tag(version, self.digest, PROGRAM, self.coding, *self.form)


@dataclass(frozen=True)
class Reply:
    """What goes to the client.

    Attributes:
        status: of HTTP.
        headers: of the answer, but for its length.
        body: the bytes.
        asked: what it answers, if the same question may be answered by what is kept; else None.
    """

    status: int
    headers: dict[str, str]
    body: bytes = b""
    asked: Asked | None = None

    @cached_property
    def head(self) -> list[tuple[bytes, bytes]]:
        """The headers as ASGI has them, and the length."""
        head = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
        if self.status != _NOT_MODIFIED:  # which has no length of its own
            head.append((b"content-length", str(len(self.body)).encode()))
        return head

    @cached_property
    def lines(self) -> bytes:
        """The same as HTTP/1.1 writes them."""
        return b"".join(b"%b: %b\r\n" % each for each in self.head)


@dataclass(frozen=True)
class Made:
    """What was made for a question.

    Attributes:
        content: the bytes.
        version: of the data that they were made from; "" if it belongs to none.
        media_type: of the content.
        headers: beside those of every answer.
    """

    content: bytes
    version: str
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Replies:
    """Makes replies, and keeps what was made. Its methods may be called from several threads at once."""

    def __init__(self) -> None:
        self._kept: Kept[Reply] = Kept(LARGEST_CACHE)

    def kept(self, tag: str) -> Reply | None:
        """Return the answer of a tag; None if it is not kept."""
        return self._kept.find(tag)

    def reply(self, asked: Asked, make: Callable[[], Made]) -> Reply:
        """Answer a request, with 304 and without making anything if the client has the answer."""
        tag = asked.tag(asked.version)
        call = CALL.get() or Call("")
        call.is_kept = True
        if matches(asked.if_none_match, tag):
            return not_modified(asked, asked.version)

        def made() -> Reply:
            call.is_kept = False
            return _made_reply(asked, make)

        reply = self._kept.get(
            tag,
            made,
            lambda reply: len(reply.body),
            lambda reply: reply.asked is not None,
        )
        if is_any(asked.if_none_match) and reply.asked is not None:  # any answer that there is
            return not_modified(reply.asked, reply.asked.version)
        return reply

    def reply_at_once(self, asked: Asked, make: Callable[[], Made]) -> Reply:
        """Answer a client that has nothing, without waiting for who is making the same."""
        tag = asked.tag(asked.version)
        kept = self._kept.find(tag)
        if kept is not None:
            return kept
        reply = _made_reply(asked, make)
        if reply.asked is not None:
            self._kept.put(tag, reply, len(reply.body))
        return reply


def not_modified(asked: Asked, version: str) -> Reply:
    """Return the answer to a client that has the answer from a version of the data."""
    return Reply(_NOT_MODIFIED, _headers(asked, version), asked=asked)


def _made_reply(asked: Asked, make: Callable[[], Made]) -> Reply:
    made = _coded(make(), asked.coding)
    headers = _headers(asked, made.version)
    headers |= {"Content-Type": made.media_type, **made.headers}
    is_of_version = bool(made.version) and made.version == asked.version
    return Reply(200, headers, made.content, asked if is_of_version else None)


def _headers(asked: Asked, version: str) -> dict[str, str]:
    """Return the headers of every answer, and of a 304 in its place."""
    vary = {"Vary": "Accept, Accept-Encoding, Origin, Authorization"}
    if not version:
        return vary | {"Cache-Control": "no-store"}
    control = FOR_EVER if asked.is_pinned else REVALIDATE
    return vary | {"Cache-Control": control, "ETag": asked.tag(version), "Condvest-Version": version}


def _coded(made: Made, coding: str) -> Made:
    if not coding or len(made.content) < SMALLEST:
        return made
    headers = {**made.headers, "Content-Encoding": coding}
    content = encoded(lambda: compressed(made.content, coding))
    return Made(content, made.version, made.media_type, headers)
