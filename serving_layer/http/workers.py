"""Serving by several processes that listen on one socket.

The kernel gives each connection to whichever process accepts it first, and a connection that no process has
accepted yet waits at the socket: a worker that ends takes only its own connections along. Each worker has
its own threads, kept answers, quotas and metrics; they share no memory.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from condvest.batch_layer.shared.errors import CondvestError
from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.http.app import create_app
from condvest.serving_layer.http.backends.backend import Backend, backend_of
from condvest.serving_layer.http.guarding.guards import Rules
from condvest.serving_layer.http.server import server_of
from condvest.serving_layer.sql.process import SqlProcess

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

MOST_DEATHS = 5
"""Workers that may end by themselves within DEATHS_WITHIN seconds; the next one ends the server."""

DEATHS_WITHIN = 60.0

_DRAIN = 15.0
"""Seconds that workers have to send the answers under way before they are killed; uvicorn takes up to 10."""


class WorkersFail(CondvestError):
    """Workers end again and again."""


@dataclass(frozen=True)
class Serving:
    """What a process needs to serve.

    Attributes:
        settings: of the data.
        source: where answers come from: database or published.
        rules: who may ask.
        has_sql: whether SQL is answered, too.
        has_tools: whether the Model Context Protocol is.
    """

    settings: Settings
    source: str
    rules: Rules
    has_sql: bool = False
    has_tools: bool = False

    def backend(self) -> Backend:
        """Return what answers."""
        return backend_of(self.settings, self.source)

    def run(
        self,
        listening: socket.socket,
        backend: Backend,
        started: Callable[[Callable[[], None]], None] = lambda _: None,
    ) -> None:
        """Serve in this process until a signal stops it, and send the answers under way.

        Args:
            listening: the socket.
            backend: what answers; it is closed at the end.
            started: is given what stops the server.
        """
        sql = SqlProcess(self.settings.published) if self.has_sql else None
        server = server_of(create_app(backend, self.rules, sql=sql, has_tools=self.has_tools))

        def stop() -> None:
            server.should_exit = True

        started(stop)
        gc.freeze()  # what is there now stays: no collection has to look at it amid the answers
        # Once it has shut down, uvicorn raises the signal that stopped it again: this is how serving ends.
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listening])


def _work(serving: Serving, listening: socket.socket) -> None:
    """Serve in a worker, and end when the parent is gone: nobody else could stop it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal, which the parent has got too
    serving.run(listening, serving.backend(), _follow_parent)


def _follow_parent(stop: Callable[[], None]) -> None:
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            stop()

    threading.Thread(target=follow, daemon=True, name="condvest-parent").start()


def serve_by_workers(
    serving: Serving, listening: socket.socket, count: int, say: Callable[[str], None]
) -> None:
    """Serve by some processes until this one is interrupted, and replace those that end by themselves.

    Args:
        serving: what each of them needs.
        listening: the socket, on which this process accepts nothing.
        count: how many.
        say: is told of a worker that ended.

    Raises:
        WorkersFail: so many ended within a minute that there is no use in another one; all are stopped.
    """
    context = multiprocessing.get_context("spawn")  # a fork would share connections and threads' locks

    def started() -> SpawnProcess:
        worker = context.Process(target=_work, args=(serving, listening), name="condvest-serve")
        worker.start()
        return worker

    workers: list[SpawnProcess] = []
    deaths: deque[float] = deque(maxlen=MOST_DEATHS + 1)
    try:
        workers += [started() for _ in range(count)]
        while True:
            wait([worker.sentinel for worker in workers])
            for at, worker in enumerate(workers):
                if worker.is_alive():
                    continue
                deaths.append(time.monotonic())
                if len(deaths) > MOST_DEATHS and deaths[-1] - deaths[0] < DEATHS_WITHIN:
                    raise WorkersFail(
                        f"{len(deaths)} workers ended by themselves within {DEATHS_WITHIN:g} s, the last one "
                        f"with exit code {worker.exitcode}; look at what they wrote, and start again"
                    )
                say(f"worker {worker.pid} ended with exit code {worker.exitcode}; another takes its place")
                workers[at] = started()
    finally:
        _stop(workers)


def _stop(workers: list[SpawnProcess]) -> None:
    """Have the workers send the answers under way, and end."""
    for worker in workers:
        worker.terminate()
    until = time.monotonic() + _DRAIN
    for worker in workers:
        worker.join(max(until - time.monotonic(), 0))
        if worker.is_alive():
            worker.kill()
            worker.join()
