"""The headers of every answer. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from condvest.serving_layer.http.calls import Call

_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        b"default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
)
_ALWAYS_LINES = b"".join(b"%b: %b\r\n" % each for each in _ALWAYS)
_EXPOSED = (
    b"ETag, Link, Condvest-Version, Condvest-Rows, Condvest-As-Of, Condvest-Cursor, Server-Timing, "
    b"X-Request-ID, Retry-After, RateLimit, RateLimit-Policy, WWW-Authenticate"
)
"""What pages of other sites may read beside the usual headers."""


def headers_with(
    given: Iterable[tuple[bytes, bytes]], call: Call, origin: str, origins: Collection[str]
) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer with those of every answer, and note how many rows it says to have.

    Nobody may keep an answer that does not say for how long: else caches choose for themselves, even of
    problems (RFC 9110, 15.1), and some choose a day.

    Args:
        given: of the answer.
        call: what becomes of its request.
        origin: the site whose page asks; "" for none.
        origins: the sites whose pages may read answers.
    """
    headers, says_how_long = [*given, *_ALWAYS, *_beside(call, origin, origins)], False
    for name, value in headers:
        if name == b"condvest-rows":
            call.rows = value.decode()
        says_how_long = says_how_long or name == b"cache-control"
    return headers if says_how_long else [*headers, (b"cache-control", b"no-store")]


def lines_of(call: Call, origin: str, origins: Collection[str]) -> bytes:
    """Return those of every answer alone, as HTTP/1.1 writes them."""
    return _ALWAYS_LINES + b"".join([b"%b: %b\r\n" % each for each in _beside(call, origin, origins)])


def _beside(call: Call, origin: str, origins: Collection[str]) -> list[tuple[bytes, bytes]]:
    """Return the headers that differ from request to request."""
    headers = [
        (b"x-request-id", call.request_id.encode()),
        (b"server-timing", call.server_timing().encode()),
        *((name.encode(), value.encode()) for name, value in call.limits.items()),
    ]
    if origin and origin in origins:
        headers.append((b"access-control-allow-origin", origin.encode()))
        headers.append((b"access-control-expose-headers", _EXPOSED))
    return headers
