"""Answers over HTTP as bytes on the wire: sizes, packing, pieces and ends that may all be wrong."""

import gzip
import json
import zlib

from hypothesis import strategies as st

from tests.support.strategies.spoilt import spoilt_bytes, spoilt_json

STATUS = st.sampled_from(
    [
        *["200 OK"] * 12,
        *(
            "100 Continue",
            "204 No Content",
            "206 Partial Content",
            "301 Moved",
            "302 Found",
            "304 Not Modified",
        ),
        *("307 Temporary", "400 Bad", "401 No", "403 No", "404 Not Found", "429 Slow", "500 Oh", "503 Later"),
        *("999 Denied", "000 None", "20 Short", "2000 Long", "abc", ""),
    ]
)
LENGTHS = st.sampled_from(["", "0", "1", "-1", "+5", "1e3", "abc", "9" * 30, "9" * 5_000, "5, 5", "\u0663"])
LOCATIONS = st.sampled_from(
    [
        "",
        "/",
        "/elsewhere",
        "//evil.example/x",
        "http://[",
        "http://127.0.0.1:9/",
        "/" + "x" * 70_000,
        "\x7f",
        "?a=1",
    ]
)
HEADERS = st.sampled_from(
    [
        "Retry-After: 99999999999999999999",
        "Retry-After: -1",
        "Retry-After: Fri, 31 Dec 9999 23:59:59 -2300",
        "Set-Cookie: a=b; expires=never; max-age=99999999999999999999",
        "Set-Cookie: =;;;",
        "X:",
        ": x",
        "no colon",
        "X: " + "x" * 70_000,
        "X: \xff\xfe",
        "X: a\0b",
        " folded: x",
        "Content-Type: text/html; charset=nonsense",
        "Connection: keep-alive",
        "Upgrade: h2c",
        "Transfer-Encoding: gzip, chunked",
    ]
)
PACKED = st.sampled_from(
    [*["plain"] * 4, "gzip", "gzip", "twice", "cut", "denied", "claimed", "br", "deflate"]
)
LAST_CHUNKS = st.sampled_from(
    [
        *[b"0\r\n\r\n"] * 3,
        *(b"", b"0\r\n", b"ffffffffffffffffffff\r\n", b"-1\r\n\r\n", b"zz\r\n", b"0\r\nX: y\r\n\r\n"),
    ]
)


def _packed(draw, body):
    how = draw(PACKED)
    if how in ("plain", "claimed", "br"):
        name = {"plain": None, "claimed": "gzip", "br": "br"}[how]
        return body, name
    if how == "deflate":
        return zlib.compress(body), "deflate"
    packed = gzip.compress(body, mtime=0)
    packed = {"twice": gzip.compress(packed, mtime=0), "cut": packed[: len(packed) // 2]}.get(how, packed)
    return packed, None if how == "denied" else "gzip"


def _chunked(draw, body):
    size = draw(st.sampled_from([1, 7, 1_000, 10**6])) if len(body) < 5_000 else 1_000
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + draw(LAST_CHUNKS)


@st.composite
def raw_answer(draw, document):
    """Draw the bytes of an answer whose body is a JSON document, perhaps spoilt."""
    good = json.dumps(document).encode()
    body, packing = _packed(draw, draw(st.one_of(st.just(good), st.just(b""), spoilt_json(document))))
    headers = [draw(HEADERS) for _ in range(draw(st.integers(0, 2)))]
    if packing:
        headers.append(f"Content-Encoding: {packing}")
    if draw(st.integers(0, 3)) == 0:
        headers.append(f"Location: {draw(LOCATIONS)}")
    how = draw(st.sampled_from(["length", "length", "chunked", "close", "lie", "both"]))
    if how in ("length", "both"):
        headers.append(f"Content-Length: {len(body) + draw(st.sampled_from([0, 0, 0, 1, -1, 100]))}")
    if how == "lie":
        headers += [f"Content-Length: {draw(LENGTHS)}" for _ in range(draw(st.integers(1, 2)))]
    if how in ("chunked", "both"):
        headers.append("Transfer-Encoding: chunked")
        body = _chunked(draw, body)
    version = draw(st.sampled_from([*["HTTP/1.1"] * 5, "HTTP/1.0", "HTTP/0.9", "HTTP/2", "ICY"]))
    head = "\r\n".join([f"{version} {draw(STATUS)}", *headers]).encode("utf-8", "surrogatepass")
    whole = head + b"\r\n\r\n" + body
    return draw(st.one_of(st.just(whole), st.just(whole), st.just(whole), spoilt_bytes(whole), _cut(whole)))


def _cut(whole):
    return st.integers(0, len(whole)).map(lambda at: whole[:at])
