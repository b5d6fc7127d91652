"""Secrets in what others send back: found however they are encoded, and made asterisks. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

SHORTEST_SECRET = 6
"""A shorter secret is none of a vendor's, and masking it would damage what an answer says."""

_ENCODERS = (b"%", b"\\", b"&#")
"""What every encoded character begins with, in URLs, JSON and HTML."""


class Mask:
    """Finds one secret.

    As it is; with any of its characters encoded as in URLs or JSON (also twice) or HTML; in hexadecimal; and
    in base64, of either alphabet, alone or within a longer text. Asterisks take its place, as many as there
    were bytes.
    """

    def __init__(self, secret: str) -> None:
        """Take the secret; one that is too short is never masked."""
        key = secret.encode()
        self._forms: list[bytes] = []
        self._encoded: re.Pattern[bytes] | None = None
        if len(key) >= SHORTEST_SECRET:
            hexadecimal = key.hex().encode()
            self._forms = [*dict.fromkeys((key, hexadecimal, hexadecimal.upper(), *_in_base64(key)))]
            self._encoded = re.compile(b"|".join(map(_any_encoding, self._forms)))

    def masked(self, content: bytes) -> bytes:
        """Return bytes without the secret."""
        for form in self._forms:
            if form in content:
                content = content.replace(form, b"*" * len(form))
        if self._encoded is not None and any(encoder in content for encoder in _ENCODERS):
            content = self._encoded.sub(lambda match: b"*" * len(match[0]), content)
        return content

    def masked_text(self, text: str) -> str:
        """Return text without the secret."""
        return self.masked(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def _in_base64(key: bytes) -> Iterator[bytes]:
    """Yield what base64 makes of the key wherever it begins: the digits that depend on nothing around it."""
    for before in range(3):
        digits = base64.b64encode(b"\0" * before + key)
        first = -(-before * 8 // 6)
        last = (before + len(key)) * 8 // 6
        yield digits[first:last]
        yield digits[first:last].translate(bytes.maketrans(b"+/", b"-_"))


def _any_encoding(form: bytes) -> bytes:
    """Return a pattern for bytes of which any may be encoded."""
    return b"".join(
        b"(?:%s|%%(?:25)*(?i:%02x)|\\\\+u00(?i:%02x)|\\\\+%s|&#(?:0*%d|[xX]0*(?i:%02x));)"
        % (re.escape(bytes([byte])), byte, byte, re.escape(bytes([byte])), byte, byte)
        for byte in form
    )
