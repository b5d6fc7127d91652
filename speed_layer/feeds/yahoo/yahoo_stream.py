"""Yahoo's websocket of running days, for the symbols that it is asked for. It needs no key.

The client says what it wants, and says it again every 15 seconds, for Yahoo forgets who is quiet; nothing is
acknowledged, and a symbol that Yahoo does not know is met with silence::

    client  {"subscribe":["AAPL","BRK-B"]}
    server  {"type":"pricing","message":"CgRBQVBMFbgeNkMY..."}
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from websockets.sync.client import ClientConnection

from condvest.batch_layer.shared.clients.yahoo.symbols import yahoo_symbol
from condvest.speed_layer.core.connecting import Ending
from condvest.speed_layer.feeds.websockets_read import Patience, WebsocketConnection

SUBSCRIBE_EVERY = 15.0
"""Seconds, by the real clock."""


@dataclass(frozen=True)
class YahooStream:
    """A `StreamFeed` of some symbols.

    Attributes:
        url: of the stream.
        symbols: as Condvest spells them.
        patience: how long steps may take.
    """

    url: str
    symbols: Sequence[str]
    patience: Patience = field(default_factory=Patience)

    def open(self, now: Callable[[], int]) -> YahooConnection:
        """Begin to connect; see `StreamFeed`."""
        connection = YahooConnection(self, now)
        connection.start()
        return connection


class YahooConnection(WebsocketConnection):
    """A `Connection` to Yahoo; see the base."""

    def __init__(self, stream: YahooStream, now: Callable[[], int]) -> None:
        super().__init__(stream.url, stream.patience, now)
        self._asking = json.dumps({"subscribe": [yahoo_symbol(symbol) for symbol in stream.symbols]})

    def _closed(self, code: int, words: str) -> Ending:
        return Ending("lost", f"closed {code}", f"the connection was closed with {code} {words}".strip())

    def _read(self, websocket: ClientConnection) -> None:
        websocket.send(self._asking)
        self.inbox.opened()
        ask_at = time.monotonic() + SUBSCRIBE_EVERY
        while True:
            left = ask_at - time.monotonic()
            if left <= 0:
                websocket.send(self._asking)
                ask_at, left = time.monotonic() + SUBSCRIBE_EVERY, SUBSCRIBE_EVERY
            with suppress(TimeoutError):
                self.inbox.put(websocket.recv(timeout=left, decode=False), self._now())
