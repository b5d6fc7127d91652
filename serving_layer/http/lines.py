"""Connections over which an event loop asks the database itself, without a thread between them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol

from condvest.batch_layer.database.postgres.asked import Asked
from condvest.batch_layer.database.postgres.prepared import Row
from condvest.batch_layer.shared.errors import CondvestError
from condvest.serving_layer.http.calls import CALL
from condvest.serving_layer.http.sessions import LONGEST_STATEMENT
from condvest.serving_layer.http.stored import Asking
from condvest.serving_layer.http.threads import Threads

MOST = 2
"""Connections: the database works on one statement while the answer of another is made."""

LONGEST_QUEUE = 32
"""Questions that may wait for a connection; one more goes to the threads, which may refuse it."""


class Connecting(Protocol):
    """What of a `Backend` this needs."""

    def line(self) -> Asked | None:
        """Return a connection for an event loop, not yet prepared; None if it would be of no use."""
        ...


class Lines:
    """Asks over a few connections, which are made on threads. For one event loop at a time.

    Whatever is not as it should be (no connection yet, a lost one, a statement that the database refuses or
    that takes too long) is no error here: the question is asked again on a thread, where it is told.
    """

    def __init__(self, source: Connecting, threads: Threads) -> None:
        """Ask over what a source connects, on threads."""
        self._source = source
        self._threads = threads
        self._free: list[Asked] = []
        self._lost: list[Asked] = []
        self._at_work = 0
        self._waiting: deque[asyncio.Future[Asked | None]] = deque()
        self._preparing: asyncio.Task[None] | None = None
        self._is_useless = False

    async def row(self, asking: Asking) -> tuple[Row, int | None] | None:
        """Return the row of a statement, and the schema that the database had when it was opened.

        Returns:
            None if it has to be asked on a thread.
        """
        line = self._taken() if self._free else await self._turn()
        if line is None:
            return None
        began, row = time.perf_counter(), None
        try:
            row = await line.row(LONGEST_STATEMENT, asking.statement)
        finally:
            self._give_back(line)
            call = CALL.get()
            if call is not None:
                call.worked += time.perf_counter() - began
        return None if row is None else (row, line.database.schema)

    def close(self) -> None:
        """Watch the connections no longer; who opened them closes them."""
        for line in (*self._free, *self._lost):
            line.forget()
        self._free.clear()

    def _taken(self) -> Asked:
        self._at_work += 1
        return self._free.pop()

    async def _turn(self) -> Asked | None:
        """Return a connection when one is free; None if there is none to wait for, or too many wait."""
        if self._at_work < MOST:
            self._prepare_soon()
        if not self._at_work or len(self._waiting) >= LONGEST_QUEUE:
            return None
        coming: asyncio.Future[Asked | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(coming)
        try:
            return await coming
        except asyncio.CancelledError:
            line = coming.result() if coming.done() and not coming.cancelled() else None
            if line is not None:  # it was handed over meanwhile
                self._give_back(line)
            raise

    def _give_back(self, line: Asked) -> None:
        """Hand a connection on to who waits for one."""
        self._at_work -= 1
        self._hand_on(line)

    def _hand_on(self, line: Asked) -> None:
        """Give a connection to who waits; if it is lost and was the last, there is none to wait for."""
        is_ready = line.is_ready
        (self._free if is_ready else self._lost).append(line)
        while self._waiting and (is_ready or not self._at_work):
            coming = self._waiting.popleft()
            if coming.done():  # who waited has gone
                continue
            if not is_ready:
                coming.set_result(None)
                continue
            coming.set_result(self._taken())
            return

    def _prepare_soon(self) -> None:
        if not self._is_useless and (self._preparing is None or self._preparing.done()):
            self._preparing = asyncio.create_task(self._prepare())

    async def _prepare(self) -> None:
        """Make one connection more, or a lost one anew, on a thread."""
        lost = self._lost.pop() if self._lost else None

        def prepared() -> Asked | None:
            line = lost or self._source.line()
            if line is not None:
                line.prepare()
            return line

        try:
            line = await self._threads.run(prepared)
        except CondvestError:  # who asks on a thread is told
            if lost is not None:
                self._lost.append(lost)
            return
        if line is None or not line.is_ready:  # a pooler is between
            self._is_useless = True
        else:
            self._hand_on(line)
