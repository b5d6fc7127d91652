"""Massive's websocket of minute aggregates: a thread per connection, which reads and does nothing else.

A reader that parsed, or waited for a database, would be a slow consumer, whose connection the server ends.
The steps of the handshake, each of which may be refused, fail or hang::

    server  [{"ev":"status","status":"connected", ...}]
    client  {"action":"auth","params":KEY}
    server  [{"ev":"status","status":"auth_success", ...}]
    client  {"action":"subscribe","params":"AM.*"}
    server  [{"ev":"status","status":"success","message":"subscribed to: AM.*"}]

Data may come before the acknowledgement, and stand for it. An unknown topic is met with silence.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from speed_layer.core.connecting import Ending, of_close, of_status
from speed_layer.feeds.inbox import Inbox
from speed_layer.feeds.massive_minutes import read_frames

_LARGEST_FRAME = 64 * 2**20
_WAITING_FRAMES = 1024
_SHOWN_LENGTH = 200


@dataclass(frozen=True)
class Patience:
    """How long a step may take, in seconds, by the real clock.

    Attributes:
        opening: TCP, TLS and the upgrade.
        step: until each answer of the handshake.
        ping_every, pong_within: of the pings that show whether anybody is there.
    """

    opening: float = 10.0
    step: float = 10.0
    ping_every: float = 20.0
    pong_within: float = 60.0


@dataclass(frozen=True)
class MassiveStream:
    """A `StreamFeed` of all minutes of the market.

    Attributes:
        url: of the cluster.
        key: the API key.
        topic: what to subscribe to.
        patience: how long steps may take.
    """

    url: str
    key: str = field(repr=False)
    topic: str = "AM.*"
    patience: Patience = field(default_factory=Patience)

    def open(self, now: Callable[[], int]) -> MassiveConnection:
        """Begin to connect; see `StreamFeed`."""
        connection = MassiveConnection(self, now)
        connection.start()
        return connection


class _Over(Exception):
    """The connection is over, as its first argument says."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.words)
        self.ending = ending


class MassiveConnection:
    """A `Connection` to Massive.

    Attributes:
        inbox: what comes over it.
    """

    def __init__(self, stream: MassiveStream, now: Callable[[], int]) -> None:
        self.inbox = Inbox()
        self._stream = stream
        self._now = now
        self._websocket: ClientConnection | None = None
        self._last_status: Ending | None = None
        self._thread = threading.Thread(target=self._run, name="condvest-stream", daemon=True)

    def start(self) -> None:
        """Begin to connect, on a thread."""
        self._thread.start()

    @property
    def port(self) -> int | None:
        """Its port on this machine; None before it is made."""
        return None if self._websocket is None else int(self._websocket.local_address[1])

    def abandon(self) -> None:
        """End it: the socket is shut, whoever waits for it wakes up."""
        if self._websocket is not None:
            with suppress(OSError):
                self._websocket.socket.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            self._read()
        except _Over as over:
            self.inbox.ended(over.ending)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            words = closed.rcvd.reason if closed.rcvd else str(closed)
            self.inbox.ended(of_close(code, words[:_SHOWN_LENGTH], self._last_status))
        except InvalidStatus as refused:
            status = refused.response.status_code
            self._lost(f"upgrade {status}", f"the upgrade to a websocket was refused with HTTP {status}")
        except (InvalidHandshake, WebSocketException) as error:
            self._lost("handshake", f"no websocket is spoken there: {error}")
        except TimeoutError:
            self._lost("no answer", "the vendor's stream did not answer in time")
        except OSError as error:
            self._lost("unreachable", f"the vendor's stream cannot be reached: {error}")
        finally:
            if self.inbox.ending is None:  # a fault of our own, which the thread's hook shows
                self._lost("reader failed", "the thread that reads the stream has failed")

    def _lost(self, reason: str, words: str) -> None:
        self.inbox.ended(self._last_status or Ending("lost", reason, words[:_SHOWN_LENGTH]))

    def _read(self) -> None:
        patience = self._stream.patience
        with connect(
            self._stream.url,
            open_timeout=patience.opening,
            close_timeout=patience.step,
            ping_interval=patience.ping_every,
            ping_timeout=patience.pong_within,
            max_size=_LARGEST_FRAME,
            max_queue=_WAITING_FRAMES,
            compression=None,
        ) as websocket:
            self._websocket = websocket
            try:
                self._await(websocket, "connected")
                websocket.send(json.dumps({"action": "auth", "params": self._stream.key}))
                self._await(websocket, "auth_success")
                websocket.send(json.dumps({"action": "subscribe", "params": self._stream.topic}))
                self._await(websocket, "success")
                self.inbox.opened()
                while True:
                    self.inbox.put(websocket.recv(decode=False), self._now())
            finally:
                self.abandon()

    def _await(self, websocket: ClientConnection, wanted: str) -> None:
        """Read until a status comes, or data, which come only to who is subscribed; hand all of it on.

        Raises:
            _Over: the vendor refuses, or says nothing.
        """
        deadline = time.monotonic() + self._stream.patience.step
        while True:
            try:
                left = max(deadline - time.monotonic(), 0)
                frame = websocket.recv(timeout=left, decode=False)
            except TimeoutError:
                raise _Over(
                    Ending(
                        "lost",
                        "silence",
                        f"expected the status {wanted!r} from the vendor's stream, got nothing for "
                        f"{self._stream.patience.step:g} s",
                    )
                ) from None
            received = self._now()
            self.inbox.put(frame, received)
            read = read_frames([frame], [received])
            for status in read.statuses:
                ending = of_status(status.status, status.message)
                if ending is not None:
                    self._last_status = ending
                    raise _Over(ending)
            if len(read.messages) or any(status.status == wanted for status in read.statuses):
                return
