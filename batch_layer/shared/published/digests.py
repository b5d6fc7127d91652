"""The digests of published files: of a whole file, and of its footer, where Parquet says what lies where.

The pages of our files carry checksums of their own, and a reader looks at them. The footer has none: one bit
of it may hide rows without an error. So the manifest names its digest, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from condvest.batch_layer.shared.errors import PublishedError
from condvest.batch_layer.shared.published.manifest import PublishedFile
from condvest.batch_layer.shared.published.target import PublishTarget

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_END = 8
"""Bytes behind the footer: its length in four bytes, little-endian, and ``PAR1``."""

_READ_AT_ONCE = 65_536
_FILES_AT_ONCE = 4


def sha256_of(chunks: Iterable[bytes]) -> str:
    """Return the SHA-256 of bytes that come in chunks, hexadecimal."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def footer_of(file: Any) -> bytes:  # noqa: ANN401  # of Arrow or of Python
    """Return the footer of an open Parquet file with the bytes behind it, in one read if it is small.

    Raises:
        ValueError: the file is none of Parquet.
    """
    file.seek(0, 2)
    size = file.tell()
    file.seek(max(size - _READ_AT_ONCE, 0))
    end: bytes = file.read(_READ_AT_ONCE)
    length = int.from_bytes(end[-_END:-4], "little") + _END
    if not end.endswith(b"PAR1") or length > size:
        raise ValueError("its end is no footer of Parquet")
    if length > len(end):
        file.seek(size - length)
        end = file.read(length)
    return end[-length:]


def metadata_of(footer: bytes) -> pq.FileMetaData:
    """Return what a footer says."""
    # Imported here: who only compares bytes does not wait for what reads Parquet.
    import pyarrow.parquet as pq  # noqa: PLC0415

    return pq.read_metadata(pa.BufferReader(b"PAR1" + footer))


def damaged(target: PublishTarget, files: Sequence[PublishedFile]) -> dict[str, str]:
    """Return the files whose bytes are not those that the manifest names: by path, what is wrong.

    Raises:
        PublishedUnavailable: the target does not answer.
    """
    if len(files) <= 1:  # as each small data set is looked at: a thread costs more than its file
        return {file.path: damage for file in files if (damage := _damage(target, file))}
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        damages = pool.map(lambda file: _damage(target, file), files)
        return {file.path: damage for file, damage in zip(files, damages, strict=True) if damage}


def _damage(target: PublishTarget, file: PublishedFile) -> str:
    try:
        digest = sha256_of(target.chunks(file.path))
    except PublishedError as error:
        return str(error)
    if digest == file.sha256:
        return ""
    return f"has the SHA-256 {digest}, but its manifest says {file.sha256}"
