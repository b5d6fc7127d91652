"""The databases that `condvest.connected` keeps open, and who may use them.

A context variable says which blocks are entered. Contexts are copied: into tasks, into
``asyncio.to_thread``, into every thread of a Python without the GIL, into a process that forks. A copy may
also outlive its block, and a generator may be closed in another context than it was begun in. So the variable
alone allows nothing: a connection serves the thread and the process that opened it, while its block lasts,
one question at a time. Whoever else asks opens the database for themselves.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.opening import open_for_reading

if TYPE_CHECKING:
    from condvest.batch_layer.database.opening import OpenDatabase


@dataclass(eq=False)
class _Kept:
    """One open database.

    Attributes:
        opened: the database.
        thread, process: who opened it.
        in_use: held while it answers a question: a signal handler may ask another one meanwhile.
        is_open: whether its block lasts.
    """

    opened: OpenDatabase
    thread: int = field(default_factory=threading.get_ident)
    process: int = field(default_factory=os.getpid)
    in_use: threading.Lock = field(default_factory=threading.Lock)
    is_open: bool = True

    def is_for(self, settings: Settings) -> bool:
        """Return whether the caller may use it for these settings."""
        return (
            self.is_open
            and self.thread == threading.get_ident()
            and self.process == os.getpid()
            and self.opened.settings == settings
        )


_entered: ContextVar[tuple[_Kept, ...]] = ContextVar("_entered", default=())


@contextmanager
def kept_open(settings: Settings) -> Iterator[None]:
    """Keep the database of the settings open for `borrowed`; raises what `open_for_reading` does."""
    with open_for_reading(settings) as opened:
        kept = _Kept(opened)
        _entered.set((*_entered.get(), kept))
        try:
            yield
        finally:
            kept.is_open = False
            # Not by the token: blocks of generators end in any order, and in contexts other than their own.
            _entered.set(tuple(kept_database for kept_database in _entered.get() if kept_database.is_open))


@contextmanager
def borrowed(settings: Settings) -> Iterator[OpenDatabase | None]:
    """Give the database that the caller keeps open, for one question; None if there is none that is free."""
    for kept in reversed(_entered.get()):
        if kept.is_for(settings) and kept.in_use.acquire(blocking=False):
            try:
                yield kept.opened
            finally:
                kept.in_use.release()
            return
    yield None
