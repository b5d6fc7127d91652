"""The page's files over HTTP: at the root, and below ``/page``. They hold no data, so they need no key."""

from __future__ import annotations

from functools import cache

from fastapi import FastAPI, Request, Response

from condvest.serving_layer.formats import FORMATS, SMALLEST, compressed, content_coding
from condvest.serving_layer.http.answers.problems import NoSuchPath
from condvest.serving_layer.page.assets import assets
from condvest.serving_layer.versions import matches

ROOT, BELOW = "/", "/page/"
"""Where the page is, and what the paths of its files begin with."""


def is_page(path: str) -> bool:
    """Return whether a path is one of the page's, which are open to everybody."""
    return path == ROOT or path.startswith(BELOW)


def add_page(app: FastAPI) -> None:
    """Add the paths of the page."""

    @app.get(ROOT, include_in_schema=False)
    async def index(request: Request) -> Response:
        return _sent("index.html", request)

    @app.get(BELOW + "{name:path}", include_in_schema=False)
    async def file(name: str, request: Request) -> Response:
        return _sent(name, request)


def _sent(name: str, request: Request) -> Response:
    """Answer with a file; its tag says whether the browser's copy is still this release's."""
    asset = assets().get(name)
    if asset is None:
        raise NoSuchPath(f"the page has no file {name!r}")
    coding = content_coding(request.headers.get("accept-encoding"), FORMATS["csv"])
    tag = f'{asset.tag[:-1]}-{coding}"' if coding else asset.tag
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    content = _coded(name, coding)
    if len(content) < len(asset.content):
        headers["Content-Encoding"] = coding
    return Response(content, headers=headers, media_type=asset.media_type)


@cache
def _coded(name: str, coding: str) -> bytes:
    """Return the bytes of a file in a content coding, if that makes them fewer."""
    content = assets()[name].content
    packed = compressed(content, coding) if coding and len(content) >= SMALLEST else content
    return min(packed, content, key=len)
