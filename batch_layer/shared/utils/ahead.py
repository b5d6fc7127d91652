"""Make the next thing while the present one is in use."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class _Failed:
    error: BaseException


def one_ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield the items in their order; while one is in use, the next one is made in another thread.

    The iterable is never run by two threads at once. An error of its own is raised where its item would have
    come. Whoever stops in between, or is interrupted, does not wait for the item that is under way:
    its thread ends when that is made, or with the process.
    """
    iterator = iter(items)
    made: SimpleQueue[T | _Failed] = SimpleQueue()
    waiting: list[T] = []

    def make() -> None:
        try:
            made.put(next(iterator))
        except BaseException as error:  # noqa: BLE001  # it is raised again in the other thread
            made.put(_Failed(error))

    while True:
        threading.Thread(target=make, name="one ahead", daemon=True).start()
        if waiting:
            yield waiting.pop()
        answer = made.get()
        if isinstance(answer, _Failed):
            if isinstance(answer.error, StopIteration):
                return
            raise answer.error
        waiting.append(answer)
