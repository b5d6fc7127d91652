"""The journal: every snapshot and every frame as it came, so that a session can be replayed.

Each run writes files of its own, ``provider/session/NAME-POSITION.zst``, of records in the order in which the
run took them; POSITION is how many there are before a file's first. The run keeps NAME in ``live_runs``, and
no two runs of any databases have the same. A snapshot begins a file, which is its owner's alone. What a
record holds is on the disk's way before the rows that it changed are committed, and the run keeps with its
rows how many records they come from; a record beyond them, of a run that was killed, is none of theirs. The
journal proves and explains; nothing is restored from it, since the next snapshot says all that it would.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
import secrets
import shutil
import struct
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from condvest.batch_layer.shared.errors import ArchiveError
from condvest.batch_layer.shared.models.instruments.provider_kinds import checked_name
from condvest.batch_layer.shared.utils.ownership import make_folder

KEPT_SESSIONS = 5
"""Sessions that the journal keeps: a snapshot of the whole market takes about a megabyte."""

Kind = Literal["snapshot", "frame"]

_KINDS: dict[bytes, Kind] = {b"S": "snapshot", b"F": "frame"}
_LETTERS = {kind: letter for letter, kind in _KINDS.items()}
_HEAD = struct.Struct(">cqII")
"""Letter, when it came, length, CRC-32 of the content."""

_ENDING, _EARLIER_ENDING = ".zst", ".gz"
_OPTIONS: Mapping[int, int] = {
    zstd.CompressionParameter.compression_level: 1,
    zstd.CompressionParameter.checksum_flag: True,
}
"""A third of the processor's time of gzip at its level 1, for a quarter fewer bytes."""

_GZIP = 31


@dataclass(frozen=True)
class Record:
    """A record: what it is, when it came (microseconds since 1970-01-01 UTC), and its bytes."""

    kind: Kind
    received: int
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Journal:
    """The journal of one session.

    Attributes:
        root: the directory of all journals; made when first needed, its owner's alone.
        provider: whose messages.
        session: of which session.
    """

    root: Path
    provider: str
    session: dt.date

    @property
    def folder(self) -> Path:
        """Where the session's files lie."""
        return self.root / checked_name(self.provider) / self.session.isoformat()

    def make_folders(self) -> None:
        """Make the session's folder, and those that it lies in, where they are missing."""
        for folder in (self.root, self.folder.parent, self.folder):
            if not folder.is_dir():
                make_folder(folder, mode=0o700)

    def records(self, name: str, count: int) -> Iterator[Record]:
        """Yield the first records of a run, in the order in which it took them.

        Raises:
            ArchiveError: there are fewer, or one is no longer what was kept.
        """
        at = 0
        for path in sorted(self.folder.glob(f"{name}-*")):
            if path.suffix not in (_ENDING, _EARLIER_ENDING):
                continue
            if at == count or path.stem != _stem(name, at):
                break
            for record in _read(path):
                if at == count:
                    return
                yield record
                at += 1
        if at < count:
            raise ArchiveError(
                f"the run {name!r} took {count:,} messages of {self.session}, and {self.folder} keeps the "
                f"first {at:,} of them: files were removed, or are damaged"
            )

    def prune(self, kept: int = KEPT_SESSIONS) -> None:
        """Remove the journals of all but the newest sessions, and of this one."""
        sessions = sorted(path for path in self.folder.parent.glob("????-??-??") if path.is_dir())
        for path in sessions[:-kept]:
            if path != self.folder:
                shutil.rmtree(path, ignore_errors=True)


def new_name(now: dt.datetime) -> str:
    """Return a name for the files of a run that begins at an instant."""
    return f"{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


@dataclass(eq=False)
class Recorder:
    """Writes the records of one run; close it at the end.

    Attributes:
        journal: of which session.
        name: the run's; see `new_name`.
        position: how many records there are by now.
        on_ended: told of each file that has ended.
    """

    journal: Journal
    name: str
    position: int = 0
    on_ended: Callable[[Journal, Path], object] = lambda _journal, _path: None
    _path: Path | None = None
    _file: BinaryIO | None = None
    _zipped: zstd.ZstdCompressor | None = None

    def add(self, record: Record) -> None:
        """Add a record; a snapshot begins a new file.

        Raises:
            ArchiveError: it cannot be written; the message names the directory.
        """
        with _explained(self.journal):
            if self._file is None or record.kind == "snapshot":
                self._begin()
            head = (_LETTERS[record.kind], record.received, len(record.content), zlib.crc32(record.content))
            self._write(_HEAD.pack(*head) + record.content)
        self.position += 1

    def flush(self) -> None:
        """Hand all records to the operating system, so that a killed process loses none of them."""
        with _explained(self.journal):
            if self._file is not None and self._zipped is not None:
                self._file.write(self._zipped.flush(zstd.ZstdCompressor.FLUSH_BLOCK))
                self._file.flush()

    def close(self) -> None:
        """End the last file."""
        with _explained(self.journal):
            self._end()

    def _begin(self) -> None:
        self._end()
        self.journal.make_folders()
        self._path = self.journal.folder / f"{_stem(self.name, self.position)}{_ENDING}"
        self._file = os.fdopen(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")
        self._zipped = zstd.ZstdCompressor(options=_OPTIONS)

    def _write(self, content: bytes) -> None:
        if self._file is not None and self._zipped is not None:
            self._file.write(self._zipped.compress(content))

    def _end(self) -> None:
        file, zipped, self._file, self._zipped = self._file, self._zipped, None, None
        if file is not None and zipped is not None and self._path is not None:
            with file:
                file.write(zipped.flush())
            self.on_ended(self.journal, self._path)


@contextmanager
def _explained(journal: Journal) -> Iterator[None]:
    """Say of an error of the disk where it was, and what to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "no room on its disk: free some, or set CONDVEST_HOME to another" if full else str(error)
        raise ArchiveError(
            f"cannot keep what came of {journal.session} in the journal {journal.folder}: {reason}. Nothing "
            "of it was stored"
        ) from error


def _stem(name: str, position: int) -> str:
    return f"{name}-{position:09}"


def _read(path: Path) -> Iterator[Record]:
    """Yield the records of a file; the last of a run that was killed may be cut off, and is none.

    Earlier versions wrote by gzip.
    """
    is_earlier = path.suffix == _EARLIER_ENDING
    unzipped = zlib.decompressobj(wbits=_GZIP) if is_earlier else zstd.ZstdDecompressor()
    try:
        content = unzipped.decompress(path.read_bytes())
    except (OSError, zlib.error, zstd.ZstdError) as error:
        raise ArchiveError(f"{path} cannot be read: {error}") from error
    at = 0
    while at + _HEAD.size <= len(content):
        letter, received, length, checksum = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        part = content[at : at + length]
        if len(part) < length:
            return
        if letter not in _KINDS or zlib.crc32(part) != checksum:
            raise ArchiveError(f"{path}: the record that ends at byte {at + length:,} is not what was kept")
        yield Record(_KINDS[letter], received, part)
        at += length
