"""Massive's websocket of minute aggregates: a real server on 127.0.0.1, on the clock of the REST emulator.

Its time does not pass by itself: `advance` moves the clock on to the next burst or to an instant, whichever
is first, and sends what is due. So a day takes as long as the client needs for it.
"""

from __future__ import annotations

import asyncio
import bisect
import datetime as dt
import json
import random
import socket
import struct
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response

from tests.support.emulators.massive import stream_faults as faults
from tests.support.emulators.massive.folding import LARGEST_LAG, Sent, minutes_of
from tests.support.emulators.massive.stream_faults import StreamFault
from tests.support.emulators.synthetic.sessions import new_york_date
from tests.support.emulators.synthetic.trades import MINUTE, SECOND

_PATIENCE = 20.0
"""Seconds of the real clock in which a client answers a ping that follows its data."""


@dataclass
class Client:
    """A connection as the server sees it.

    Attributes:
        frames: how many frames were sent, those of the handshake too.
        topics: what it is subscribed to.
        state: ``good``, or the fault that has befallen it for good.
    """

    socket: ServerConnection
    port: int
    frames: int = 0
    topics: set[str] = field(default_factory=set)
    state: StreamFault | None = None
    is_gone: bool = False
    late: list[bytes] = field(default_factory=list)

    async def send(self, *events: dict) -> None:
        self.frames += 1
        await self.socket.send(json.dumps(list(events)))


@dataclass(frozen=True)
class Outage:
    """A burst that a client did not get: its instant, of what minutes, and why."""

    at: int
    minutes: frozenset[int]
    reason: str


