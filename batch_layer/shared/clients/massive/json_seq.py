"""Several JSON texts in one: an RFC 7464 JSON text sequence.

Each text, as it came, stands between a record separator (0x1E) and a line feed. A JSON text holds no raw
control character but white space, so the separator divides without doubt.
"""

from __future__ import annotations

from collections.abc import Iterable

from condvest.batch_layer.shared.errors import InputError

_SEPARATOR = b"\x1e"
_END = b"\n"


def join(texts: Iterable[bytes]) -> bytes:
    """Return the sequence of the texts."""
    return b"".join(piece for text in texts for piece in (_SEPARATOR, text, _END))


def divide(content: bytes) -> list[bytes]:
    """Return the texts of a sequence, in order.

    Raises:
        InputError: the content is no such sequence, or its end is missing (RFC 7464 has no other way to
            tell that a last text is whole).
    """
    if not content:
        return []
    if not content.startswith(_SEPARATOR):
        raise InputError(f"no JSON text sequence: it begins with {content[:20]!r}, not 0x1E")
    if not content.endswith(_END):
        raise InputError("a JSON text sequence that is cut off: no line feed at its end")
    return [text.removesuffix(_END) for text in content[1:].split(_SEPARATOR)]
