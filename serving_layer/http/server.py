"""The server around the application: what it spends on clients that are slow, and on too many of them."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from condvest.batch_layer.shared.errors import UsageError
from condvest.serving_layer.http.at_once import AtOnceProtocol
from condvest.serving_layer.http.guarding.guards import IS_TOO_MANY
from condvest.serving_layer.http.guarding.hosts import TARGET
from condvest.serving_layer.http.protocol import App
from condvest.serving_layer.http.published.files import DATASETS
from condvest.serving_layer.http.published.zero_copy import ZERO_COPY, ZeroCopySend, offers

PATIENCE = 10.0
"""Seconds in which a client has to send a request, and to take something of its answer."""

MOST_CONNECTIONS = 64
"""Connections at once; who comes beyond them is told to come again (503)."""

MOST_HEADER_BYTES = 64 << 10
"""Bytes of a request before it is whole: its line and headers. Bodies: see `bodies`."""


_MALFORMED = UsageError(
    "expected a request of HTTP/1.1: a line such as GET /v1/version HTTP/1.1, then headers; got something "
    "else. This server speaks no TLS: ask it by http://, or put a proxy with TLS in front of it"
)


class PatientProtocol(AtOnceProtocol):
    """Ends connections whose clients keep it waiting or send headers without end: uvicorn bounds neither.

    It also hands on what stood in the request's line, of which uvicorn passes only path and query.
    """

    patience = PATIENCE
    _timer: asyncio.TimerHandle | None = None
    _unsent = 0
    _since = 0.0
    _begun = 0

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401  # as asyncio has it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._look_again(self.patience)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().connection_lost(exc)

    def take(self, data: bytes) -> None:
        """Take a piece of a request; end the connection if its headers are longer than any that is meant."""
        self._begun += len(data)
        super().take(data)
        if self._is_answering():  # the headers are whole; bodies have bounds of their own
            self._begun = 0
        elif self._begun > MOST_HEADER_BYTES:
            self.transport.abort()

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to the protocol of websockets, which has a patience of its own."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # the parser's words help nobody
        """Say that what came is no request, as every other problem is said."""
        if self._is_answering():  # the client would take it for a part of the answer before it
            self.transport.abort()
            return
        headers, body = self.app.malformed(_MALFORMED)
        lines = [b"%s: %s\r\n" % each for each in headers]
        self.transport.write(b"".join([b"HTTP/1.1 400 Bad Request\r\n", *lines, b"\r\n", body]))
        self.transport.close()

    def on_headers_complete(self) -> None:
        """Hand the request on with its target; httptools alone calls this, h11 leaves a host in the path.

        Of too many connections the application says so, in the form of its problems; uvicorn would by itself.
        """
        most = self.config.limit_concurrency
        is_too_many = most is not None and max(len(self.connections), len(self.tasks)) >= most
        self.limit_concurrency = None
        super().on_headers_complete()
        if is_too_many and self.cycle is not None:
            self.scope[IS_TOO_MANY] = True
            self.cycle.keep_alive = False
        self.scope[TARGET] = self.url
        path = self.scope.get("path", "")  # that of a websocket is not there yet
        if path.startswith(DATASETS) and offers():
            self.scope["extensions"] = {**self.scope.get("extensions", {}), ZERO_COPY: {}}
            self.cycle.send = ZeroCopySend(self.cycle, self.transport, self.patience)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        self._since = self.loop.time()

    def answered(self) -> None:
        """The same after an answer that was sent at once."""
        self._since = self.loop.time()

    def _is_answering(self) -> bool:
        return self._is_asking or not self._is_idle()

    def _look_again(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """End the connection if its client has done nothing for too long."""
        unsent, before = self.transport.get_write_buffer_size(), self._unsent
        self._unsent = unsent
        if unsent and unsent == before:
            self.transport.abort()  # what it does not take cannot be sent before the end, either
            return
        waited = self.loop.time() - self._since
        if self._is_answering() or unsent:
            self._look_again(self.patience)
        elif waited >= self.patience:
            self.transport.close()
        else:
            self._look_again(self.patience - waited)


class PatientSocket(WebSocketsSansIOProtocol):
    """Ends websockets whose clients do not take what is sent to them: uvicorn waits for them for ever."""

    patience = PATIENCE
    _running_out: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """Begin to wait for a client that is behind."""
        super().pause_writing()
        self._running_out = self.loop.call_later(self.patience, self.transport.abort)

    def resume_writing(self) -> None:
        """Wait no longer: it has taken something."""
        self._wait_no_longer()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._wait_no_longer()
        super().connection_lost(exc)

    def _wait_no_longer(self) -> None:
        if self._running_out is not None:
            self._running_out.cancel()
            self._running_out = None


class _Server(uvicorn.Server):
    """Tells the application that it is to end its streams before it waits for the answers under way."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down."""
        getattr(self.config.app, "stop", lambda: None)()
        await super().shutdown(sockets)


def server_of(app: App, protocol: type[PatientProtocol] = PatientProtocol) -> uvicorn.Server:
    """Return the server of an application; it logs nothing by itself."""
    return _Server(
        uvicorn.Config(
            app,
            http=protocol,
            lifespan="on",  # what fails at the start ends the server
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nothing here asks who the client of a proxy is
            timeout_graceful_shutdown=10,
            limit_concurrency=MOST_CONNECTIONS,
            ws=PatientSocket,
            ws_max_size=MOST_HEADER_BYTES,
            ws_per_message_deflate=False,
        )
    )
