"""The paths of published files, and the files on their way to the client."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from fastapi import FastAPI, Request, Response

from condvest.serving_layer.compatible.massive.parameters import KEY
from condvest.serving_layer.contract import DatasetsQuery
from condvest.serving_layer.http.answers.describing import parameters_of
from condvest.serving_layer.http.answers.problems import NoSuchPath
from condvest.serving_layer.http.answers.requests import parsed
from condvest.serving_layer.http.guarding.guards import IS_HEAD
from condvest.serving_layer.http.protocol import App, Receive, Scope, Send
from condvest.serving_layer.http.published.files import DATASETS, PublishedFiles, Run, Sent
from condvest.serving_layer.http.published.opened import pieces_of
from condvest.serving_layer.http.published.zero_copy import ZERO_COPY


class Learning(Protocol):
    """What of `Direct` this needs."""

    def learn_file(self, scope: Scope, path: str) -> None:
        """Remember a request that was answered by sending a file of a directory."""
        ...


class FilesFront:
    """Answers the paths of published files, which routing would take longer than sending; the rest passes."""

    def __init__(self, app: App, files: PublishedFiles, run: Run) -> None:
        """Stand before an application; ``run`` does work on a thread.

        What the kernel sends is told to ``direct``, which answers the same request when it comes again.
        """
        self.direct: Learning | None = None
        self._app = app
        self._files = files
        self._run = run

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_get = scope["type"] == "http" and scope["method"] == "GET"
        if not is_get or not scope["path"].startswith(DATASETS):
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(DATASETS)
        if "/" not in path:
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        is_head = bool(scope.get(IS_HEAD))
        sent = self._files.near(path, headers, is_head=is_head)
        if sent is None:
            sent = await self._run(lambda: self._files.file(path, headers, is_head=is_head))
        elif self.direct is not None and sent.part is not None and _by_kernel(scope):
            self.direct.learn_file(scope, path)
        await _send(sent, self._run, scope, receive, send)


def add_files(app: FastAPI, files: PublishedFiles, run: Run) -> None:
    """Add the paths that tell what is published to an application; ``run`` does work on a thread."""

    def version_of(request: Request) -> str | None:
        given = [pair for pair in request.query_params.multi_items() if pair[0] != KEY]
        query: DatasetsQuery = parsed(DatasetsQuery, given)
        return query.version

    described = {"parameters": parameters_of(DatasetsQuery)}

    @app.get(
        "/v1/datasets",
        summary="What is published: the version, and its data sets.",
        openapi_extra=described,
    )
    async def datasets(request: Request) -> dict[str, Any]:
        version = version_of(request)
        return await run(lambda: files.datasets(version))

    @app.get(
        "/v1/datasets/{name}",
        summary="The files of a published data set, with their digests.",
        openapi_extra=described,
    )
    async def dataset(name: str, request: Request) -> dict[str, Any]:
        version = version_of(request)
        return await run(lambda: files.dataset(name, version))

    @app.get("/v1/datasets/{name}/{file}", summary="A published file, whole or by ranges of bytes.")
    async def file(name: str, file: str) -> Response:
        # For the OpenAPI document: `FilesFront` answers before anything is routed.
        raise NoSuchPath(f"no published file {name}/{file}")


async def _send(sent: Sent, run: Run, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a file, or only its headers, and close it: by the kernel where the server offers that."""
    head = [(name.lower().encode(), value.encode()) for name, value in sent.headers.items()]
    opened, part = sent.opened, sent.part
    try:
        await send({"type": "http.response.start", "status": sent.status, "headers": head})
        if opened is None or part is None:
            await send({"type": "http.response.body", "body": b""})
        elif opened.descriptor is not None and _by_kernel(scope):
            more = {"file": opened.descriptor, "offset": part.first, "count": len(part)}
            await send({"type": ZERO_COPY, **more})
        else:
            pieces, gone = pieces_of(opened, part), asyncio.create_task(_gone(receive))
            try:
                while not gone.done() and (piece := await run(lambda: next(pieces, None))) is not None:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            finally:
                gone.cancel()
    finally:
        if opened is not None:
            opened.close()


def _by_kernel(scope: Scope) -> bool:
    """Return whether the server lets the kernel send."""
    return ZERO_COPY in scope.get("extensions", {})


async def _gone(receive: Receive) -> None:
    """Wait until the client has gone: for it nothing more is read."""
    while (await receive())["type"] != "http.disconnect":
        pass
