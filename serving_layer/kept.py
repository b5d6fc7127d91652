"""Values that are kept for those who ask again, bounded in bytes, and safe between threads.

A signal handler may interrupt any of it: one that raises (Ctrl-C) leaves nothing half done, and one that asks
is answered without waiting for what it has interrupted.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

V = TypeVar("V")

_OVERHEAD = 1024
"""Bytes that each value counts beside its own, so that empty ones are bounded too."""


class _Interrupted(Exception):
    """Who made the value was interrupted, which says nothing about the value."""


@dataclass(frozen=True)
class _Making(Generic[V]):
    """A value that a thread is making."""

    coming: Future[V]
    thread: int = field(default_factory=threading.get_ident)


class Kept(Generic[V]):
    """Values by key, the least recently used forgotten first. Its methods may be called from any thread."""

    def __init__(self, largest: int) -> None:
        """Keep at most ``largest`` bytes, as their sizes are told."""
        self._largest = largest
        self._values: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._under_way: dict[Hashable, _Making[V]] = {}
        self._lock = threading.RLock()  # a signal handler may come to it in the thread that has it
        self._is_putting = False
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """What is counted for the values that are kept now."""
        return self._bytes

    def find(self, key: Hashable) -> V | None:
        """Return the value of a key; None if it is not kept."""
        with self._lock:
            kept = self._values.get(key)
            if kept is None:
                return None
            with suppress(KeyError):  # a signal handler's value has just taken its room
                self._values.move_to_end(key)
            return kept[0]

    def put(self, key: Hashable, value: V, size: int) -> None:
        """Keep a value of ``size`` bytes in place of the former one; what is too large is not kept."""
        with self._lock:
            if self._is_putting:  # by the same thread, which a signal handler has interrupted
                return
            self._is_putting = True
            try:
                self._put(key, value, size + _OVERHEAD)
            except BaseException:
                self._bytes = sum(each for _, each in self._values.values())
                raise
            finally:
                self._is_putting = False

    def _put(self, key: Hashable, value: V, size: int) -> None:
        former = self._values.pop(key, None)
        if former is not None:
            self._bytes -= former[1]
        if size > self._largest:
            return
        self._values[key] = (value, size)
        self._bytes += size
        while self._bytes > self._largest:
            _, (_, freed) = self._values.popitem(last=False)
            self._bytes -= freed

    def get(
        self,
        key: Hashable,
        make: Callable[[], V],
        size: Callable[[V], int],
        belongs: Callable[[V], bool] = lambda _: True,
    ) -> V:
        """Return the value of a key; of several threads that ask at once, one makes it for all.

        Args:
            key: of the value.
            make: makes it; an error that it raises is raised here, in every thread that waits for it, and
                nothing is kept. If it is interrupted, one of those that wait makes the value instead.
            size: its bytes.
            belongs: whether what was made is the key's value, and may be kept.
        """
        while True:
            own: _Making[V] | None = None
            try:
                with self._lock:
                    kept = self.find(key)
                    if kept is not None:
                        return kept
                    making = self._under_way.get(key)
                    if making is None:
                        own = self._under_way[key] = _Making(Future())
                if own is not None:
                    return self._made(own, key, make, size, belongs)
            except BaseException as error:
                if own is not None and not own.coming.done():
                    own.coming.set_exception(error if isinstance(error, Exception) else _Interrupted())
                raise
            finally:
                # Only now: who comes later finds what was kept, and nobody makes it a second time.
                if own is not None:
                    with self._lock:
                        self._under_way.pop(key, None)
            if making is None or making.thread == threading.get_ident():
                return make()  # for a signal handler: what it has interrupted does not go on before it ends
            with suppress(_Interrupted):
                return making.coming.result()

    def _made(
        self,
        own: _Making[V],
        key: Hashable,
        make: Callable[[], V],
        size: Callable[[V], int],
        belongs: Callable[[V], bool],
    ) -> V:
        value = make()
        if belongs(value):
            self.put(key, value, size(value))
        own.coming.set_result(value)
        return value
