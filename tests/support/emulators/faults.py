"""The twenty ways in which a call to an emulated vendor can fail."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass, field, replace
from enum import Enum


class Fault(Enum):
    """A named fault; the value says what the client sees."""

    RATE_LIMITED_RETRY_AFTER = "429 with a Retry-After header"
    RATE_LIMITED = "429 without Retry-After"
    RATE_LIMITED_EMPTY = "429 with an empty body"
    SERVER_ERROR = "500, 502 or 504 with a JSON error"
    CLIENT_CLOSED = "499 with a JSON error"
    UNAVAILABLE_HTML = "503 with an HTML body"
    HTML_OK = "200 with an HTML body"
    RESET_BEFORE_HEADERS = "the connection is reset before any header"
    RESET_MID_BODY = "the connection is reset in the middle of the body"
    TRUNCATED_BODY = "Content-Length is larger than what is sent before the connection closes"
    TRUNCATED_TEXT = "half of the body under a Content-Length that agrees"
    EMPTY_OK = "200 with an empty body"
    EMPTY_OBJECT = "200 with the body {}"
    SLOW_DRIP = "the body drips, then the connection closes unfinished after the emulator's delay"
    ERROR_IN_OK = '200 whose body says "status": "ERROR"'
    RESULTS_MISSING = "200 that counts results and holds none"
    OTHER_SESSION = "the answer for the session before the one asked for"
    HALF_MARKET = "half of the rows silently left out, the count agreeing"
    REDIRECT_ELSEWHERE = "302 to another host"
    GZIP_LIE = "Content-Encoding gzip on bytes that are not gzip"


GROUPED_ONLY = frozenset({Fault.OTHER_SESSION, Fault.HALF_MARKET})
"""Faults of a whole session's answer."""

COUNTED_ONLY = frozenset({Fault.RESULTS_MISSING})
"""Faults of an answer that counts its results."""

TRANSPORT_ONLY = frozenset(Fault) - GROUPED_ONLY - COUNTED_ONLY - {Fault.ERROR_IN_OK, Fault.EMPTY_OBJECT}
"""Faults that any answer can show, JSON or not."""

HTML = b"<html><head><title>Bad Gateway</title></head><body><center><h1>nginx</h1></center></body></html>"


@dataclass(frozen=True)
class Reply:
    """An answer, and how it is to be sent.

    Attributes:
        manner: None to send it whole; the fault that spoils the sending otherwise.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    manner: Fault | None = None


def json_reply(value, status: int = 200, **headers: str) -> Reply:
    """Return a reply whose body is ``value`` as JSON."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return Reply(status, body, headers={key.replace("_", "-"): text for key, text in headers.items()})


def spoil(reply: Reply, fault: Fault, rng: random.Random, elsewhere: str) -> Reply:
    """Return ``reply`` as a fault makes it. OTHER_SESSION and HALF_MARKET are made where rows are known.

    ``elsewhere`` is the address on another host to which REDIRECT_ELSEWHERE sends.
    """
    error = {"status": "ERROR", "request_id": f"{rng.getrandbits(128):032x}"}
    limit = error | {
        "error": "You've exceeded the maximum requests per minute, please wait or upgrade your "
        "subscription to continue."
    }
    half = reply.body[: len(reply.body) // 2]
    if fault is Fault.SERVER_ERROR:
        return json_reply(error | {"error": "Internal error"}, rng.choice((500, 502, 504)))
    made = {
        Fault.RATE_LIMITED_RETRY_AFTER: lambda: json_reply(limit, 429, Retry_After="1"),
        Fault.RATE_LIMITED: lambda: json_reply(limit, 429),
        Fault.RATE_LIMITED_EMPTY: lambda: Reply(429, b""),
        Fault.CLIENT_CLOSED: lambda: json_reply(error | {"error": "Client closed request"}, 499),
        Fault.UNAVAILABLE_HTML: lambda: Reply(503, HTML, "text/html"),
        Fault.HTML_OK: lambda: Reply(200, HTML, "text/html"),
        Fault.TRUNCATED_TEXT: lambda: replace(reply, body=half),
        Fault.EMPTY_OK: lambda: Reply(200, b""),
        Fault.EMPTY_OBJECT: lambda: Reply(200, b"{}"),
        Fault.ERROR_IN_OK: lambda: json_reply(error | {"error": "Something went wrong"}),
        Fault.RESULTS_MISSING: lambda: _without_results(reply),
        Fault.REDIRECT_ELSEWHERE: lambda: Reply(302, b"", headers={"Location": elsewhere}),
        Fault.GZIP_LIE: lambda: replace(reply, headers=reply.headers | {"Content-Encoding": "gzip"}),
    }
    if fault in made:
        return made[fault]()
    return reply if fault in GROUPED_ONLY else replace(reply, manner=fault)


def compressed(reply: Reply) -> Reply:
    """Return the reply gzipped, as to a client that accepts it."""
    body = gzip.compress(reply.body, compresslevel=1, mtime=0)
    return replace(reply, body=body, headers=reply.headers | {"Content-Encoding": "gzip"})


def _without_results(reply: Reply) -> Reply:
    """Leave the results out and keep their count (1 where there were none)."""
    value = json.loads(reply.body)
    value.pop("results", None)
    counter = "resultsCount" if "resultsCount" in value else "count"
    value[counter] = value.get(counter) or 1
    return replace(reply, body=json.dumps(value).encode())
