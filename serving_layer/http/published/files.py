"""Published files over HTTP: what there is, and the bytes of each file, whole or in parts.

A file has the digest of its bytes in its name and is never altered, so it may be kept for ever; what there is
changes with each version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.errors import PublishedError, PublishedGone
from condvest.batch_layer.shared.published.datasets import is_own
from condvest.batch_layer.shared.published.target import PublishTarget
from condvest.serving_layer.http.answers.problems import NoSuchPath
from condvest.serving_layer.http.answers.replying import FOR_EVER
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.backends.states import NotServed
from condvest.serving_layer.http.published.opened import Opened, open_in
from condvest.serving_layer.ranges import Part, part_of
from condvest.serving_layer.sources.published import PublishedSource
from condvest.serving_layer.versions import is_any, matches

T = TypeVar("T")


class Run(Protocol):
    """Does some work on a thread."""

    async def __call__(self, work: Callable[[], T]) -> T:
        """Return what the work returns, and raise what it raises."""
        ...


DATASETS = "/v1/datasets/"
"""What the paths of data sets, and of their files, begin with."""


@dataclass(frozen=True)
class Sent:
    """A file, or a part of it, on its way.

    Attributes:
        status: 200, 206, 304, 307 or 416.
        headers: beside those of every answer.
        part: the bytes that are to be sent; None where only the headers are.
        opened: the file that they are of, which whoever sends them closes.
    """

    status: int
    headers: dict[str, str]
    part: Part | None = None
    opened: Opened | None = None


class PublishedFiles:
    """The published data set of a backend's settings. Its methods may be called from several threads."""

    def __init__(self, backend: Backend, *, signs: bool = False) -> None:
        """Give the files of a backend; with ``signs``, by addresses at which the bucket gives them."""
        self._backend = backend
        self._signs = signs

    def datasets(self, version: str | None = None) -> dict[str, Any]:
        """Return a version, those that are kept, and each data set's files, rows and bytes.

        Args:
            version: one that is kept; None for the current one.

        Raises:
            PublishedGone: the version is no longer kept.
            UsageError: it names none.
        """
        source = self._source(version)
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

    def dataset(self, name: str, version: str | None = None) -> dict[str, Any]:
        """Return the files of a data set of a version, by part; arguments and errors are those of `datasets`.

        Raises:
            NoSuchPath: there is no such data set.
        """
        source = self._source(version)
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
        target = self._backend.target()
        try:
            opened = open_in(target, path)
        except (FileNotFoundError, IsADirectoryError) as error:
            self._source()  # that nothing is published is said as such
            raise NoSuchPath(f"{path} is no longer published; /v1/datasets lists what there is") from error
        sent = self._sent(path, headers, target, opened, is_head=is_head)
        if sent.opened is None:
            opened.close()
        return sent

    def near(self, path: str, headers: Mapping[str, str], *, is_head: bool) -> Sent | None:
        """Return the same of a file that lies in a directory; None if it does not.

        To open it takes less than to ask a thread for it, so an event loop may.
        """
        target = self._backend.target()
        if not (isinstance(target, DirectoryTarget) and is_own(path) and path.endswith(".parquet")):
            return None
        try:
            opened = open_in(target, path)
        except OSError:
            return None
        sent = self._sent(path, headers, target, opened, is_head=is_head)
        if sent.opened is None:
            opened.close()
        return sent

    def _sent(
        self,
        path: str,
        headers: Mapping[str, str],
        target: PublishTarget,
        opened: Opened,
        *,
        is_head: bool,
    ) -> Sent:
        """Return what is to be sent of a file that is open."""
        tag = f'"sha256:{path.rpartition("-")[2].removesuffix(".parquet")}"'
        reply_headers = {
            "ETag": tag,
            "Cache-Control": FOR_EVER,
            "Accept-Ranges": "bytes",
            "Content-Type": "application/vnd.apache.parquet",
        }
        has = headers.get("if-none-match")
        if matches(has, tag) or is_any(has):
            return Sent(304, reply_headers)
        address = target.signed_address(path) if self._signs and not is_head else None
        if address is not None:
            # The address holds for some minutes, so this answer is not kept, though the file might be.
            return Sent(307, {"Location": address, "Cache-Control": "no-store", "Content-Length": "0"})
        size = opened.size
        is_of_this = headers.get("if-range", tag) == tag
        part = part_of(headers.get("range"), size) if is_of_this else None
        if part is not None and not len(part):
            return Sent(416, reply_headers | {"Content-Range": f"bytes */{size}", "Content-Length": "0"})
        if part is not None:
            reply_headers["Content-Range"] = f"bytes {part.first}-{part.last}/{size}"
        status, part = (200, Part(0, size - 1)) if part is None else (206, part)
        reply_headers["Content-Length"] = str(len(part))
        if is_head:
            return Sent(status, reply_headers)
        return Sent(status, reply_headers, part, opened)

    def _source(self, version: str | None = None) -> PublishedSource:
        return current(self._backend if version is None else self._backend.at(version))


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
