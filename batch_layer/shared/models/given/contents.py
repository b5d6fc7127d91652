"""The bytes of what a provider answered, in memory or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, SupportsIndex, overload


class Content(Protocol):
    """The bytes of a payload; ``bytes`` are one, and so is a large file that is not in memory."""

    def __len__(self) -> int: ...

    @overload
    def __getitem__(self, at: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, at: slice, /) -> bytes: ...


def pieces_of(content: Content) -> Iterator[bytes]:
    """Yield bytes in their order, some at a time."""
    if isinstance(content, bytes):
        yield content
        return
    yield from (content[at : at + _PIECE] for at in range(0, len(content), _PIECE))


_PIECE = 1 << 20
