"""Servers for the suites of serving: ``python -m benchmarks.serving_rivals NAME URL [PUBLISHED]``.

``condvest`` is ours. ``starlette`` has the ready bytes of one answer in memory, and a tag: the floor of any
server on this stack. ``flight`` has a table in memory. ``sendfile`` reads nothing of a request and has the
kernel send a MiB of a file: the limit of any server in Python on this event loop. ``pandas`` is FastAPI with
``pandas.read_sql``, as one would write it without thinking.
The port is printed when the server listens.
"""

import asyncio
import contextlib
import gc
import hashlib
import os
import socket
import sys
import tempfile
import warnings
from pathlib import Path

import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.flight
import pyarrow.parquet as pq
import uvicorn
import uvloop
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from condvest.serving_layer.http.answers.answering import Answering
from condvest.serving_layer.http.answers.endpoints import ENDPOINTS
from condvest.serving_layer.http.app import create_app
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.http.guarding.guards import Rules
from condvest.serving_layer.http.server import server_of

INTERVAL = 13
QUERY = f"""
    SELECT symbol, b."window", open, high, low, close, volume, vwap, trades, sessions, is_complete
    FROM bars_{INTERVAL} AS b JOIN symbols USING (instrument_id)
    WHERE symbol = %(symbol)s AND is_complete ORDER BY b."window"
"""


def settings_of(url, published=None):
    home = Path(tempfile.mkdtemp())
    return Settings(home=home, published_at=published, database=DatabaseSettings(url=url))


def condvest(url, published=None):
    gc.freeze()  # as `condvest serve` does
    return server_of(create_app(DatabaseBackend(settings_of(url, published)), Rules()))


def starlette(url):
    """Serve the bytes of Condvest's answer about one symbol."""
    backend = DatabaseBackend(settings_of(url))
    (bars,) = (endpoint for endpoint in ENDPOINTS if endpoint.path == "/v1/bars")
    content = Answering(backend).reply(bars, [("symbol", "S1"), ("interval", str(INTERVAL))], {}).body
    backend.close()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'

    async def ready(request):
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(content, media_type="application/json", headers={"ETag": tag})

    return _server(Starlette(routes=[Route("/v1/bars", ready)]))


def pandas(url):
    app = FastAPI()

    @app.get("/v1/bars")
    def bars(symbol: str):
        with psycopg.connect(url) as connection, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # pandas would rather be given SQLAlchemy
            frame = pd.read_sql(QUERY, connection, params={"symbol": symbol})
        return JSONResponse({"rows": frame.astype(object).where(frame.notna(), None).to_dict("records")})

    return _server(app)


class Flight(pa.flight.FlightServerBase):
    """One table, ready in memory."""

    def __init__(self, path):
        super().__init__("grpc://127.0.0.1:0")
        self._table = pq.read_table(path)

    def do_get(self, _context, _ticket):
        return pa.flight.RecordBatchStream(self._table)


class _SendFile(asyncio.Protocol):
    """Reads nothing of a request but its end, and has the kernel send the first MiB of a file: the limit."""

    opened = None

    def connection_made(self, transport):
        self._transport = transport
        self._socket = os.dup(transport.get_extra_info("socket").fileno())
        self._came = b""

    def connection_lost(self, _):
        os.close(self._socket)

    def data_received(self, data):
        self._came += data
        if self._came.endswith(b"\r\n\r\n"):
            self._came = b""
            count = min(1 << 20, os.fstat(self.opened).st_size)
            self._transport.write(b"HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\n\r\n" % count)
            self._send(0, count)

    def _send(self, first, count):
        loop = asyncio.get_running_loop()
        if not self._transport.get_write_buffer_size():
            with contextlib.suppress(BlockingIOError):
                while count:
                    sent = os.sendfile(self._socket, self.opened, first, count)
                    first, count = first + sent, count - sent
        if count:
            loop.add_writer(self._socket, self._go_on, first, count)

    def _go_on(self, first, count):
        asyncio.get_running_loop().remove_writer(self._socket)
        self._send(first, count)


async def _sending(path, listening):
    _SendFile.opened = os.open(path, os.O_RDONLY)
    server = await asyncio.get_running_loop().create_server(_SendFile, sock=listening)
    await server.serve_forever()


def _server(app):
    return uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))


def main():
    """Serve until it is interrupted."""
    name, *given = sys.argv[1:]
    if name == "flight":
        server = Flight(*given)
        print(server.port, flush=True)
        server.serve()
        return
    listening = socket.create_server(("127.0.0.1", 0))
    if name == "sendfile":
        print(listening.getsockname()[1], flush=True)
        uvloop.run(_sending(*given, listening))
        return
    server = {"condvest": condvest, "starlette": starlette, "pandas": pandas}[name](*given)
    print(listening.getsockname()[1], flush=True)
    server.run(sockets=[listening])


if __name__ == "__main__":
    main()
