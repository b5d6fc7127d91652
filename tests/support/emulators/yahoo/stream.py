"""Yahoo's stream: a real websocket server on 127.0.0.1, on the clock of the emulator of its REST service.

Its time does not pass by itself: `advance` moves the clock on to the next messages or to an instant,
whichever is first, and sends what is due.
"""

from __future__ import annotations

import asyncio
import bisect
import datetime as dt
import json
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import Enum

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.support.emulators.synthetic.sessions import new_york_date
from tests.support.emulators.synthetic.trades import SECOND, day_of
from tests.support.emulators.yahoo.messages import Message, messages_of

_PATIENCE = 20.0


class YahooFault(Enum):
    """A named fault; the value says what the client sees."""

    UPGRADE_REFUSED = "the upgrade is answered with 429"
    SILENCE = "nothing comes for 25 minutes, or until the client connects again; pings are answered"
    CLOSED = "the connection is closed with 1000"
    DROPPED = "the connection drops without a close frame"
    BROKEN_BASE64 = "a frame whose message is no base64"
    BROKEN_PROTOBUF = "a frame whose message is no protobuf"
    NO_JSON = "a frame that is no JSON"
    DUPLICATE = "each frame comes twice"
    DISORDER = "the frames of a burst come in the wrong order, behind those of the burst after"


SILENT_FOR = 25 * 60 * SECOND
_BROKEN = {
    YahooFault.BROKEN_BASE64: b'{"type":"pricing","message":"%%%"}',
    YahooFault.BROKEN_PROTOBUF: b'{"type":"pricing","message":"CgD/////"}',
    YahooFault.NO_JSON: b'{"type":"pri',
}


@dataclass
class Client:
    """A connection as the server sees it: how many frames went, what it wants, until when it gets nothing."""

    socket: ServerConnection
    port: int
    frames: int = 0
    subscribed: int = 0
    symbols: set[str] = field(default_factory=set)
    silent_until: int = 0
    is_gone: bool = False


