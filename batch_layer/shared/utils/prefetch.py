"""Let another thread make things, while this one uses what is made or does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
Item = TypeVar("Item")


@dataclass(frozen=True)
class _Failed:
    error: BaseException


def ahead(items: Iterable[T], most: int) -> Generator[list[T]]:
    """Yield the items in their order, each time all that are made and at least one, at most ``most``.

    While those are in use, up to ``most`` more are made in another thread: so whoever takes long gets many at
    once, and whoever is quicker than the making gets one after the other. An error of the iterable is raised
    when all that came before it has been yielded. Whoever stops in between, or is interrupted, does not wait
    for the item that is under way: the thread ends when that is made, or with the process.
    """
    made: SimpleQueue[T | _Failed] = SimpleQueue()
    room = threading.Semaphore(most)
    is_over = threading.Event()

    def make() -> None:
        iterator = iter(items)
        while room.acquire() and not is_over.is_set():
            try:
                made.put(next(iterator))
            except BaseException as error:  # noqa: BLE001  # it is raised again in the other thread
                made.put(_Failed(error))
                return

    threading.Thread(target=make, name="ahead", daemon=True).start()
    try:
        while True:
            taken = [made.get()]
            while not made.empty():
                taken.append(made.get())
            batch = [one for one in taken if not isinstance(one, _Failed)]
            room.release(len(batch) or 1)
            if batch:
                yield batch
            for one in taken[len(batch) :]:
                if isinstance(one, _Failed) and not isinstance(one.error, StopIteration):
                    raise one.error
                return
    finally:
        is_over.set()
        room.release()


def in_turn(work: Callable[[Item], T], items: Sequence[Item]) -> list[Future[T]]:
    """Begin to do work on the items in another thread, one after the other; return the results to come.

    The error of an item ends the work, and is that of all items after it too. Whoever is interrupted does not
    wait for the item that is under way.
    """
    coming: list[Future[T]] = [Future() for _ in items]

    def do() -> None:
        for place, item in enumerate(items):
            try:
                coming[place].set_result(work(item))
            except BaseException as error:  # noqa: BLE001  # it is raised again by whoever asks
                for one in coming[place:]:
                    one.set_exception(error)
                return

    threading.Thread(target=do, name="in turn", daemon=True).start()
    return coming
