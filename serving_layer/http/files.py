"""Published files over HTTP: what there is, and the bytes of each file, whole or in parts.

A file has the digest of its bytes in its name and is never altered, so it may be kept for ever; what there is
changes with each version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import pyarrow as pa
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from batch_layer.shared.errors import PublishedError, PublishedGone
from batch_layer.shared.published.manifest import is_own
from serving_layer.http.backends import Backend
from serving_layer.http.guards import IS_HEAD
from serving_layer.http.problems import NoSuchPath
from serving_layer.http.replying import FOR_EVER
from serving_layer.http.states import NotServed
from serving_layer.ranges import Part, part_of
from serving_layer.sources.published import PublishedSource
from serving_layer.versions import is_any, matches

T = TypeVar("T")


class Run(Protocol):
    """Does some work on a thread."""

    async def __call__(self, work: Callable[[], T]) -> T:
        """Return what the work returns, and raise what it raises."""
        ...


_PIECE = 1 << 20
"""Bytes that are read and sent at once."""


@dataclass(frozen=True)
class Sent:
    """A file, or a part of it, on its way.

    Attributes:
        status: 200, 206, 304, 307 or 416.
        headers: beside those of every answer.
        pieces: the bytes; none where only the headers are asked for.
        whole: all of the bytes, where they are few; then there are no pieces.
    """

    status: int
    headers: dict[str, str]
    pieces: Iterator[bytes]
    whole: bytes | None = None


class PublishedFiles:
    """The published data set of a backend's settings. Its methods may be called from several threads."""

    def __init__(self, backend: Backend, *, signs: bool = False) -> None:
        """Give the files of a backend; with ``signs``, by addresses at which the bucket gives them."""
        self._backend = backend
        self._signs = signs

    def datasets(self) -> dict[str, Any]:
        """Return the current version, those that are kept, and each data set's files, rows and bytes."""
        source = self._source()
        manifest = source.manifest
        return {
            "version": source.version,
            "kept": source.kept_versions(),
            "published_at": manifest.published_at.isoformat(),
            "first_session": manifest.first_session and manifest.first_session.isoformat(),
            "last_session": manifest.last_session and manifest.last_session.isoformat(),
            "datasets": [
                {
                    "name": name,
                    "files": len(files),
                    "rows": sum(file.rows for file in files),
                    "bytes": sum(file.bytes for file in files),
                    "url": f"/v1/datasets/{name}",
                }
                for name, files in manifest.files.items()
            ],
        }

    def dataset(self, name: str) -> dict[str, Any]:
        """Return the files of a data set of the current version, by part.

        Raises:
            NoSuchPath: there is no such data set.
        """
        source = self._source()
        if name not in source.manifest.files:
            raise NoSuchPath(f"no data set {name!r}; there are {', '.join(source.manifest.files)}")
        files = [
            {
                "part": file.part,
                "url": f"/v1/datasets/{file.path}",
                "rows": file.rows,
                "bytes": file.bytes,
                "sha256": file.sha256,
            }
            for file in source.manifest.files[name]
        ]
        return {"version": source.version, "schema": dict(source.manifest.schema[name]), "files": files}

    def file(self, path: str, headers: Mapping[str, str], *, is_head: bool) -> Sent:
        """Return a file of the current version, or of an earlier one that is still kept.

        Args:
            path: as the manifest has it: ``bars_13/2024-<16 digits of the digest>.parquet``.
            headers: of the request, names in lower case.
            is_head: whether only the headers are asked for.

        Raises:
            NoSuchPath: there is no such file, or no longer.
        """
        if not (is_own(path) and path.endswith(".parquet")):
            raise NoSuchPath(f"no published file {path!r}; /v1/datasets lists what there is")
        source = self._source()
        try:
            opened = source.open_file(path)
            size = opened.size()
        except (FileNotFoundError, IsADirectoryError) as error:
            raise NoSuchPath(f"{path} is no longer published; /v1/datasets lists what there is") from error
        tag = f'"sha256:{path.rpartition("-")[2].removesuffix(".parquet")}"'
        reply_headers = {
            "ETag": tag,
            "Cache-Control": FOR_EVER,
            "Accept-Ranges": "bytes",
            "Content-Type": "application/vnd.apache.parquet",
        }
        has = headers.get("if-none-match")
        if matches(has, tag) or is_any(has):
            opened.close()
            return Sent(304, reply_headers, iter(()))
        address = source.signed_address(path) if self._signs and not is_head else None
        if address is not None:
            # The address holds for some minutes, so this answer is not kept, though the file might be.
            opened.close()
            return Sent(
                307, {"Location": address, "Cache-Control": "no-store", "Content-Length": "0"}, iter(())
            )
        is_of_this = headers.get("if-range", tag) == tag
        part = part_of(headers.get("range"), size) if is_of_this else None
        if part is not None and not len(part):
            opened.close()
            return Sent(
                416, reply_headers | {"Content-Range": f"bytes */{size}", "Content-Length": "0"}, iter(())
            )
        if part is not None:
            reply_headers["Content-Range"] = f"bytes {part.first}-{part.last}/{size}"
        status, part = (200, Part(0, size - 1)) if part is None else (206, part)
        reply_headers["Content-Length"] = str(len(part))
        if is_head:
            opened.close()
            return Sent(status, reply_headers, iter(()))
        pieces = _pieces(opened, part)
        if len(part) <= _PIECE:  # which spares two ways to another thread
            return Sent(status, reply_headers, iter(()), b"".join(pieces))
        return Sent(status, reply_headers, pieces)

    def _source(self) -> PublishedSource:
        return current(self._backend)


def current(backend: Backend) -> PublishedSource:
    """Return the current version of what a backend's settings publish.

    Raises:
        NotServed: nothing is published, or it cannot be read.
        PublishedGone: the version that the backend is of is no longer kept.
    """
    try:
        return backend.published()
    except PublishedGone:
        raise
    except PublishedError as error:
        raise NotServed(str(error)) from error


def add_files(app: FastAPI, backend: Backend, run: Run, *, signs: bool = False) -> None:
    """Add the paths of published files.

    Args:
        app: gets the paths.
        backend: whose files.
        run: does work on a thread.
        signs: whether a file is answered with its signed address in the bucket, if it is in one.
    """
    published = PublishedFiles(backend, signs=signs)

    @app.get("/v1/datasets", summary="What is published: the version, and its data sets.")
    async def datasets() -> dict[str, Any]:
        return await run(published.datasets)

    @app.get("/v1/datasets/{name}", summary="The files of a published data set, with their digests.")
    async def dataset(name: str) -> dict[str, Any]:
        return await run(lambda: published.dataset(name))

    @app.get("/v1/datasets/{name}/{file}", summary="A published file, whole or by ranges of bytes.")
    async def file(name: str, file: str, request: Request) -> Response:
        is_head, headers = bool(request.scope.get(IS_HEAD)), dict(request.headers)
        sent = await run(lambda: published.file(f"{name}/{file}", headers, is_head=is_head))
        if sent.whole is not None:
            return Response(sent.whole, sent.status, sent.headers)
        return StreamingResponse(sent.pieces, sent.status, sent.headers)


def _pieces(opened: pa.NativeFile, part: Part) -> Iterator[bytes]:
    with opened:
        opened.seek(part.first)
        left = len(part)
        while left:
            piece = opened.read(min(left, _PIECE))
            if not piece:
                raise PublishedError(
                    "a published file is shorter than when it was opened; run condvest verify"
                )
            left -= len(piece)
            yield piece
