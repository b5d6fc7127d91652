"""The standard streams, whatever a launcher made of them: open, closed, or leading nowhere.

A process whose standard streams are closed gives their numbers to the next files that it opens. Python then
has no `sys.stdout`, and prints on standard output what was meant for a closed standard error.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TextIO

_INPUT, _OUTPUT, _ERRORS = 0, 1, 2


class _Refusing(io.RawIOBase):
    """What stands for a closed standard output: it refuses every byte, as the closed stream would."""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return _OUTPUT

    def write(self, _: object) -> int:
        raise OSError(errno.EBADF, "standard output is closed")


def open_closed() -> None:
    """Give every closed standard stream something to be, so that no other file gets its number.

    Input is then empty. Output refuses to be written (OSError), so that no data are lost without a word. What
    is written to errors goes nowhere, for there is nobody to tell.
    """
    # In ascending order: each new descriptor gets the lowest free number.
    if _is_closed(_INPUT):
        os.open(os.devnull, os.O_RDONLY)
    if _is_closed(_OUTPUT):
        # The reading end of a pipe: nobody can write into it, and no path names the same file by chance, as
        # /dev/null would.
        _, writing = os.pipe()
        os.close(writing)
    if _is_closed(_ERRORS):
        os.open(os.devnull, os.O_WRONLY)
    for descriptor in (_INPUT, _OUTPUT, _ERRORS):
        os.set_inheritable(descriptor, True)  # noqa: FBT003  # as standard streams are; it takes no keyword
    if sys.stdin is None:
        sys.stdin = os.fdopen(_INPUT, encoding="utf-8", closefd=False)
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(_Refusing(), encoding="utf-8", write_through=True)
    if sys.stderr is None:
        sys.stderr = os.fdopen(_ERRORS, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def has_output() -> bool:
    """Return whether there is a standard output: False if it was closed when the command began."""
    return not isinstance(sys.stdout.buffer, _Refusing)


def drop(stream: TextIO) -> None:
    """Send what is still in a stream's buffer nowhere, so that flushing it at exit does not fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _is_closed(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return True
    return False
