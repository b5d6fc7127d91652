"""Work on several connections at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack
from itertools import islice
from queue import SimpleQueue
from typing import TypeVar

from condvest.batch_layer.database.postgres.connecting.connection import Database

Item = TypeVar("Item")
Result = TypeVar("Result")

SIDE_BY_SIDE = 2
"""Connections that work at once: while one waits for the server, the other one computes."""


def side_by_side(
    database: Database, work: Callable[[Database, Item], Result], items: Sequence[Item]
) -> Generator[tuple[Item, Result]]:
    """Do work on each item, two at once, each on a connection of its own; yield the results as they come.

    A single item is done on the connection given, in this thread. An error of the work is raised when what
    else is under way has ended; no more is begun. Whoever is interrupted, or stops in between, interrupts
    what is under way.
    """
    if len(items) <= 1:
        for item in items:
            yield item, work(database, item)
        return
    with ExitStack() as opened:
        free: SimpleQueue[Database] = SimpleQueue()
        workers = [opened.enter_context(database.another()) for _ in range(SIDE_BY_SIDE)]
        for worker in workers:
            free.put(worker)

        def do(item: Item) -> Result:
            mine = free.get()
            try:
                return work(mine, item)
            finally:
                free.put(mine)

        pool = opened.enter_context(ThreadPoolExecutor(SIDE_BY_SIDE))
        doing = {pool.submit(do, item): item for item in items[:SIDE_BY_SIDE]}
        waiting = iter(items[SIDE_BY_SIDE:])
        try:
            while doing:
                for done in wait(doing, return_when=FIRST_COMPLETED).done:
                    yield doing.pop(done), done.result()
                    doing |= {pool.submit(do, item): item for item in islice(waiting, 1)}
        except (GeneratorExit, KeyboardInterrupt, SystemExit):
            for worker in workers:
                worker.interrupt()
            raise
