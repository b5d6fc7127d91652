"""Take a file from the disk as a payload: its bytes, unaltered."""

from __future__ import annotations

import datetime as dt
import glob
import os
import stat
from pathlib import Path

from condvest.batch_layer.shared.clients.files.unpacking.bounds import MAX_UNPACKED_BYTES
from condvest.batch_layer.shared.clients.files.unpacking.contents import begins_with, content_of
from condvest.batch_layer.shared.clients.files.unpacking.unpack import GZIP_MAGIC, PARQUET_MAGIC
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.contents import Content
from condvest.batch_layer.shared.models.given.file_options import AS_THEY_ARE, FileOptions
from condvest.batch_layer.shared.models.given.payloads import DatasetName, Payload

SUFFIXES = (".csv", ".csv.gz", ".txt", ".txt.gz", ".parquet")
"""Of a folder, the files that are read."""


def expand(path: Path) -> list[Path]:
    """Return the files that a path stands for, sorted.

    A folder stands for all files below it with one of SUFFIXES, but for names that begin with a dot or an
    underscore; a pattern (``prices/*.csv``) for what it matches; anything else for itself.

    Raises:
        InputError: there is no such file in the folder, or nothing matches.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if _is_table(file, path))
        if not files:
            raise InputError(f"{path}: is a directory without files of {', '.join(SUFFIXES)}")
        return files
    if not path.exists() and glob.has_magic(str(path)):
        matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207  # the pattern may be absolute
        if not matches:
            raise InputError(f"{path}: matches no file")
        return matches
    return [path]


def _is_table(file: Path, folder: Path) -> bool:
    is_hidden = any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    return file.name.lower().endswith(SUFFIXES) and not is_hidden and file.is_file()


def read_payload(
    path: str | os.PathLike[str],
    *,
    provider: str,
    dataset: DatasetName,
    now: dt.datetime,
    options: FileOptions = AS_THEY_ARE,
) -> Payload:
    """Read a file whole.

    What it holds is told by its first bytes, not by its suffix. The sessions are left open (None), for
    only the rows say them, and the file is not taken for a whole market (``is_whole`` is False).

    Args:
        path: a regular file or a pipe.
        provider: the name under which the rows are kept.
        dataset: what the file should hold.
        now: when it is read, an aware datetime.
        options: what was said about the file.

    Raises:
        InputError: the file is missing, a directory, a device, empty, unreadable, or larger than
            MAX_UNPACKED_BYTES; the message names the path.
    """
    # A name that is no valid text (any bytes may be one) must not reach a database or a terminal.
    name = str(path).encode("utf-8", "backslashreplace").decode()
    try:
        content = _content(Path(path), name)
    except FileNotFoundError as error:
        raise InputError(f"{name}: no such file; check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{name}: cannot be read ({reason}); check its permissions") from error
    if not len(content):
        raise InputError(f"{name}: the file is empty; was its download finished?")
    return Payload(
        provider=provider,
        dataset=dataset,
        content=content,
        media=_media(content),
        first_session=None,
        last_session=None,
        fetched_at=now.astimezone(dt.UTC),
        is_whole=False,
        name=name,
        options=options,
    )


def _content(path: Path, name: str) -> Content:
    # Looked at before it is opened: opening a device can block or never end.
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise InputError(f"{name}: is a directory; name the files in it")
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise InputError(f"{name}: is neither a file nor a pipe; name a file")
    with path.open("rb") as file:
        content = content_of(file, MAX_UNPACKED_BYTES)
    if len(content) > MAX_UNPACKED_BYTES:
        raise InputError(f"{name}: is larger than {MAX_UNPACKED_BYTES >> 30} GiB; divide it")
    return content


def _media(content: Content) -> str:
    if begins_with(content, GZIP_MAGIC):
        return "csv.gz"
    return "parquet" if begins_with(content, PARQUET_MAGIC) else "csv"
