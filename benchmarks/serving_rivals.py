"""Servers for the suite ``serving``: ``python -m benchmarks.serving_rivals NAME URL``.

``condvest`` is ours. ``starlette`` has the ready bytes of each answer in memory, and a tag: the floor of any
server on this stack. ``pandas`` is FastAPI with ``pandas.read_sql``, as one would write it without thinking.
The port is printed when the server listens.
"""

import hashlib
import socket
import sys
import tempfile
import warnings
from pathlib import Path

import pandas as pd
import psycopg
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from batch_layer.shared.settings import DatabaseSettings, Settings
from serving_layer.http.app import create_app
from serving_layer.http.backends import DatabaseBackend
from serving_layer.http.guards import Rules
from serving_layer.http.server import server_of

INTERVAL = 13
QUERY = f"""
    SELECT symbol, b."window", open, high, low, close, volume, vwap, trades, sessions, is_complete
    FROM bars_{INTERVAL} AS b JOIN symbols USING (instrument_id)
    WHERE symbol = %(symbol)s AND is_complete ORDER BY b."window"
"""


def condvest(url):
    settings = Settings(home=Path(tempfile.mkdtemp()), database=DatabaseSettings(url=url))
    return server_of(create_app(DatabaseBackend(settings), Rules()))


def starlette(_url):
    """Serve ready bytes of about the size of an answer about one symbol."""
    content = b'{"rows":[' + b",".join([b'{"symbol":"S1","close":12.3456,"volume":1234567.0}'] * 200) + b"]}"
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


def _server(app):
    return uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))


def main():
    """Serve until it is interrupted."""
    name, url = sys.argv[1:]
    listening = socket.create_server(("127.0.0.1", 0))
    server = {"condvest": condvest, "starlette": starlette, "pandas": pandas}[name](url)
    print(listening.getsockname()[1], flush=True)
    server.run(sockets=[listening])


if __name__ == "__main__":
    main()
