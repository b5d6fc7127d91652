"""A lock of the whole database that a session keeps over several transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import LiteralString

from psycopg import sql

from condvest.batch_layer.database.postgres.connecting import waiting
from condvest.batch_layer.database.postgres.connecting.line import Connection


class SessionLock:
    """The lock of a name, or parts of it. The server drops it with the connection."""

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[Connection]],
        is_open: Callable[[], bool],
        name: str,
        parts: Sequence[int],
    ) -> None:
        """Take nothing yet.

        Args:
            transaction: gives the session's connection, in a transaction.
            is_open: whether the session still has it.
            name: of the lock.
            parts: of it that are wanted.
        """
        self._transaction = transaction
        self._is_open = is_open
        self._name = name
        self._parts = sorted(parts)

    def take_if_free(self) -> bool:
        """Take all parts if nobody has any of them, else none; return whether they were taken."""
        got = [part for part, is_free in self._call("pg_try_advisory_lock", self._parts) if is_free]
        if len(got) == len(self._parts):
            return True
        self._call("pg_advisory_unlock", got)
        return False

    def take(self, on_wait: waiting.OnWait | None) -> None:
        """Wait for all parts, ascending as all do, so that no two can wait for each other.

        ``on_wait`` is told once for whom.
        """
        has_told = False

        def tell(sentence: str) -> None:
            nonlocal has_told
            if not has_told and on_wait is not None:
                on_wait(sentence)
            has_told = True

        taken: list[int] = []
        try:
            for part in self._parts:
                with self._transaction() as connection:
                    waiting.lock_session(connection, self._name, part, tell if on_wait else None)
                taken.append(part)
        except BaseException:  # Ctrl-C too must leave no part locked
            self._let_go(taken)
            raise

    def let_go(self) -> None:
        """Let all parts go, if the session still has its connection."""
        self._let_go(self._parts)

    def _let_go(self, parts: list[int]) -> None:
        if parts and self._is_open():
            self._call("pg_advisory_unlock", parts)

    def _call(self, function: LiteralString, parts: list[int]) -> list[tuple[int, bool]]:
        query = sql.SQL("SELECT part, {}(hashtext(%s), part) FROM unnest(%s::int4[]) AS part")
        with self._transaction() as connection:
            rows = connection.execute(query.format(sql.Identifier(function)), (self._name, parts))
            return [(part, answer is not False) for part, answer in rows]
