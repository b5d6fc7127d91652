"""A websocket that is read by a thread of its own, which does nothing else, whoever's it is.

A reader that parsed, or waited for a database, would be a slow consumer, whose connection the server ends.
"""

from __future__ import annotations

import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from condvest.speed_layer.core.connecting import Ending
from condvest.speed_layer.feeds.inbox import Inbox

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


class Over(Exception):
    """The connection is over, as its first argument says."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.words)
        self.ending = ending


class WebsocketConnection(ABC):
    """A `Connection` to a websocket.

    Args:
        url: whereto.
        patience: how long steps may take.
        now: tells the instant, microseconds since 1970-01-01 UTC.

    Attributes:
        inbox: what comes over it.
    """

    def __init__(self, url: str, patience: Patience, now: Callable[[], int]) -> None:
        self.inbox = Inbox()
        self._url, self._patience, self._now = url, patience, now
        self._websocket: ClientConnection | None = None
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

    @abstractmethod
    def _read(self, websocket: ClientConnection) -> None:
        """Shake hands, say to the inbox that it is open, and put what comes there, until it ends."""

    @abstractmethod
    def _closed(self, code: int, words: str) -> Ending:
        """Return what it means that the server closed the connection."""

    def _ended_before(self) -> Ending | None:
        """Return how the server said that it ends, before it did; None if it did not."""
        return None

    def _run(self) -> None:
        try:
            self._connect()
        except Over as over:
            self.inbox.ended(over.ending)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            words = closed.rcvd.reason if closed.rcvd else str(closed)
            self.inbox.ended(self._closed(code, words[:_SHOWN_LENGTH]))
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
        self.inbox.ended(self._ended_before() or Ending("lost", reason, words[:_SHOWN_LENGTH]))

    def _connect(self) -> None:
        patience = self._patience
        with connect(
            self._url,
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
                self._read(websocket)
            finally:
                self.abandon()
