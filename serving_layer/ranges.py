"""Parts of a file as HTTP asks for them (RFC 9110, 14). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
_MOST_DIGITS = 18
"""More would be beyond any file."""


@dataclass(frozen=True)
class Part:
    """The bytes from ``first`` to ``last``, both inclusive; none if ``last`` lies before ``first``."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


def part_of(header: str | None, size: int) -> Part | None:
    """Return the part of a file of ``size`` bytes that a Range header asks for; None for the whole file.

    A header that is none, and one of several ranges, asks for the whole, which the RFC allows. For a file of
    100 bytes::

        bytes=0-9      the first ten
        bytes=90-      the last ten
        bytes=-10      the last ten
        bytes=95-999   the last five: the end is cut to the file's
        bytes=100-     an empty part, for there is no such byte: 416
    """
    match = _ONE_RANGE.fullmatch(header or "")
    if match is None or max(map(len, match.groups())) > _MOST_DIGITS or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:  # the last so many
        return Part(max(size - int(last), 0), size - 1) if int(last) else Part(size, size - 1)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        return Part(size, size - 1)
    return Part(int(first), min(int(last), size - 1) if last else size - 1)
