"""The databases that stay open between the calls of `condvest.bars`.

Opening one takes ten times as long as asking it: two connections, the schema, the calendar, the lease of an
embedded server. So each call takes an open one from here, alone, and gives it back; calls that overlap, as of
several threads, each have their own. Nothing is remembered but the connection, the calendar and what the
server has planned: each call reads a state of its own, and looks at whether calendar and schema are the same.

What is kept is closed when the interpreter ends. A process that forked has the connections of its parent in
its memory, and leaves them alone.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.opening import open_for_reading

if TYPE_CHECKING:
    from condvest.batch_layer.database.opening import OpenDatabase

MOST_KEPT = 16
"""Databases that a process keeps open while nobody uses them; the oldest are closed first."""

LONGEST_IDLE = 60.0
"""Seconds. A line to another machine that was idle for longer is not trusted: firewalls cut such lines, and a
name may lead to another server by then. After as long the calendar is looked at, too."""

Location = tuple[object, ...] | None
"""What settings stand for at an instant: the same settings may lead to another database later."""


@dataclass(eq=False)
class _Open:
    """One open database.

    Attributes:
        settings: what it was opened by.
        location: where they led.
        opened: the database.
        stack: closes it.
        process: who opened it.
        used, refreshed: when it was given back, and when its calendar was looked at; by the monotonic clock.
    """

    settings: Settings
    location: Location
    opened: OpenDatabase
    stack: ExitStack
    process: int = field(default_factory=os.getpid)
    used: float = 0.0
    refreshed: float = field(default_factory=time.monotonic)


_idle: list[_Open] = []
"""Those that nobody uses, the last one used at the end.

No lock guards it, for a signal handler may ask, too, while a call is under way. Whoever removes an element
from the list has it; that happens once, also among threads.
"""

_closing_in: set[int] = set()
"""The processes that close what they keep when they end: this one, and those that it was forked from."""


@contextmanager
def lent(settings: Settings) -> Iterator[OpenDatabase]:
    """Give an open database of the settings for one question; raises what `open_for_reading` does."""
    entry = _claimed_idle(settings) or _opened(settings)
    try:
        now = time.monotonic()
        if now - entry.refreshed > LONGEST_IDLE:
            entry.opened.refresh_sessions()
            entry.refreshed = now
        yield entry.opened
    finally:
        _give_back(entry)


def close_idle() -> None:
    """Close what this process keeps open; the next call opens the database anew."""
    for entry in tuple(_idle):
        if entry.process == os.getpid() and _claimed(entry):
            entry.stack.close()


def _claimed_idle(settings: Settings) -> _Open | None:
    location = _location(settings)
    for entry in reversed(_idle):
        if entry.settings == settings and entry.process == os.getpid() and _claimed(entry):
            is_stale = settings.database.url is not None and time.monotonic() - entry.used > LONGEST_IDLE
            if entry.location == location and not is_stale:
                return entry
            entry.stack.close()
    return None


def _opened(settings: Settings) -> _Open:
    _close_at_exit()
    with ExitStack() as stack:
        opened = stack.enter_context(open_for_reading(settings))
        return _Open(settings, _location(settings), opened, stack.pop_all())


def _give_back(entry: _Open) -> None:
    entry.used = time.monotonic()
    _idle.append(entry)
    while len(_idle) > MOST_KEPT:
        oldest = next(iter(_idle), None)
        if oldest is not None and _claimed(oldest) and oldest.process == os.getpid():
            oldest.stack.close()


def _claimed(entry: _Open) -> bool:
    """Take one from the list; return False if somebody else was quicker."""
    try:
        _idle.remove(entry)
    except ValueError:
        return False
    return True


def _location(settings: Settings) -> Location:
    """Return what the settings lead to now: a directory by its identity, a URL with what completes it."""
    if settings.database.url is not None:
        return tuple((name, os.environ[name]) for name in os.environ if name.startswith("PG"))
    try:
        status = os.stat(os.path.join(settings.home, "postgres", "data"))  # noqa: PTH116, PTH118  # at each call
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _close_at_exit() -> None:
    if os.getpid() in _closing_in:
        return
    if not _closing_in:
        atexit.register(close_idle)
    _closing_in.add(os.getpid())
    # A process that multiprocessing forked ends without what atexit was told, but with this.
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, close_idle, exitpriority=0)
