"""One request to Massive and its answer: every status, header and byte, nothing hidden, nothing repeated.

This is the only place that holds the key. It goes out as a bearer token, to the base URL's origin alone.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from condvest.batch_layer.shared.clients.massive.wire.urls import Urls, path_of
from condvest.batch_layer.shared.errors import InputError, VendorRefused, VendorUnavailable
from condvest.batch_layer.shared.utils.masking import Mask

MAX_BYTES = 16_000_000
"""An answer of more than 16 MB, packed or unpacked, is refused: a whole session takes less than 2 MB, and
JSON takes up to 25 times its bytes of memory."""

MAX_LIST_BYTES = 200_000_000
"""All pages of one list together."""

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
"""How long the next bytes of an answer may take."""

WHOLE_SECONDS = 300.0
"""How long a whole answer may take, however it drips."""

_CHUNK = 1 << 16
_GZIP = 16 + zlib.MAX_WBITS
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Answer:
    """An answer as it came.

    Attributes:
        status: the HTTP status.
        headers: names in any case find them.
        body: the bytes, unpacked if they came as gzip.

    Where they repeat the key, however encoded, asterisks are in its place.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Transport:
    """Sends one request at a time over connections that are kept alive. Threads may share it."""

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        max_bytes: int = MAX_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Make ready; nothing is sent yet.

        Args:
            base_url: where Massive is.
            key: the API key.
            max_bytes: the largest body taken.
            monotonic: seconds, for the time that a whole answer may take.
            transport: another way to send, for tests.
        """
        self.urls = Urls(base_url.rstrip("/"))
        self._mask = Mask(key)
        self._max_bytes = max_bytes
        self._monotonic = monotonic
        self._client = httpx.Client(
            headers={
                "Authorization": f"Bearer {key}",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": "condvest",
            },
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,
            transport=transport,
            # A proxy of the environment serves the outside; it cannot reach this machine itself.
            trust_env=urlsplit(base_url).hostname not in _LOOPBACK,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, url: str) -> Answer:
        """Return the answer of one request; redirects are answers, too.

        Raises:
            VendorUnavailable: no answer, or not all of it: refused, reset, timed out, cut off, not gzip.
            VendorRefused: the URL is of another origin; nothing was sent.
            InputError: the answer is larger than the limit; the message gives both sizes.
        """
        if not self.urls.are_of(url):
            raise VendorRefused(f"{path_of(url)}: is not below {self.urls.base}; the key is not sent there")
        try:
            with self._client.stream("GET", url) as response:
                body = self._mask.masked(self._body(response, path_of(url)))
                headers = [(name, self._mask.masked(value)) for name, value in response.headers.raw]
                return Answer(response.status_code, httpx.Headers(headers), body)
        except (httpx.TransportError, httpx.InvalidURL) as error:  # the latter: where a redirect leads
            raise VendorUnavailable(
                f"{urlsplit(self.urls.base).hostname} gave no whole answer "
                f"({type(error).__name__}: {self._mask.masked_text(str(error))})"
            ) from error

    def _body(self, response: httpx.Response, path: str) -> bytes:
        self._check_told_size(response, path)
        unpack = _unpacker(response.headers.get("Content-Encoding", ""), self._max_bytes)
        deadline = self._monotonic() + WHOLE_SECONDS
        chunks, size = [], 0
        for packed in response.iter_raw(_CHUNK):
            chunk = unpack.add(packed)
            size += len(chunk)
            if size > self._max_bytes:
                raise _too_large(path, f"more than {self._max_bytes:,} bytes", self._max_bytes)
            if self._monotonic() > deadline:
                raise VendorUnavailable(f"the answer had not ended after {WHOLE_SECONDS:.0f} s")
            chunks.append(chunk)
        unpack.check_ended()
        return b"".join(chunks)

    def _check_told_size(self, response: httpx.Response, path: str) -> None:
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) > self._max_bytes:
            raise _too_large(path, f"{int(length):,} bytes", self._max_bytes)


class _Plain:
    """Takes bytes as they are."""

    def add(self, packed: bytes) -> bytes:
        return packed

    def check_ended(self) -> None:
        """Say nothing: HTTP itself tells how long a plain body is."""


class _Gunzip:
    """Unpacks gzip, of any number of members, never to more than a limit and one byte."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes + 1
        self._member = zlib.decompressobj(_GZIP)
        self._is_begun = False

    def add(self, packed: bytes) -> bytes:
        pieces = []
        try:
            while packed and self._left:
                if self._member.eof:
                    self._member = zlib.decompressobj(_GZIP)
                piece = self._member.decompress(packed, self._left)
                pieces.append(piece)
                self._left -= len(piece)
                self._is_begun = True
                packed = self._member.unused_data
        except zlib.error as error:
            raise VendorUnavailable(f"the answer says that it is gzip and is not ({error})") from error
        return b"".join(pieces)

    def check_ended(self) -> None:
        if self._is_begun and not self._member.eof:
            raise VendorUnavailable("the answer's gzip is cut off")


def _unpacker(encoding: str, max_bytes: int) -> _Plain | _Gunzip:
    plain = encoding.strip().lower()
    if plain in ("", "identity"):
        return _Plain()
    if plain in ("gzip", "x-gzip"):
        return _Gunzip(max_bytes)
    raise VendorUnavailable(f"the answer is packed as {encoding[:40]!r}, though only gzip was asked for")


def _too_large(path: str, size: str, limit: int) -> InputError:
    return InputError(
        f"{path}: the answer is {size}, above the limit of {limit:,}; it was not read further. "
        "A whole session takes less than 2,000,000: is the base URL Massive's?"
    )
