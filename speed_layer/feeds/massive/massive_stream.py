"""Massive's websocket of minute aggregates.

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
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from websockets.sync.client import ClientConnection

from condvest.speed_layer.core.connecting import Ending, of_close, of_status
from condvest.speed_layer.feeds.massive.massive_minutes import read_frames
from condvest.speed_layer.feeds.websockets_read import Over, Patience, WebsocketConnection


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


class MassiveConnection(WebsocketConnection):
    """A `Connection` to Massive; see the base."""

    def __init__(self, stream: MassiveStream, now: Callable[[], int]) -> None:
        super().__init__(stream.url, stream.patience, now)
        self._stream = stream
        self._last_status: Ending | None = None

    def _closed(self, code: int, words: str) -> Ending:
        return of_close(code, words, self._last_status)

    def _ended_before(self) -> Ending | None:
        return self._last_status

    def _read(self, websocket: ClientConnection) -> None:
        self._await(websocket, "connected")
        websocket.send(json.dumps({"action": "auth", "params": self._stream.key}))
        self._await(websocket, "auth_success")
        websocket.send(json.dumps({"action": "subscribe", "params": self._stream.topic}))
        self._await(websocket, "success")
        self.inbox.opened()
        while True:
            self.inbox.put(websocket.recv(decode=False), self._now())

    def _await(self, websocket: ClientConnection, wanted: str) -> None:
        """Read until a status comes, or data, which come only to who is subscribed; hand all of it on.

        Raises:
            Over: the vendor refuses, or says nothing.
        """
        deadline = time.monotonic() + self._patience.step
        while True:
            try:
                left = max(deadline - time.monotonic(), 0)
                frame = websocket.recv(timeout=left, decode=False)
            except TimeoutError:
                raise Over(
                    Ending(
                        "lost",
                        "silence",
                        f"expected the status {wanted!r} from the vendor's stream, got nothing for "
                        f"{self._patience.step:g} s",
                    )
                ) from None
            received = self._now()
            self.inbox.put(frame, received)
            read = read_frames([frame], [received])
            for status in read.statuses:
                ending = of_status(status.status, status.message)
                if ending is not None:
                    self._last_status = ending
                    raise Over(ending)
            if len(read.messages) or any(status.status == wanted for status in read.statuses):
                return
