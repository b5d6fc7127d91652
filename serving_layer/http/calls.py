"""What becomes of one request: counted and timed on its way, for the log, the headers and the metrics."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Call:
    """What becomes of one request.

    Attributes:
        request_id: names it, in the answer and in the log.
        started: seconds of `time.perf_counter` at which it came.
        key: the name of the client's key; "" if it has none.
        limits: headers that say what the key may still ask.
        status: of HTTP; 0 until it is known.
        bytes: of the answer's body, as they were sent.
        rows: in the answer, as text; "" if it has none.
        worked: seconds that threads spent on it.
        encoded: those of them that made bytes of rows.
        is_kept: whether the answer, or that the client has it, was known without being made.
    """

    request_id: str
    started: float = field(default_factory=time.perf_counter)
    key: str = ""
    limits: dict[str, str] = field(default_factory=dict)
    status: int = 0
    bytes: int = 0
    rows: str = ""
    worked: float = 0.0
    encoded: float = 0.0
    is_kept: bool = False

    @property
    def seconds(self) -> float:
        """Seconds since it came."""
        return time.perf_counter() - self.started

    def server_timing(self) -> str:
        """Return where the time went, as the header Server-Timing has it: milliseconds.

        ``wait`` is all that was neither read nor encoded: the way here, and the queue for a thread.
        """
        read, wait = self.worked - self.encoded, self.seconds - self.worked
        wait, read, encode = wait * 1000, read * 1000, self.encoded * 1000
        return f"wait;dur={wait:.3f}, read;dur={read:.3f}, encode;dur={encode:.3f}"


CALL: ContextVar[Call | None] = ContextVar("condvest_call", default=None)
"""The request that is under way; None where work is done for none."""


def worked(work: Callable[[], T]) -> T:
    """Do what a thread does for the request under way, and add its seconds."""
    return _timed(work, "worked")


def encoded(work: Callable[[], T]) -> T:
    """Make bytes of rows for the request under way, and add its seconds."""
    return _timed(work, "encoded")


def _timed(work: Callable[[], T], attribute: Literal["worked", "encoded"]) -> T:
    call = CALL.get()
    if call is None:
        return work()
    began = time.perf_counter()
    try:
        return work()
    finally:
        setattr(call, attribute, getattr(call, attribute) + time.perf_counter() - began)