class StreamEmulator:
    """The stream beside a `MassiveEmulator`, whose market, clock and key it has.

    Args:
        vendor: the REST emulator.
        faults: the probability of a fault at each handshake and each burst.
        names: the faults drawn from; all that can be drawn if empty.
        seed: the same seed draws the same faults.
        port: 0 picks a free one.
    """

    def __init__(self, vendor, *, faults: float = 0.0, names: tuple = (), seed: int = 0, port: int = 0):
        self.vendor = vendor
        vendor.stream = self
        self.steps = 0
        """How often the clock was moved."""
        self.faults, self.names = faults, [StreamFault[name] for name in names]
        self.next_faults: list[StreamFault] = []
        self.by_fault: Counter[str] = Counter()
        self.outages: list[Outage] = []
        self.clients: list[Client] = []
        self._draw = random.Random(seed)
        self._port = port
        self._delayed: list[Sent] = []
        self._doubled_until = 0
        self._early: set[int] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._stopped: asyncio.Event | None = None

    @property
    def url(self) -> str:
        """The address of the cluster."""
        return f"ws://127.0.0.1:{self._port}/stocks"

    def __enter__(self):
        self._of_date(new_york_date(self.vendor.now()))  # before anybody waits for it
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def now(self) -> int:
        """Return the instant, microseconds since 1970-01-01 UTC."""
        return round(self.vendor.now().timestamp() * SECOND)

    def next_instant(self, seconds: float) -> dt.datetime:
        """Return the instant to which `advance` would move the clock."""
        instant, _ = self._due(seconds)
        return dt.datetime.fromtimestamp(instant / SECOND, dt.UTC)

    def advance(self, seconds: float, port: int | None = None) -> dict:
        """Move the clock on by so many seconds, or to the next burst, and send what is due.

        Returns:
            Of the client at ``port`` the ``frames`` that were sent to it, and whether it ``is_gone``.
        """
        return asyncio.run_coroutine_threadsafe(self._advance(seconds, port), self._loop).result()

    async def _advance(self, seconds: float, port: int | None) -> dict:
        self.steps += 1
        instant, burst = self._due(seconds)
        self.vendor.knobs.now = dt.datetime.fromtimestamp(instant / SECOND, dt.UTC)
        if burst:
            await self._deliver(burst, instant)
        mine = next((client for client in reversed(self.clients) if client.port == port), None)
        return {"frames": mine.frames if mine else 0, "is_gone": bool(mine and mine.is_gone)}

    def _due(self, seconds: float) -> tuple[int, list[Sent]]:
        """Return the instant of the next burst and the burst; or that in so many seconds, and nothing."""
        now = self.now()
        target = now + round(seconds * SECOND)
        delay = round(self.vendor.plan.delay * SECOND)
        burst = self._next(now - delay, target - delay)
        return (target, []) if burst is None else (burst[0] + delay, burst[1])

    def _next(self, after: int, until: int) -> tuple[int, list[Sent]] | None:
        """Return the first burst in (after, until], by the clock of the data."""
        date = new_york_date(dt.datetime.fromtimestamp(after / SECOND, dt.UTC))
        bursts = self._of_date(date)
        at = bisect.bisect_right(bursts, after, key=lambda burst: burst[0])
        return bursts[at] if at < len(bursts) and bursts[at][0] <= until else None

    def _of_date(self, date: dt.date) -> list[tuple[int, list[Sent]]]:
        """Return the bursts of a date, each with its instant: what was sent in the 2 seconds before."""
        if date not in self.vendor.bursts:
            grouped = defaultdict(list)
            if self.vendor.market.schedule.index(date) is not None:
                for sent in minutes_of(self.vendor.day(date)):
                    grouped[(sent.at // LARGEST_LAG + 1) * LARGEST_LAG].append(sent)
            self.vendor.bursts[date] = sorted(grouped.items())
        return self.vendor.bursts[date]

    async def _deliver(self, burst: list[Sent], instant: int) -> None:
        messages = [sent for sent in burst if id(sent) not in self._early]
        messages += [sent for sent in self._delayed if sent.at <= instant]
        self._delayed = [sent for sent in self._delayed if sent.at > instant]
        subscribed = [client for client in self.clients if client.topics and not client.is_gone]
        if not subscribed:
            self._lost(messages, instant, "nobody")
        for client in subscribed:
            fault = self._drawn(faults.AT_BURST) if client.state is None else None
            await self._give(client, list(messages), fault, instant)
        await asyncio.gather(*(self._settle(client) for client in list(self.clients)))

    async def _give(self, client: Client, burst: list[Sent], fault: StreamFault | None, instant: int) -> None:
        """Send a burst to a client, as a fault makes it."""
        if fault in faults.FOR_GOOD:
            client.state = fault
        if fault in (StreamFault.HALF_OPEN, StreamFault.PING_UNANSWERED):
            client.socket.transport.pause_reading()
        if client.state is not None:
            await self._give_little(client, burst, instant)
        elif fault is StreamFault.CLOSED:
            self._lost(burst, instant, fault.name)
            await self._close(client, self._draw.choice(faults.CLOSE_CODES))
        elif fault is StreamFault.RESET_IN_FRAME:
            self._lost(burst, instant, fault.name)
            self._reset(client)
        else:
            burst = self._changed(burst, fault, instant)
            await self._send(client, self._frames([sent.message for sent in burst], fault, instant))

    @staticmethod
    async def _send(client: Client, frames: list) -> None:
        for frame in frames:
            client.frames += 1
            try:
                await client.socket.send(frame)
            except ConnectionClosed:
                client.is_gone = True
                return

    def _changed(self, burst: list[Sent], fault: StreamFault | None, instant: int) -> list[Sent]:
        """Return what a fault makes of the messages of a burst."""
        if fault is StreamFault.NEVER_SENT:
            return [sent for sent in burst if self._draw.random() < 0.8]
        if fault is StreamFault.OUT_OF_ORDER:
            return self._disordered(burst, instant)
        if fault is StreamFault.SKEWED_CLOCK:
            return burst + self._ahead(instant)
        if fault is StreamFault.DOUBLED_VOLUME:
            self._doubled_until = instant + faults.DOUBLED_FOR
        return burst

    def _frames(self, messages: list[dict], fault: StreamFault | None, instant: int) -> list:
        """Return the frames of a burst: bytes, or a list of fragments."""
        if not messages:
            return []
        if instant < self._doubled_until:
            messages = faults.doubled(messages)
        if fault is StreamFault.MALFORMED:
            return faults.malformed(messages, self._draw)
        if fault is StreamFault.BIG_FRAME:
            return [faults.big(messages)]
        if fault is StreamFault.RESENT:
            return faults.resent(messages)
        cut = self._draw.randrange(1, len(messages) + 1)
        parts = [part for part in (messages[:cut], messages[cut:]) if part]
        frames = [json.dumps(part).encode() for part in parts]
        return frames * 2 if fault is StreamFault.DUPLICATE else frames

    def _disordered(self, burst: list[Sent], instant: int) -> list[Sent]:
        self._draw.shuffle(burst)
        kept = []
        for sent in burst:
            if self._draw.random() < 0.2:
                late = instant + self._draw.randrange(MINUTE, faults.LONGEST_HOLD)
                self._delayed.append(Sent(late, sent.start, sent.message))
            else:
                kept.append(sent)
        return kept

    def _ahead(self, instant: int) -> list[Sent]:
        """Return the messages of the next burst, which are not sent again at their time."""
        date = new_york_date(dt.datetime.fromtimestamp(instant / SECOND, dt.UTC))
        following = [burst for at, burst in self._of_date(date) if instant < at <= instant + MINUTE]
        ahead = following[0] if following else []
        self._early |= {id(sent) for sent in ahead}
        return ahead

    async def _give_little(self, client: Client, burst: list[Sent], instant: int) -> None:
        """Give a client that a fault has befallen for good what it still gets."""
        if client.state is StreamFault.SLOW_CONSUMER:
            client.late += self._frames([sent.message for sent in burst], None, instant)
            if len(client.late) > 6:
                self._lost(burst, instant, client.state.name)
                await client.send({"ev": "status", "status": "slow_consumer", "message": "buffer overflow"})
                await self._close(client, 1006)
            return
        given = burst if client.state is StreamFault.TRICKLE else []
        given = [sent for sent in given if self._draw.random() < 0.02]
        self._lost([sent for sent in burst if sent not in given], instant, client.state.name)
        if given:
            client.frames += 1
            await client.socket.send(json.dumps([sent.message for sent in given]))

    def _lost(self, burst: list[Sent], instant: int, reason: str) -> None:
        if burst:
            self.outages.append(Outage(instant, frozenset(sent.start for sent in burst), reason))

    async def _settle(self, client: Client) -> None:
        """Wait until a client has read what was sent, or is gone."""
        if (
            client.is_gone
            or client.state is StreamFault.HALF_OPEN
            or not client.socket.transport.is_reading()
        ):
            return
        try:
            pong = await client.socket.ping()
            await asyncio.wait_for(pong, _PATIENCE)
        except (ConnectionClosed, TimeoutError):
            client.is_gone = True

    async def _close(self, client: Client, code: int) -> None:
        client.is_gone = True
        if code == 1006:
            client.socket.transport.abort()
        else:
            await client.socket.close(code)

    @staticmethod
    def _reset(client: Client) -> None:
        """Begin a frame of a thousand bytes, send ten of them, and reset the connection."""
        client.is_gone = True
        transport = client.socket.transport
        transport.write(b"\x81\x7e\x03\xe8" + b'[{"ev":"AM')
        own = transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    def _drawn(self, possible: frozenset[StreamFault]) -> StreamFault | None:
        """Return the next fault that was ordered, else one that is drawn; None for none."""
        for index, fault in enumerate(self.next_faults):
            if fault in possible:
                del self.next_faults[index]
                self.by_fault[fault.name] += 1
                return fault
        if not self.faults or self._draw.random() >= self.faults:
            return None
        names = [fault for fault in (self.names or list(StreamFault)) if fault in possible]
        fault = self._draw.choice(names) if names else None
        if fault is not None:
            self.by_fault[fault.name] += 1
        return fault

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._run())
        self._loop.close()

    async def _run(self) -> None:
        self._stopped = asyncio.Event()
        async with serve(
            self._talk,
            "127.0.0.1",
            self._port,
            process_request=self._upgrade,
            ping_interval=None,
            close_timeout=0.2,
            compression=None,
        ) as server:
            self._port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._stopped.wait()
            for client in self.clients:
                client.socket.transport.abort()

    def _upgrade(self, connection: ServerConnection, _request) -> Response | None:
        fault = self._drawn(frozenset({StreamFault.UPGRADE_REFUSED}))
        if fault is None:
            return None
        status = self._draw.choice((401, 429, 502, None))
        if status is None:
            connection.transport.write(b"\x15\x03\x01\x00\x02\x02\x28" * 4)  # an alert of TLS
            connection.transport.abort()
            return None
        return connection.respond(status, "refused\n")

    async def _talk(self, connection: ServerConnection) -> None:
        client = Client(connection, connection.remote_address[1])
        self.clients.append(client)
        fault = self._drawn(faults.AT_HANDSHAKE - {StreamFault.UPGRADE_REFUSED})
        try:
            await client.send({"ev": "status", "status": "connected", "message": "Connected Successfully"})
            async for text in connection:
                await self._answer(client, json.loads(text), fault)
        except ConnectionClosed:
            pass  # the client has left, or was told to
        finally:
            client.is_gone = True

    async def _answer(self, client: Client, asked: dict, fault: StreamFault | None) -> None:
        if asked.get("action") == "auth":
            await self._authenticate(client, asked.get("params"), fault)
        elif asked.get("action") == "subscribe":
            for topic in str(asked.get("params")).split(","):
                await self._subscribe(client, topic, fault)

    async def _authenticate(self, client: Client, key: object, fault: StreamFault | None) -> None:
        refusal = None
        if fault is StreamFault.AUTH_FAILED or key != self.vendor.key:
            refusal = ("auth_failed", "authentication failed")
        elif fault is StreamFault.PLAN_WITHOUT_STREAM or not self.vendor.plan.stream:
            refusal = ("auth_failed", "Your plan doesn't include websocket access.")
        elif fault is StreamFault.AUTH_TIMEOUT:
            refusal = ("auth_timeout", "authentication timed out")
        if refusal is None:
            await client.send({"ev": "status", "status": "auth_success", "message": "authenticated"})
            return
        await client.send({"ev": "status", "status": refusal[0], "message": refusal[1]})
        await self._close(client, 1006)

    async def _subscribe(self, client: Client, topic: str, fault: StreamFault | None) -> None:
        if fault is StreamFault.NOT_AUTHORIZED:
            await client.send({"ev": "status", "status": "error", "message": "not authorized"})
            return
        if fault is StreamFault.UNKNOWN_TOPIC or not topic.startswith("AM.") or topic in client.topics:
            return
        client.topics.add(topic)
        acknowledged = {"ev": "status", "status": "success", "message": f"subscribed to: {topic}"}
        last = [sent.message for sent in self._newest()]
        if fault is StreamFault.ACKS_IN_DATA and last:
            await client.send(*last, acknowledged)
        elif fault is StreamFault.REPEATED_SUBSCRIBE and last:
            await client.send(*last)
        elif fault is not StreamFault.REPEATED_SUBSCRIBE:
            await client.send(acknowledged)
        await self._limit(client, fault)

    def _newest(self) -> list[Sent]:
        """Return the messages of the last burst."""
        now = self.now() - round(self.vendor.plan.delay * SECOND)
        date = new_york_date(dt.datetime.fromtimestamp(now / SECOND, dt.UTC))
        return next((burst for at, burst in reversed(self._of_date(date)) if at <= now), [])

    async def _limit(self, client: Client, fault: StreamFault | None) -> None:
        """Close one of two connections of the key, whichever: once both are acknowledged."""
        others = [
            other for other in self.clients if other.topics and not other.is_gone and other is not client
        ]
        if not others and fault is not StreamFault.MAX_CONNECTIONS:
            return
        victim = self._draw.choice([client, *others])
        victim.is_gone = True
        await victim.send(
            {
                "ev": "status",
                "status": "max_connections",
                "message": "Maximum number of websocket connections exceeded. ",
            }
        )
        await victim.socket.close(1008)
