"""Let a second thread produce items while this one uses those that are ready, or does something else."""

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
    """The last thing that the producing thread hands over: why it stopped (StopIteration at the end)."""

    error: BaseException


def prefetch_batches(items: Iterable[T], most: int) -> Generator[list[T]]:
    """Yield the items in their order, in batches of those that are ready: at least one, at most ``most``.

    While a batch is in use, a second thread produces up to ``most`` further items: a slow consumer gets
    large batches, a quick one gets single items.

    Closing the generator does not wait for the item under way; the thread ends when it has that item, or
    with the process.

    Raises:
        BaseException: whatever the iterable raises, once all items before it have been yielded.
    """
    ready: SimpleQueue[T | _Failed] = SimpleQueue()
    room = threading.Semaphore(most)
    is_over = threading.Event()

    def produce() -> None:
        iterator = iter(items)
        while room.acquire() and not is_over.is_set():
            try:
                ready.put(next(iterator))
            except BaseException as error:  # noqa: BLE001  # the consuming thread raises it
                ready.put(_Failed(error))
                return

    threading.Thread(target=produce, name="prefetch batches", daemon=True).start()
    try:
        while True:
            received = [ready.get()]
            while not ready.empty():
                received.append(ready.get())
            batch = [item for item in received if not isinstance(item, _Failed)]
            room.release(len(batch) or 1)
            if batch:
                yield batch
            for end in received[len(batch) :]:
                if isinstance(end, _Failed) and not isinstance(end.error, StopIteration):
                    raise end.error
                return
    finally:
        is_over.set()
        room.release()


def submit_in_order(work: Callable[[Item], T], items: Sequence[Item]) -> list[Future[T]]:
    """Start to call ``work`` on one item after the other in a second thread; return a future per item.

    The first error ends the work: that item's future and all later ones raise it. An interrupted caller
    does not wait for the item under way.
    """
    results: list[Future[T]] = [Future() for _ in items]

    def work_on_all() -> None:
        for number, item in enumerate(items):
            try:
                results[number].set_result(work(item))
            except BaseException as error:  # noqa: BLE001  # every future from here on raises it
                for result in results[number:]:
                    result.set_exception(error)
                return

    threading.Thread(target=work_on_all, name="submit in order", daemon=True).start()
    return results
