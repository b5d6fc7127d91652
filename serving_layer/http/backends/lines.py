"""Connections over which an event loop asks the database itself, without a thread between them."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Protocol

from condvest.batch_layer.database.postgres.asked import Asked
from condvest.batch_layer.database.postgres.prepared import Row
from condvest.batch_layer.shared.errors import CondvestError
from condvest.serving_layer.http.backends.sessions import LONGEST_STATEMENT
from condvest.serving_layer.http.backends.stored import Asking
from condvest.serving_layer.http.calls import CALL
from condvest.serving_layer.http.threads import Threads

MOST = 2
"""Connections: the database works on one statement while the answer of another is made."""


class Connecting(Protocol):
    """What of a `Backend` this needs."""

    def line(self) -> Asked | None:
        """Return a connection for an event loop, prepared; it blocks. None if it would be of no use."""
        ...


class Lines:
    """Asks over a few connections, which are made on threads. For one event loop at a time.

    Whatever is not as it should be (no connection yet, a lost one, a statement that the database refuses or
    that takes too long) is no error here: the question is asked again on a thread, where it is told. So are
    questions for which no connection is free: where other programs want the processors too, one thread gets
    less of them than five.
    """

    def __init__(self, source: Connecting, threads: Threads) -> None:
        """Ask over what a source connects, on threads."""
        self._source = source
        self._threads = threads
        self._free: list[Asked] = []
        self._lost: list[Asked] = []
        self._at_work = 0
        self._preparing: asyncio.Task[None] | None = None
        self._is_useless = False

    async def row(self, asking: Asking) -> tuple[Row, int | None] | None:
        """Return the row of a statement, and the schema that the database had when it was opened.

        Returns:
            None if it has to be asked on a thread.
        """
        if not self._free:
            self._prepare_soon()
            return None
        line = self._free.pop()
        self._at_work += 1
        began, row = time.perf_counter(), None
        try:
            row = await line.row(LONGEST_STATEMENT, asking.statement)
        finally:
            self._at_work -= 1
            self._take_in(line)
            call = CALL.get()
            if call is not None:
                call.worked += time.perf_counter() - began
        return None if row is None else (row, line.database.schema)

    def close(self) -> None:
        """Watch the connections no longer; who opened them closes them."""
        for line in (*self._free, *self._lost):
            line.forget()
        self._free.clear()

    def _take_in(self, line: Asked) -> None:
        (self._free if line.is_ready else self._lost).append(line)

    def _prepare_soon(self) -> None:
        is_under_way = self._preparing is not None and not self._preparing.done()
        if self._at_work < MOST and not is_under_way and not self._is_useless:
            self._preparing = asyncio.create_task(self._prepare())

    async def _prepare(self) -> None:
        """Make one connection more, in the place of a lost one if there is one, on a thread."""
        CALL.set(None)  # of this task alone: the request that began it does not wait for it
        lost, self._lost = self._lost, []

        def connect() -> None:
            for former in lost:
                former.database.close()
            line = self._source.line()
            # Handed in here, for the loop may have ended meanwhile: then the next one has it.
            if line is None or not line.is_ready:  # a pooler is between
                self._is_useless = True
            else:
                self._free.append(line)

        with suppress(CondvestError):  # who asks on a thread is told
            await self._threads.run(connect)