class YahooStreamEmulator:
    """The stream beside a `YahooEmulator`, whose market and clock it has.

    Args:
        vendor: the REST emulator.
        symbols: those that it tells of, as Yahoo spells them.
    """

    def __init__(self, vendor, symbols):
        self.vendor, self.symbols = vendor, tuple(symbols)
        self.next_faults: list[YahooFault] = []
        self.by_fault: Counter[YahooFault] = Counter()
        self.lost: list[int] = []
        """Instants of the trades of which a connected client got no message."""
        self.clients: list[Client] = []
        self._bursts: dict[dt.date, list[tuple[int, list[Message]]]] = {}
        self._behind: list[bytes] = []
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: self._loop.run_until_complete(self._run()), daemon=True
        )
        self._stopped, self._changed = asyncio.Event(), asyncio.Condition()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/?version=2"

    def __enter__(self):
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        self._loop.close()

    def now(self) -> int:
        """Return the instant, microseconds since 1970-01-01 UTC."""
        return round(self.vendor.now().timestamp() * SECOND)

    def next_instant(self, seconds: float) -> dt.datetime:
        """Return the instant to which `advance` would move the clock."""
        return dt.datetime.fromtimestamp(self._due(seconds)[0] / SECOND, dt.UTC)

    def advance(self, seconds: float, port: int | None = None) -> dict:
        """Move the clock on, and send what is due; return what was sent to the client at a port."""
        return asyncio.run_coroutine_threadsafe(self._advance(seconds, port), self._loop).result()

    async def _advance(self, seconds: float, port: int | None) -> dict:
        await self._joined(port)
        instant, burst = self._due(seconds)
        self.vendor.knobs.now = dt.datetime.fromtimestamp(instant / SECOND, dt.UTC)
        for client in [client for client in self.clients if not client.is_gone]:
            await self._give(client, [sent for sent in burst if sent.symbol in client.symbols], instant)
        await asyncio.gather(*(self._settle(client) for client in list(self.clients)))
        mine = next((client for client in reversed(self.clients) if client.port == port), None)
        return {"frames": mine.frames if mine else 0, "is_gone": bool(mine and mine.is_gone)}

    def _due(self, seconds: float) -> tuple[int, list[Message]]:
        now = self.now()
        target = now + round(seconds * SECOND)
        bursts = self._of(new_york_date(self.vendor.now()))
        at = bisect.bisect_right(bursts, now, key=lambda burst: burst[0])
        return bursts[at] if at < len(bursts) and bursts[at][0] <= target else (target, [])

    def _of(self, date: dt.date) -> list[tuple[int, list[Message]]]:
        if date not in self._bursts:
            grouped = defaultdict(list)
            if self.vendor.market.schedule.index(date) is not None:
                for message in messages_of(day_of(self.vendor.market, date), self.symbols):
                    grouped[message.at].append(message)
            self._bursts[date] = sorted(grouped.items())
        return self._bursts[date]

    async def _joined(self, port: int | None) -> None:
        """Wait until the client at a port has said what it wants."""

        def has_joined() -> bool:
            mine = [client for client in self.clients if client.port == port]
            return any(client.subscribed or client.is_gone for client in mine)

        if port is not None:
            async with asyncio.timeout(_PATIENCE), self._changed:
                await self._changed.wait_for(has_joined)

    async def _give(self, client: Client, burst: list[Message], instant: int) -> None:
        fault = self._ordered(set(YahooFault) - {YahooFault.UPGRADE_REFUSED}) if burst else None
        if fault is YahooFault.SILENCE:
            client.silent_until = instant + SILENT_FOR
        if instant < client.silent_until or fault in (YahooFault.CLOSED, YahooFault.DROPPED):
            self.lost += [sent.executed for sent in burst]
            burst = []
        frames, behind = [sent.content for sent in burst], self._behind
        if fault is YahooFault.DISORDER:
            self._behind, frames = frames[::-1], []
        else:
            frames, self._behind = [*frames, *behind], []
        if fault in _BROKEN:
            frames.insert(0, _BROKEN[fault])
        if fault is YahooFault.DUPLICATE:
            frames = [frame for frame in frames for _ in range(2)]
        for frame in frames:
            client.frames += 1
            await client.socket.send(frame.decode())
        if fault in (YahooFault.CLOSED, YahooFault.DROPPED):
            client.is_gone = True
            if fault is YahooFault.CLOSED:
                await client.socket.close(1000)
            else:
                client.socket.transport.abort()

    async def _settle(self, client: Client) -> None:
        """Wait until a client has read what was sent, or is gone."""
        if client.is_gone:
            return
        try:
            await asyncio.wait_for(await client.socket.ping(), _PATIENCE)
        except (ConnectionClosed, TimeoutError):
            client.is_gone = True

    def _ordered(self, possible: set[YahooFault]) -> YahooFault | None:
        for index, fault in enumerate(self.next_faults):
            if fault in possible:
                del self.next_faults[index]
                self.by_fault[fault] += 1
                return fault
        return None

    async def _run(self) -> None:
        async with serve(
            self._talk,
            "127.0.0.1",
            0,
            process_request=self._upgrade,
            ping_interval=None,
            close_timeout=0.2,
        ) as server:
            self._port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._stopped.wait()
            for client in self.clients:
                client.socket.transport.abort()

    def _upgrade(self, connection: ServerConnection, _request):
        if self._ordered({YahooFault.UPGRADE_REFUSED}):
            return connection.respond(429, "Too Many Requests\n")
        return None

    async def _talk(self, connection: ServerConnection) -> None:
        client = Client(connection, connection.remote_address[1])
        self.clients.append(client)
        try:
            async for text in connection:
                asked = json.loads(text)
                client.symbols |= set(asked.get("subscribe", ()))
                client.symbols -= set(asked.get("unsubscribe", ()))
                client.subscribed += 1
                await self._changed_now()
        except ConnectionClosed:
            pass  # the client has left, or was told to
        finally:
            client.is_gone = True
            await self._changed_now()

    async def _changed_now(self) -> None:
        async with self._changed:
            self._changed.notify_all()
