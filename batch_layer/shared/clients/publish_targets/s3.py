"""A published data set in a bucket of Amazon S3."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow.fs
from botocore.exceptions import ClientError

from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.clients.aws_errors import CONDITION_FAILED, code_of, translated
from condvest.batch_layer.shared.errors import PublishedError, PublishedUnavailable
from condvest.batch_layer.shared.published.datasets import is_own

_CHUNK = 1 << 20
"""Bytes of an object in memory at a time."""

SIGNED_SECONDS = 900
"""For how long a signed address may be used."""

_MISSING = ("NoSuchKey", "404")


class S3Target:
    """A `PublishTarget` under a prefix of one bucket. S3 shows an object only when it is whole."""

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
        """Return the target at ``s3://bucket/prefix``.

        Raises:
            SettingsError: the URI has another form.
        """
        return cls(client, *aws.bucket_and_prefix(uri, "a publish target is a directory or"))

    @property
    def name(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def read(self, path: str) -> bytes | None:
        """Return the content of a small object; None if there is none."""
        with self._translated("read"):
            return self._read(path)[0]

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield the content of an object, a part at a time."""
        with self._translated("read"):
            answer = self._client.get_object(Bucket=self._bucket, Key=f"{self._prefix}{path}")
            with closing(answer["Body"]) as body:  # as a context it would give what it wraps
                yield from body.iter_chunks(_CHUNK)

    def sizes(self) -> dict[str, int]:
        """Return the size of every object that a publication may have written, by path."""
        sizes = {}
        with self._translated("list"):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for item in page.get("Contents", ()):
                    name = item["Key"].removeprefix(self._prefix)
                    if is_own(name):
                        sizes[name] = int(item["Size"])
        return sizes

    @contextmanager
    def building(self) -> Iterator[Path]:
        """Give a temporary directory of this machine to build files in."""
        try:
            with tempfile.TemporaryDirectory(prefix="condvest-publish-") as folder:
                yield Path(folder)
        except OSError as error:
            raise PublishedError(
                f"cannot build files for {self.name} in {tempfile.gettempdir()}: {error.strerror or error}; "
                "free some space there, or set TMPDIR to another directory"
            ) from error

    def put(self, built: Path, path: str) -> None:
        """Upload a built file, whole or not at all."""
        with self._translated("write to"), built.open("rb") as file:
            self._client.put_object(Bucket=self._bucket, Key=f"{self._prefix}{path}", Body=file)
        built.unlink()

    def write(self, content: bytes, path: str) -> None:
        """Write a small object atomically, over an older one if there is one."""
        with self._translated("write to"):
            self._client.put_object(Bucket=self._bucket, Key=f"{self._prefix}{path}", Body=content)

    def replace(self, old: bytes | None, content: bytes, path: str) -> bool:
        """Write a small object if its content is ``old``; return whether it was written."""
        key = {"Bucket": self._bucket, "Key": f"{self._prefix}{path}"}
        with self._translated("write to"):
            seen, tag = self._read(path)
            if seen != old:
                return False
            condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
            try:
                self._client.put_object(**key, Body=content, **condition)
            except ClientError as error:
                if code_of(error) not in CONDITION_FAILED:
                    raise
                # boto3 repeats a PUT whose answer was lost; the first attempt may have written it already.
                return self._read(path)[0] == content
            return True

    def remove(self, path: str) -> None:
        """Remove an object; it may be gone already."""
        with self._translated("write to"):
            self._client.delete_object(Bucket=self._bucket, Key=f"{self._prefix}{path}")

    def filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """Return Arrow's S3 file system, with boto3's credentials, region and endpoint, and the prefix."""
        given = _frozen()
        keys = {}
        if given is not None:
            keys = {
                "access_key": given.access_key,
                "secret_key": given.secret_key,
                "session_token": given.token,
            }
        reader = pyarrow.fs.S3FileSystem(
            region=self._client.meta.region_name,
            endpoint_override=self._client.meta.endpoint_url,
            connect_timeout=5,
            request_timeout=20,
            **keys,
        )
        return reader, f"{self._bucket}/{self._prefix}"

    @property
    def credentials(self) -> str:
        """A digest of boto3's credentials of this moment, which may be lent for some hours only."""
        given = _frozen()
        words = ("", "", "") if given is None else (given.access_key, given.secret_key, given.token or "")
        return hashlib.sha256("\n".join(words).encode()).hexdigest()

    def signed_address(self, path: str) -> str | None:
        """Return an address at which anybody may read an object for `SIGNED_SECONDS`.

        It holds no longer than the credentials that sign it.
        """
        with self._translated("sign an address of"):
            return str(
                self._client.generate_presigned_url(
                    "get_object",
                    Params={"Bucket": self._bucket, "Key": f"{self._prefix}{path}"},
                    ExpiresIn=SIGNED_SECONDS,
                )
            )

    def _read(self, path: str) -> tuple[bytes | None, str | None]:
        """Return the content of a small object and its tag; None for both if there is none."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=f"{self._prefix}{path}")
        except ClientError as error:
            if code_of(error) in _MISSING:
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


def _frozen() -> Any:  # noqa: ANN401  # botocore has no types
    """Return the credentials that boto3 has now; None if it has none."""
    given = aws.credentials()
    return None if given is None else given.get_frozen_credentials()
