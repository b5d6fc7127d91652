"""The hub: one reader of the database for all who listen, woken by its notices.

A listener has a cursor and no queue. What it has not taken yet is in the database, so a slow one costs
nothing and loses nothing: it reads on from its cursor whenever it can.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.postgres.connecting.listening import Listening
from condvest.batch_layer.database.stores.alert_events import (
    CHANNEL,
    check_names,
    events_after,
    last_event,
)
from condvest.batch_layer.database.stores.daily.live import live_state
from condvest.batch_layer.shared.errors import CondvestError
from condvest.serving_layer.http.answers.problems import Busy, Gone
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.published.files import Run

MOST = 32
"""Listeners at once; connections beyond them are left for questions."""

KEPT = 1000
"""Newest events that are kept in memory for listeners who are up to date."""

AT_ONCE = 500
"""Events read at once."""

LOOK_EVERY = 5.0
"""Seconds after which the database is looked at although no notice came."""

CHANNELS = (CHANNEL, "condvest_live")


@dataclass(frozen=True)
class News:
    """What there is for a listener.

    Attributes:
        events: in order; see `events_after`.
        tick: how far the session under way has got, if that is new; see `live_state`.
    """

    events: list[dict[str, Any]]
    tick: dict[str, Any] | None = None


@dataclass(eq=False)
class Hub:
    """Reads events once and gives them to all listeners. For one event loop at a time.

    Attributes:
        backend: where events are.
        run: does blocking work on a thread.
        recent: the newest events, and ``head`` the id of the last one that was read.
        tick: how far the session under way was known at the last look.
        failure: why the reader has ended, if it has.
    """

    backend: Backend
    run: Run
    _listeners: set[asyncio.Event] = field(default_factory=set)
    recent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT))
    head: int = 0
    tick: dict[str, Any] | None = None
    failure: CondvestError | None = None
    _is_closing: bool = False
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _reader: asyncio.Task[None] | None = None

    def closes(self) -> bool:
        """Return whether the server shuts down, so that every stream is to end."""
        return self._is_closing

    def close(self) -> None:
        """End every stream: the server shuts down."""
        self._is_closing = True
        self._wake_all()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        """Give what one client listens with; the first one starts the reader, the last one ends it.

        Raises:
            Busy: too many listen already.
            NotServed: there is no database.
        """
        if len(self._listeners) >= MOST:
            raise Busy(f"{MOST} clients listen already; close one, or come again later")
        opened = asyncio.Event()
        self._listeners.add(opened)
        try:
            async with self._starting:  # who comes second waits until it is known where to begin
                if self._reader is None:
                    self.failure = None
                    self.head, self.tick = await self.run(self.now)
                    self.recent.clear()
                    self._reader = asyncio.create_task(self._read_on())
            yield Listener(self, opened)
        finally:
            self._listeners.discard(opened)
            if not self._listeners and self._reader is not None:
                self._reader.cancel()
                self._reader = None

    async def check(self, rule: str | None, symbols: Sequence[str] | None) -> None:
        """Check the names that a listener chooses events by.

        Raises:
            UnknownName, UnknownSymbol: nobody knows the rule, or a symbol: no event would ever come.
            NotServed: there is no database.
        """

        def look() -> None:
            with self.backend.opened.database.transaction(read_only=True) as connection:
                check_names(connection, rule, symbols)

        if rule is not None or symbols is not None:
            await self.run(look)

    def _another(self) -> Database:
        return self.backend.opened.database.another()

    def now(self) -> tuple[int, dict[str, Any] | None]:
        """Return the newest event's id, and how far the session under way is known; blocks."""
        with self.backend.opened.database.transaction(read_only=True) as connection:
            return last_event(connection), live_state(connection)

    async def _read_on(self) -> None:
        """Read what is new whenever the database says that there is something, and every LOOK_EVERY."""
        loop, noticed, stop = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

        def heard() -> None:
            with suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(noticed.set)

        database = await self.run(self._another)
        thread = threading.Thread(
            target=_listen, args=(Listening(database, CHANNELS), stop, heard), daemon=True
        )
        thread.start()
        try:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(noticed.wait(), LOOK_EVERY)
                noticed.clear()
                await self._look()
        except CondvestError as error:
            self.failure, self._reader = error, None
            self._wake_all()
        finally:
            stop.set()

    async def _look(self) -> None:
        while True:
            try:
                news = await self.run(lambda: self.after(self.head))
            except Busy:  # questions go first; the next look is not far
                return
            self.recent.extend(news.events)
            if news.events:
                self.head = news.events[-1]["event_id"]
            if news.events or news.tick != self.tick:
                self.tick = news.tick
                self._wake_all()
            if len(news.events) < AT_ONCE:
                return

    def after(self, event_id: int) -> News:
        """Return what came after an event; blocks."""
        with self.backend.opened.database.transaction(read_only=True) as connection:
            return News(events_after(connection, event_id, AT_ONCE), live_state(connection))

    def _wake_all(self) -> None:
        for listener in self._listeners:
            listener.set()


@dataclass(eq=False)
class Listener:
    """One client's ear."""

    hub: Hub
    woken: asyncio.Event
    cursor: int = 0
    tick: dict[str, Any] | None = None

    async def begin(self, after: int | None) -> None:
        """Begin after an event, or with what is new from now on if None.

        Raises:
            Gone: the events that the cursor counts were another database's.
        """
        if after is not None and after > self.hub.head:
            newest = (await self.hub.run(self.hub.now))[0]
            if after > newest:
                raise Gone(f"the newest event is {newest}, so {after} is of another database; begin anew")
        self.cursor = self.hub.head if after is None else after
        self.tick = self.hub.tick

    async def next(self, seconds: float) -> News:
        """Return what is new, as soon as there is something; nothing after some seconds without.

        Raises:
            CondvestError: the database cannot be read; the stream has to end.
        """
        news = await self._news()
        if not news.events and news.tick is None and not self.hub.closes():
            self.woken.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.woken.wait(), seconds)
            news = await self._news()
        return news

    async def _news(self) -> News:
        hub = self.hub
        if hub.failure is not None:
            raise hub.failure
        tick = hub.tick if hub.tick != self.tick else None
        self.tick = hub.tick
        events: list[dict[str, Any]] = []
        if self.cursor < hub.head:
            events = [event for event in hub.recent if event["event_id"] > self.cursor]
            if not hub.recent or hub.recent[0]["event_id"] > self.cursor + 1:  # it has fallen behind
                events = (await hub.run(lambda: hub.after(self.cursor))).events
        if events:
            self.cursor = events[-1]["event_id"]
        return News(events, tick)


def _listen(listening: Listening, stop: threading.Event, heard: Callable[[], None]) -> None:
    """Hear notices until stopped; while there is no connection, the reader's own looks have to do."""
    while not stop.is_set():
        try:
            if listening.wait(1.0):
                heard()
        except CondvestError:
            stop.wait(1.0)  # the reader meets the same error, and says it
    listening.close()
