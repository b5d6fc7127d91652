"""How the archive keeps a payload's bytes: text packed by zstd (RFC 8878), what came packed as it came.

A vendor's session of JSON takes a quarter so, 28 bytes a daily bar. Archives of earlier versions hold text as
it came; the description of a payload says which it is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from condvest.batch_layer.shared.errors import ArchiveError
from condvest.batch_layer.shared.models.given.contents import Content, pieces_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZSTD = "zstd"
"""What the description of a packed payload says in its field ``packed``."""

SUFFIXES = {None: "", ZSTD: ".zst"}
"""What the name of a payload's bytes has behind the key, by how they are packed."""

_AS_THEY_CAME = (".gz", "parquet")
_LEVEL = 3
_OPTIONS: Mapping[int, int] = {
    zstd.CompressionParameter.compression_level: _LEVEL,
    zstd.CompressionParameter.checksum_flag: True,
    zstd.CompressionParameter.content_size_flag: True,
}


def packing_of(media: str) -> str | None:
    """Return how new payloads of a media type are packed: ZSTD; None for those that are packed already."""
    return None if media.endswith(_AS_THEY_CAME) else ZSTD


def packed(content: Content, packing: str | None) -> Iterator[bytes]:
    """Yield the bytes as they are kept, some at a time."""
    if packing is None:
        yield from pieces_of(content)
        return
    packer = zstd.ZstdCompressor(options=_OPTIONS)
    packer.set_pledged_input_size(len(content))
    for piece in pieces_of(content):
        yield packer.compress(piece)
    yield packer.flush()


def unpacked(kept: bytes, packing: str | None, *, key: str) -> bytes:
    """Return the payload's bytes.

    Raises:
        ArchiveError: what is kept cannot be unpacked.
    """
    if packing is None:
        return kept
    try:
        return bytes(zstd.decompress(kept))
    except (zstd.ZstdError, EOFError) as error:
        raise ArchiveError(f"{key} in the archive is damaged ({error}); restore it from a backup") from error
