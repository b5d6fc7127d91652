"""Prepared statements that an event loop asks again and again over one connection, without being blocked."""

from __future__ import annotations

import asyncio

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.postgres.prepared import BINARY, Row, Statement


class Asked:
    """A connection over which an event loop asks one prepared statement after the other.

    It belongs to one event loop, and its connection to it alone once it is prepared. The loop watches the
    connection from its first answer on: to begin and to end that for each answer would take as long as the
    rest.
    """

    def __init__(self, database: Database) -> None:
        """Ask a database, which nothing else uses."""
        self.database = database
        self._link: PGconn | None = None
        self._prepared: set[str] = set()
        self._watched: tuple[asyncio.AbstractEventLoop, PGconn, int] | None = None
        self._coming: asyncio.Future[PGresult | None] | None = None
        self._last: PGresult | None = None

    @property
    def is_ready(self) -> bool:
        """Whether a statement may be asked: it is prepared, and no other one is under way."""
        return self._link is not None

    def prepare(self) -> None:
        """Connect anew; it blocks.

        Raises:
            DatabaseUnavailable: no server answers, or the connection was lost.
            DatabaseError: the server refused.
        """
        self._link = None
        self._prepared.clear()
        self.database.close()  # a statement that was given up may still run there
        with self.database.idle() as connection:
            if not self.database.is_pooled:  # a pooler may hand what is prepared to others
                self._link = connection.pgconn

    async def row(self, seconds: float, statement: Statement) -> Row | None:
        """Return the row of a statement; None if it is not ready, fails, or takes longer than that.

        After a failure it has to be prepared again.
        """
        link, self._link = self._link, None
        if link is None:
            return None
        loop = asyncio.get_running_loop()
        row = None
        deadline = loop.time() + seconds
        try:
            self._watch(loop, link)
            if statement.name not in self._prepared:
                link.send_prepare(statement.name.encode(), statement.text.encode())
                if await self._answer(loop, link, deadline, ExecStatus.COMMAND_OK) is None:
                    return None
                self._prepared.add(statement.name)
            link.send_query_prepared(statement.name.encode(), statement.parameters, result_format=BINARY)
            result = await self._answer(loop, link, deadline, ExecStatus.TUPLES_OK)
            row = None if result is None else Row(result)
        except (psycopg.Error, OSError):
            return None
        finally:
            if row is None:
                self.forget()
        self._link = link
        return row

    async def _answer(
        self, loop: asyncio.AbstractEventLoop, link: PGconn, deadline: float, wanted: ExecStatus
    ) -> PGresult | None:
        """Return the answer to what was just sent; None if it is none of the status, or comes too late."""
        self._last = None
        coming = self._coming = loop.create_future()
        timer = loop.call_at(deadline, _give_up, coming)
        try:
            if link.flush():  # so short a text is sent at once, unless something is wrong
                return None
            result = await coming
        finally:
            timer.cancel()
            self._coming = None
        return result if result is not None and result.status == wanted else None

    def forget(self) -> None:
        """Watch the connection no longer; it has to be prepared again."""
        self._link = None
        if self._watched is not None:
            (loop, _, descriptor), self._watched = self._watched, None
            if not loop.is_closed():
                loop.remove_reader(descriptor)

    def _watch(self, loop: asyncio.AbstractEventLoop, link: PGconn) -> None:
        """Have the loop say when something comes, unless it does so already."""
        if self._watched is None or self._watched[:2] != (loop, link):
            self.forget()
            self._watched = (loop, link, link.socket)
            loop.add_reader(link.socket, self._take, link)

    def _take(self, link: PGconn) -> None:
        """Take what came: the answer, a part of it, or that the connection was lost."""
        coming = self._coming
        try:
            link.consume_input()
            if coming is None or coming.done():
                return
            while not link.is_busy():
                result = link.get_result()
                if result is None:
                    coming.set_result(self._last)
                    return
                self._last = result
        except psycopg.Error as error:
            self.forget()
            if coming is not None and not coming.done():
                coming.set_exception(error)


def _give_up(coming: asyncio.Future[PGresult | None]) -> None:
    """Wait no longer."""
    if not coming.done():
        coming.set_result(None)
