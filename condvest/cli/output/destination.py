"""Where an answer is written: standard output, a file, or whatever else has the name that ``-o`` gives."""

from __future__ import annotations

import errno
import gzip
import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Literal, cast, get_args

import click

from condvest.batch_layer.shared.errors import UsageError

Format = Literal["table", "csv", "json", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)

_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
}
_GZIP = ".gz"


def format_for(path: Path | None, asked: Format | None) -> Format:
    """Return the format to write.

    Args:
        path: the file to write, None for standard output.
        asked: what ``--format`` says, None if it is left out.

    Returns:
        What ``--format`` says, or else the suffix (before ``.gz``), or else CSV.

    Raises:
        UsageError: the suffix names no format, or a table or gzipped Parquet is asked for in a file.
    """
    if path is None:
        return asked or "table"
    if asked == "table":
        raise UsageError(f"a table is for the screen; for {path} choose --format csv, json or parquet")
    suffix = _suffix(path.name[: -len(_GZIP)] if is_gzip(path) else path.name)
    if asked is None and suffix and suffix not in _SUFFIXES:
        known = ", ".join(_SUFFIXES)
        raise UsageError(
            f"the suffix {suffix} of {path} names no format: use {known}, with .gz after it to compress, "
            "or give --format"
        )
    chosen = asked or _SUFFIXES.get(suffix, "csv")
    if chosen == "parquet" and is_gzip(path):
        raise UsageError(f"Parquet is compressed already: leave {_GZIP} out of {path}")
    return chosen


def is_gzip(path: Path) -> bool:
    """Return whether a file is to be compressed by gzip: its last suffix is ``.gz``, in any case."""
    return _suffix(path.name) == _GZIP


def _suffix(name: str) -> str:
    """Return what follows the last dot, with it, in lower case; of a hidden file such as ``.csv`` its name.

    `Path.suffix` takes a hidden file for one without a suffix, so ``.parquet`` would hold CSV.
    """
    return name[name.rindex(".") :].lower() if "." in name else ""


@contextmanager
def opened(path: Path | None) -> Iterator[IO[bytes]]:
    """Open what an answer is written to; compressed if the path ends with ``.gz``.

    A plain file, or a new one, gets its name when it is whole: until then the bytes are in a scratch file of
    a random name beside it, so that of two writers one gives its whole answer. The file keeps its mode, and
    links to it stay: a symbolic link's target is replaced, and a file with several names is written in place.
    A device, a pipe and a terminal are written into, and standard output stays what it is under all of its
    names.

    Raises:
        click.FileError: it cannot be opened or written.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with ExitStack() as stack:
            sink = stack.enter_context(_plain(path) if not _is_special(path) else _special(path))
            if is_gzip(path):
                # Neither name nor instant goes in, so the same answer gives the same bytes.
                compressed = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=sink, mtime=0)
                sink = cast("IO[bytes]", stack.enter_context(compressed))
            yield sink
    except OSError as error:
        raise click.FileError(str(path), hint=error.strerror or str(error)) from error


def _is_special(path: Path) -> bool:
    """Return whether a path names what is no plain file: a device, a pipe, our own standard output."""
    try:
        status = path.stat()
    except OSError:
        return False
    return not stat.S_ISREG(status.st_mode) or _is_standard_output(status)


def _is_standard_output(status: os.stat_result) -> bool:
    try:
        return os.path.samestat(status, os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):  # standard output is closed, or a test's
        return False


@contextmanager
def _special(path: Path) -> Iterator[IO[bytes]]:
    if _is_standard_output(path.stat()):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with os.fdopen(os.open(path, os.O_WRONLY), "wb") as file:
        yield file


@contextmanager
def _plain(path: Path) -> Iterator[IO[bytes]]:
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    before = target.stat() if target.exists() else None
    if before is not None and not os.access(target, os.W_OK):
        raise PermissionError(None, "it is write-protected")
    if before is not None and (before.st_nlink > 1 or not os.access(target.parent, os.W_OK)):
        with _in_place(target) as file:
            yield file
        return
    scratch = target.with_name(f".{target.name[:64]}.{secrets.token_hex(8)}.part")
    try:
        # O_EXCL follows no link that somebody else has put there; the mode is the umask's, as for any new
        # file.
        with os.fdopen(os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), "wb") as file:
            if before is not None:
                _like(before, file.fileno())
            yield file
        scratch.replace(target)
    finally:
        with suppress(OSError):  # it has been renamed, or its folder is not there
            scratch.unlink(missing_ok=True)


@contextmanager
def _in_place(target: Path) -> Iterator[IO[bytes]]:
    """Write a whole answer over a file that cannot be replaced, for its other names or its closed folder."""
    with tempfile.TemporaryFile() as whole:
        yield whole
        whole.seek(0)
        with target.open("wb") as file:
            shutil.copyfileobj(whole, file)


def _like(before: os.stat_result, descriptor: int) -> None:
    """Give a file the owner and the mode of the one that it replaces."""
    with suppress(PermissionError):  # only root may give files away
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
