"""A real threaded HTTP/1.1 server that can also fail on purpose, on 127.0.0.1 alone."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.support.emulators.faults import Fault, Reply, json_reply

_DRIPS = 10


@dataclass(frozen=True)
class Request:
    """A request as it came, decoded.

    Attributes:
        path: decoded, without the query.
        raw_path: as sent, without the query.
        query: decoded parameters; of a repeated one the last.
        headers: names in lower case.
    """

    method: str
    path: str
    raw_path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""


class Server:
    """Serves ``answer(request) -> Reply`` on a thread until stopped.

    An exception inside ``answer`` is answered with 500, kept in ``failures`` and raised by ``stop``, so
    that a test never mistakes a fault of the emulator for one of the vendor.
    """

    def __init__(self, answer: Callable[[Request], Reply], port: int = 0, delay: float = 1.0) -> None:
        self.failures: list[str] = []
        self.delay = delay
        self.answer = answer
        self._http = _Http(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._http.server_address[1]

    def use_tls(self, context: ssl.SSLContext) -> None:
        """Speak TLS from the next connection on; one that shakes hands badly is left."""
        self._http.tls = context

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, close every connection, and raise what failed inside the emulator."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._http.close_connections()
        if self.failures:
            raise RuntimeError("the emulator itself failed:\n" + "\n".join(self.failures))


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: Server) -> None:
        self.owner = owner
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.to_reset: set[socket.socket] = set()
        self.tls: ssl.SSLContext | None = None
        super().__init__(address, _Handler)

    def get_request(self):
        connection, address = super().get_request()
        if self.tls is not None:
            connection.settimeout(5)
            connection = self.tls.wrap_socket(connection, server_side=True)  # an OSError is no request
            connection.settimeout(None)
        return connection, address

    def process_request(self, request, client_address) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        with self._lock:
            self._open.discard(request)
        if request in self.to_reset:  # closed at once, with SO_LINGER 0: the client sees a reset
            self.to_reset.discard(request)
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def close_connections(self) -> None:
        """Wake the threads that wait for a next request; each closes its own connection."""
        with self._lock:
            waiting = list(self._open)
        for connection in waiting:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client has left already, which is all that is wanted here
        deadline = time.monotonic() + 2
        while self._open and time.monotonic() < deadline:
            time.sleep(0.005)

    def handle_error(self, request, client_address) -> None:
        """Say nothing: a client may leave when it likes, and `answer` keeps its own failures."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def log_message(self, *_args) -> None:
        """Write nothing: a request line may hold a key."""

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            method=self.command,
            path=unquote(parts.path),
            raw_path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length) if length else b"",
        )
        try:
            reply = self.server.owner.answer(request)
        except Exception:  # noqa: BLE001 kept and raised by stop()
            self.server.owner.failures.append(traceback.format_exc())
            reply = json_reply({"error": "the emulator itself failed"}, 500)
        self._send(reply)

    do_GET = do_HEAD = do_POST = handle_any  # noqa: N815 the names that http.server looks for

    def _send(self, reply: Reply) -> None:
        if reply.manner is Fault.RESET_BEFORE_HEADERS:
            self._reset()
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status not in (204, 304):
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command == "HEAD" or reply.status in (204, 304):
            self.wfile.flush()
        elif reply.manner is None:
            self.wfile.write(reply.body)
            self.wfile.flush()
        else:
            self._send_badly(reply)

    def _send_badly(self, reply: Reply) -> None:
        self.close_connection = True
        half = reply.body[: len(reply.body) // 2]
        if reply.manner is Fault.SLOW_DRIP:
            step = max(1, len(half) // _DRIPS)
            for start in range(0, len(half), step):
                self.wfile.write(half[start : start + step])
                self.wfile.flush()
                time.sleep(self.server.owner.delay / _DRIPS)
            return
        self.wfile.write(half)
        self.wfile.flush()
        if reply.manner is Fault.RESET_MID_BODY:
            self._reset()

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.server.to_reset.add(self.request)
