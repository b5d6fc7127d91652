"""Threads that answer, apart from the event loop."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from condvest.batch_layer.shared.errors import CondvestError
from condvest.serving_layer.http.answers.problems import Busy, Unexpected
from condvest.serving_layer.http.calls import worked

T = TypeVar("T")


class Threads:
    """Threads that answer; questions beyond what may wait for one are refused."""

    def __init__(self, count: int, longest_queue: int) -> None:
        """Answer as many questions at once as there are threads, and let so many more wait."""
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="condvest-serve")
        self._most = count + longest_queue
        self._under_way = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Do some work on a thread.

        Raises:
            Busy: too much waits already.
            Unexpected: the work failed with an error that is none of ours.
        """
        if self._under_way >= self._most:
            raise Busy(f"{self._under_way} questions are under way; ask again in some seconds")
        self._under_way += 1
        context = contextvars.copy_context()  # the request that the thread works for
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, context.run, worked, work)
        except CondvestError:
            raise
        except Exception as error:
            raise Unexpected("an answer failed") from error
        finally:
            self._under_way -= 1

    def close(self) -> None:
        """Wait for the work under way."""
        self._pool.shutdown()
