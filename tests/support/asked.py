"""Questions to an application within this process, without a server."""

import asyncio
import json
from contextlib import contextmanager

import httpx

from condvest.serving_layer.http.app import create_app
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.http.guarding.guards import Rules


class Application:
    """An application that is asked directly; ``lines`` are those of its log."""

    def __init__(self, backend, rules=None, client=("127.0.0.1", 1)):
        self.lines = []
        self.app = create_app(backend, rules or Rules(), lambda line: self.lines.append(json.loads(line)))
        self._client = client

    def __call__(self, method, path, base="http://127.0.0.1", **how):
        """Return the answer to one request."""

        async def run():
            transport = httpx.ASGITransport(self.app, client=self._client)
            async with httpx.AsyncClient(transport=transport, base_url=base) as client:
                return await client.request(method, path, **how)

        return asyncio.run(run())

    def get(self, path, **how):
        """Return the answer to a GET."""
        return self("GET", path, **how)


@contextmanager
def application(settings, kind=DatabaseBackend, **how):
    """Give an application of settings, and close what it opened."""
    backend = kind(settings)
    try:
        yield Application(backend, **how)
    finally:
        backend.close()
