"""A database whose connection is cut at a chosen moment, before or after any message to the server."""

from contextlib import contextmanager

import psycopg

from condvest.batch_layer.database.postgres import binary_copy
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.postgres.reading import packed
from condvest.batch_layer.shared.errors import DatabaseUnavailable

_FRAGILE = {}


class Cut(psycopg.Connection):
    """A connection that asks its database before each message whether it still is there."""

    def wait(self, *arguments, **how):
        owner = _FRAGILE[id(self.pgconn)]
        owner.tick(self.pgconn)
        answer = super().wait(*arguments, **how)
        owner.tock(self.pgconn)
        return answer


class Fragile(Database):
    """As `Database`; see `cut`."""

    _left = None
    _is_after = False

    def tick(self, link):
        if self._left == 0 and not self._is_after:
            self._break(link)

    def tock(self, link):
        if self._left == 0:
            self._break(link)
        if self._left is not None:
            self._left -= 1

    @contextmanager
    def cut(self, at, *, after=False):
        """Cut the connection at message ``at``, counted from 0, or ``after`` it: done, but nobody knows.

        Yields a list that holds the error when it has come to that; it has not if there were fewer messages.
        """
        cut = []
        with self.transaction():
            pass  # so that there is a connection, whose making is not counted
        self._left, self._is_after = at, after
        try:
            yield cut
        except DatabaseUnavailable as error:
            cut.append(error)
        finally:
            self._left = None

    def _break(self, link):
        self._left = None
        link.finish()
        raise psycopg.OperationalError("the connection was cut by the test")

    def _open(self):
        connection = super()._open()
        if not isinstance(connection, Cut):
            connection.__class__ = Cut
            _FRAGILE[id(connection.pgconn)] = self
        return connection


def cut_everywhere(monkeypatch):
    """Let what speaks to the server past the connection count, too."""
    for module, name in ((binary_copy, "received"), (packed, "_received")):
        monkeypatch.setattr(module, name, _counted(getattr(module, name)))


def _counted(received):
    def stand_in(link, query):
        owner = _FRAGILE.get(id(link))
        if owner is None:
            return received(link, query)
        owner.tick(link)
        answer = received(link, query)
        owner.tock(link)
        return answer

    return stand_in
