"""Unpack gzip piece by piece.

By zlib itself, which checks the sums, and not by the `gzip` module: that takes eight kilobytes at a time,
copies each, and takes a quarter longer.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from condvest.batch_layer.shared.models.given.contents import Content

_WITH_GZIP_HEADER = 31
"""The largest window, and 16: zlib then reads the header and the trailer of gzip."""

_PACKED_BYTES = 1 << 19
"""So many bytes are unpacked at once, at most; prices make three to six times as many of them.

What is larger is new memory each time, whose pages the system has to clear."""


class DamagedGzip(Exception):
    """The bytes are not what gzip wrote, whole; the argument says what is wrong."""


class TruncatedGzip(DamagedGzip):
    """They end before the end of what gzip wrote."""


def gunzipped(content: Content, most: int) -> Iterator[bytes]:
    """Yield what a content that begins as gzip unpacks to; several members make one text.

    Args:
        content: the packed bytes.
        most: bytes of a piece; they take twice as much memory.

    Raises:
        DamagedGzip: the bytes are damaged, or others follow that are neither gzip nor zeros.
    """
    member = zlib.decompressobj(_WITH_GZIP_HEADER)
    at, begun, packed = 0, True, b""
    while True:
        if not packed:
            packed = content[at : at + _PACKED_BYTES]
            at += len(packed)
        if not begun:
            packed = packed.lstrip(b"\0")  # gzip's own tools fill up with zeros
        if not packed:
            if at < len(content):
                continue
            if begun:
                raise TruncatedGzip("it ends within what was packed")
            return
        try:
            piece = member.decompress(packed, most)
        except zlib.error as error:
            raise DamagedGzip(str(error)) from error
        if piece:
            yield piece
        begun = not member.eof
        packed = member.unconsumed_tail if begun else member.unused_data
        if not begun:
            member = zlib.decompressobj(_WITH_GZIP_HEADER)
