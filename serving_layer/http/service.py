"""What answers questions, however they come in: over HTTP, or as calls of tools."""

from __future__ import annotations

from condvest.serving_layer.http.answers.answering import Answering
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.backends.lines import Lines
from condvest.serving_layer.http.statements.answering import Statements
from condvest.serving_layer.http.threads import Threads
from condvest.serving_layer.sql.process import SqlProcess

THREADS = 4
"""Questions answered at once; each thread has a connection of its own."""

LONGEST_QUEUE = 32
"""Questions that may wait for a thread; one more is refused."""

LONGEST_SQL_QUEUE = 4
"""SQL statements that may wait for the one that runs."""


class Service:
    """Answers from one backend.

    Attributes:
        backend: where answers come from.
        answering: answers the questions of the contract, on ``threads``.
        statements: answers SQL, on ``for_sql``; None for no SQL.
        for_state: a thread that does nothing but look up the state of the data.
        lines: what the event loop asks itself.
    """

    def __init__(self, backend: Backend, sql: SqlProcess | None = None) -> None:
        self.backend = backend
        self.answering = Answering(backend)
        self.threads = Threads(THREADS, LONGEST_QUEUE)
        self.statements = None if sql is None else Statements(backend, sql)
        self.for_sql = Threads(1, LONGEST_SQL_QUEUE)
        self.for_state = Threads(1, 1)
        self.lines = Lines(backend, self.threads)

    def close(self) -> None:
        """End what is under way, and close the backend."""
        if self.statements is not None:
            self.statements.close()  # a statement under way would keep its thread
        self.for_sql.close()
        self.threads.close()
        self.for_state.close()
        self.lines.close()
        self.backend.close()
