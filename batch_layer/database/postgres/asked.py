"""A prepared statement that an event loop asks again and again, without being blocked."""

from __future__ import annotations

import asyncio

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from condvest.batch_layer.database.postgres.connection import Database
from condvest.batch_layer.database.postgres.prepared import BINARY, Row, prepared_answer


class Asked:
    """One prepared statement without parameters that an event loop asks without being blocked.

    It belongs to one event loop, and its connection to it alone once it is prepared. The loop watches the
    connection from its first answer on: to begin and to end that for each answer would take as long as the
    rest.
    """

    def __init__(self, database: Database, name: str, statement: str) -> None:
        self._database = database
        self._name = name.encode()
        self._statement = statement
        self._link: PGconn | None = None
        self._watched: tuple[asyncio.AbstractEventLoop, PGconn, int] | None = None
        self._coming: asyncio.Future[PGresult | None] | None = None
        self._last: PGresult | None = None

    def prepare(self) -> None:
        """Connect, and prepare the statement; it blocks.

        Raises:
            DatabaseUnavailable: no server answers, or the connection was lost.
            DatabaseError: the server refused.
        """
        self._link = None
        with self._database.idle() as connection:
            if not self._database.is_pooled:  # a pooler may hand what is prepared to others
                prepared_answer(connection, self._name, self._statement, [])
                self._link = connection.pgconn

    async def row(self, seconds: float) -> Row | None:
        """Return the row of the statement; None if it is not prepared, fails, or takes longer than that.

        After a failure it has to be prepared again.
        """
        link, self._link = self._link, None
        if link is None:
            return None
        loop = asyncio.get_running_loop()
        coming = self._coming = loop.create_future()
        timer = loop.call_later(seconds, _give_up, coming)
        result = None
        try:
            self._watch(loop, link)
            link.send_query_prepared(self._name, [], result_format=BINARY)
            if not link.flush():  # so short a text is sent at once, unless something is wrong
                result = await coming
        except (psycopg.Error, OSError):
            return None
        finally:
            timer.cancel()
            self._coming = None
            if result is None or result.status != ExecStatus.TUPLES_OK:
                self.forget()
        if result is None or result.status != ExecStatus.TUPLES_OK:
            return None
        self._link = link
        return Row(result)

    def forget(self) -> None:
        """Watch the connection no longer; it has to be prepared again."""
        self._link = None
        if self._watched is not None:
            (loop, _, descriptor), self._watched = self._watched, None
            if not loop.is_closed():
                loop.remove_reader(descriptor)

    def _watch(self, loop: asyncio.AbstractEventLoop, link: PGconn) -> None:
        """Have the loop say when something comes, unless it does so already."""
        self._last = None
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
