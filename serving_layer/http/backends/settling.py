"""Reading what takes more than one transaction, or a version that may disappear meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from condvest.batch_layer.shared.errors import PublishedError
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.backends.states import State

T = TypeVar("T")

_TRIES = 3


def settled(
    backend: Backend, before: State, read: Callable[[], tuple[T, State | None]], *, live: bool = False
) -> tuple[T, State]:
    """Read, and return what was read with the state of the data that it belongs to.

    What is read in one transaction tells its state itself. Of the rest the state is known if it was the same
    before and after; where the data do not stay long enough, the state has no version, so that the answer is
    never taken for another one's. Where a published version disappears while it is read, the next one is
    read.

    Args:
        backend: where to read.
        before: its state before anything is read.
        read: what to do; its state is None if it took more than one transaction.
        live: whether the state is that of the session under way, too.
    """
    for left in reversed(range(_TRIES)):
        try:
            value, state = read()
        except PublishedError:
            # Raises PublishedGone if it was this version alone that was asked for.
            after = backend.state(live=live)
            if after == before or not left:
                raise
        else:
            if state is not None:
                return value, state
            after = backend.state(live=live)
            if after == before:
                return value, after
        before = after
    return value, State("", before.load)
