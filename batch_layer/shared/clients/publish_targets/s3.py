"""A published data set in a bucket of Amazon S3."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pyarrow.fs
from botocore.exceptions import ClientError

from batch_layer.shared.clients import aws
from batch_layer.shared.clients.s3_errors import CONDITION_FAILED, translated
from batch_layer.shared.errors import PublishedError, PublishedUnavailable
from batch_layer.shared.published.manifest import is_own

_MISSING = ("NoSuchKey", "404")


class S3Target:
    """A `Place` below a prefix of one bucket. An object appears when it is whole; so it needs no renaming."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401  # boto3 has no types
        bucket: str,
        prefix: str = "",
    ) -> None:
        """Take a boto3 client of S3; nothing is asked yet."""
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    @classmethod
    def of(
        cls,
        uri: str,
        client: Any,  # noqa: ANN401  # boto3 has no types
    ) -> S3Target:
        """Return the place at ``s3://bucket/prefix``.

        Raises:
            SettingsError: it is no such URI.
        """
        return cls(client, *aws.bucket_and_prefix(uri, "a place to publish in is a directory or"))

    @property
    def name(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def read(self, path: str) -> bytes | None:
        """Return the content of a small object; None if there is none."""
        with self._translated("read"):
            return self._read(path)[0]

    def sizes(self) -> dict[str, int]:
        """Return the size of every object that a publication may have written, by path."""
        found = {}
        with self._translated("list"):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for one in page.get("Contents", ()):
                    name = one["Key"].removeprefix(self._prefix)
                    if is_own(name):
                        found[name] = int(one["Size"])
        return found

    @contextmanager
    def building(self) -> Iterator[Path]:
        """Give a directory of this machine to build files in."""
        try:
            with tempfile.TemporaryDirectory(prefix="condvest-publish-") as folder:
                yield Path(folder)
        except OSError as error:
            raise PublishedError(
                f"cannot build files for {self.name} in {tempfile.gettempdir()}: {error.strerror or error}; "
                "make room there, or set TMPDIR to a directory that has some"
            ) from error

    def put(self, built: Path, path: str) -> None:
        """Upload a file that was built, whole or not at all."""
        with self._translated("write to"), built.open("rb") as file:
            self._client.put_object(Bucket=self._bucket, Key=f"{self._prefix}{path}", Body=file)
        built.unlink()

    def write(self, content: bytes, path: str) -> None:
        """Put a small object into its place, whole and at once over what was there."""
        with self._translated("write to"):
            self._client.put_object(Bucket=self._bucket, Key=f"{self._prefix}{path}", Body=content)

    def replace(self, old: bytes | None, content: bytes, path: str) -> bool:
        """Put a small object into its place if ``old`` is what lies there; return whether it did."""
        key = {"Bucket": self._bucket, "Key": f"{self._prefix}{path}"}
        with self._translated("write to"):
            seen, tag = self._read(path)
            if seen != old:
                return False
            condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
            try:
                self._client.put_object(**key, Body=content, **condition)
            except ClientError as error:
                if error.response["Error"]["Code"] not in CONDITION_FAILED:
                    raise
                # An answer that was lost is asked for again, and then what changed it was this.
                return self._read(path)[0] == content
            return True

    def remove(self, path: str) -> None:
        """Remove an object; it may be gone already."""
        with self._translated("write to"):
            self._client.delete_object(Bucket=self._bucket, Key=f"{self._prefix}{path}")

    def filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """Return what Arrow reads the objects through, with boto3's credentials, region and endpoint."""
        given = boto3.Session().get_credentials()
        keys = {}
        if given is not None:
            frozen = given.get_frozen_credentials()
            keys = {
                "access_key": frozen.access_key,
                "secret_key": frozen.secret_key,
                "session_token": frozen.token,
            }
        reader = pyarrow.fs.S3FileSystem(
            region=self._client.meta.region_name,
            endpoint_override=self._client.meta.endpoint_url,
            connect_timeout=5,
            request_timeout=20,
            **keys,
        )
        return reader, f"{self._bucket}/{self._prefix}"

    def _read(self, path: str) -> tuple[bytes | None, str | None]:
        """Return the content of a small object and its tag; None for both if there is none."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=f"{self._prefix}{path}")
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return None, None
            raise
        with answer["Body"] as body:
            return body.read(), answer["ETag"]

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        with translated(
            f"cannot {doing} the published data set {self.name}",
            unavailable=PublishedUnavailable,
            refused=PublishedError,
            setting="--to or CONDVEST_PUBLISHED",
        ):
            yield
