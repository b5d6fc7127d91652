"""The journal: every snapshot as it came, so that a session can be replayed.

One file per snapshot, ``provider/session/instant-digest.json.gz``; the names ascend by the instants at which
the snapshots came. A file is its owner's alone, and appears under its name only when it is whole. The journal
proves and explains; nothing is restored from it, since the next snapshot says all that it would.
"""

from __future__ import annotations

import datetime as dt
import errno
import gzip
import hashlib
import os
import re
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from batch_layer.shared.errors import ArchiveError
from batch_layer.shared.models.providers import checked_name
from batch_layer.shared.utils.ownership import make_folder
from speed_layer.core.phases import SECOND

KEPT_SESSIONS = 5
"""Sessions that the journal keeps: a snapshot of the whole market takes about a megabyte."""

_INSTANT = "%H%M%S.%f"
_ENDING = ".json.gz"
_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{16}" + re.escape(_ENDING))


@dataclass(frozen=True)
class Entry:
    """A snapshot of the journal: its bytes, and when they came, microseconds since 1970-01-01 UTC."""

    received: int
    content: bytes


@dataclass(frozen=True)
class Journal:
    """The journal of one session.

    Attributes:
        root: the directory of all journals; made when first needed, its owner's alone.
        provider: whose snapshots.
        session: of which session.
    """

    root: Path
    provider: str
    session: dt.date

    @property
    def folder(self) -> Path:
        """Where the session's snapshots lie."""
        return self.root / checked_name(self.provider) / self.session.isoformat()

    def keep(self, entry: Entry) -> None:
        """Keep a snapshot.

        Raises:
            ArchiveError: the directory cannot be written; the message names it.
        """
        instant = dt.datetime.fromtimestamp(entry.received // SECOND, dt.UTC)
        instant += dt.timedelta(microseconds=entry.received % SECOND)
        name = f"{instant:%Y%m%dT}{instant.strftime(_INSTANT)}Z-{_digest(entry.content)}{_ENDING}"
        try:
            for folder in (self.root, self.folder.parent, self.folder):
                if not folder.is_dir():
                    make_folder(folder, mode=0o700)
            scratch = self.folder / f".part-{name}"
            scratch.unlink(missing_ok=True)  # of a run that was killed; and no link is written through
            with os.fdopen(os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(gzip.compress(entry.content, compresslevel=1, mtime=0))
            scratch.replace(self.folder / name)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            reason = "no room on its disk: free some, or set CONDVEST_HOME to another" if full else str(error)
            raise ArchiveError(
                f"cannot keep a snapshot of {self.session} in the journal {self.folder}: {reason}. Nothing "
                "of it was stored"
            ) from error

    def entries(self) -> Iterator[Entry]:
        """Yield the snapshots in the order in which they came.

        Raises:
            ArchiveError: there are none, or one is no longer what was kept.
        """
        kept = [path for path in sorted(self.folder.glob(f"*{_ENDING}")) if _NAME.fullmatch(path.name)]
        if not kept:
            raise ArchiveError(f"no snapshot of {self.session} is kept in {self.folder}")
        for path in kept:
            instant, _, digest = path.name.removesuffix(_ENDING).partition("Z-")
            try:
                came = dt.datetime.strptime(instant, f"%Y%m%dT{_INSTANT}").replace(tzinfo=dt.UTC)
                content = gzip.decompress(path.read_bytes())
            except (OSError, EOFError, ValueError, zlib.error) as error:
                raise ArchiveError(f"{path} cannot be read: {error}") from error
            if _digest(content) != digest:
                raise ArchiveError(f"{path} has the digest {_digest(content)}, but {digest} was kept")
            yield Entry(int(came.timestamp()) * SECOND + came.microsecond, content)

    def prune(self, kept: int = KEPT_SESSIONS) -> None:
        """Remove the journals of all but the newest sessions, and of this one."""
        sessions = sorted(path for path in self.folder.parent.glob("????-??-??") if path.is_dir())
        for path in sessions[:-kept]:
            if path != self.folder:
                shutil.rmtree(path, ignore_errors=True)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
