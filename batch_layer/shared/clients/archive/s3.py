"""The archive in a bucket of Amazon S3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any

from botocore.exceptions import ClientError

from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.clients.archive import (
    DESCRIBED,
    describe,
    key_described_by,
    key_of,
    options_told,
    packing_told,
    restore,
)
from condvest.batch_layer.shared.clients.archive.packing import SUFFIXES, packed, packing_of
from condvest.batch_layer.shared.clients.aws_errors import CONDITION_FAILED, code_of, translated
from condvest.batch_layer.shared.errors import ArchiveError, ArchiveUnavailable
from condvest.batch_layer.shared.models.given.file_options import FileOptions
from condvest.batch_layer.shared.models.given.payloads import Payload


class S3Archive:
    """An `Archive` below a prefix of one bucket.

    An object appears when it is whole. The description is written after the bytes, so what is described is
    there; and both are written on the condition that nothing is there yet (If-None-Match), so that nobody
    ever overwrites anything, whoever comes first.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401  # boto3 has no types
        bucket: str,
        prefix: str = "",
        labels: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Take a boto3 client of S3; nothing is asked yet.

        Args:
            client: of S3.
            bucket: its name.
            prefix: what the names of all objects begin with.
            labels: kept with each payload beside what it says itself; ASCII.
        """
        self._client = client
        self._labels = dict(labels)
        self.bucket = bucket
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    @classmethod
    def of(
        cls,
        uri: str,
        client: Any,  # noqa: ANN401  # boto3 has no types
        labels: Mapping[str, str] = MappingProxyType({}),
    ) -> S3Archive:
        """Return the archive at ``s3://bucket/prefix``.

        Raises:
            SettingsError: it is no such URI.
        """
        return cls(client, *aws.bucket_and_prefix(uri, "CONDVEST_ARCHIVE must be"), labels)

    def keep(self, payload: Payload, *, again: bool = False) -> str:
        """Keep a payload and return its key; see `Archive.keep`.

        Raises:
            ArchiveUnavailable: S3 does not answer, or asks to be left alone for a while.
            ArchiveError: S3 refuses; the message names the bucket.
        """
        key = key_of(payload)
        known = set(self.keys_below(f"{key.rpartition('/')[0]}/"))
        newest = max(known, default=None)
        if newest is not None and not again and f"-{payload.digest[:16]}." in newest:
            return newest
        with self._translated(f"keep {payload.name} in"):
            packing = packing_of(payload.media)
            if key in known:  # its bytes were lost: they are packed as it says
                with suppress(ArchiveError):
                    packing = packing_told(key, self._get(f"{key}{DESCRIBED}"))
            self._put(f"{key}{SUFFIXES[packing]}", b"".join(packed(payload.content, packing)))
            self._put(f"{key}{DESCRIBED}", describe(payload, packing))
        return key

    def read(self, key: str) -> Payload:
        """Return the payload kept under ``key``.

        Raises:
            ArchiveError: there is none, or its bytes are no longer what was kept.
            ArchiveUnavailable: S3 does not answer.
        """
        with self._translated(f"read {key} in"):
            description = self._get(f"{key}{DESCRIBED}")
        name = f"{key}{SUFFIXES[packing_told(key, description)]}"
        with self._translated(f"read {key} in"):
            kept = self._get(name)
        return restore(key, kept, description)

    def options(self, key: str) -> FileOptions:
        """Return what was said of the payload kept under ``key``.

        Raises:
            ArchiveError, ArchiveUnavailable: as for `read`.
        """
        with self._translated(f"read {key} in"):
            return options_told(key, self._get(f"{key}{DESCRIBED}"))

    def labels(self, key: str) -> dict[str, str]:
        """Return what a payload was labelled with when it was kept.

        Raises:
            ArchiveError, ArchiveUnavailable: as for `read`.
        """
        with self._translated(f"read {key} in"):
            answer = self._client.head_object(Bucket=self.bucket, Key=f"{self.prefix}{key}{DESCRIBED}")
        return dict(answer.get("Metadata", {}))

    def keys(self) -> Iterator[str]:
        """Yield all keys, in the order of the instants at which the payloads were fetched."""
        yield from sorted(self.keys_below(""), key=lambda key: (key.rpartition("/")[2], key))

    def keys_below(self, folder: str) -> Iterator[str]:
        """Yield the keys that begin with ``folder``, in alphabetical order.

        Raises:
            ArchiveError, ArchiveUnavailable: as for `read`.
        """
        pages = self._client.get_paginator("list_objects_v2")
        with self._translated("list"):
            for page in pages.paginate(Bucket=self.bucket, Prefix=f"{self.prefix}{folder}"):
                for entry in page.get("Contents", ()):
                    key = key_described_by(entry["Key"].removeprefix(self.prefix))
                    if key is not None:
                        yield key

    def key_of_object(self, name: str) -> str | None:
        """Return the key that is complete with the object of that name; None if it completes none.

        A payload is complete when its description is there.

        Raises:
            ArchiveError: the object lies outside the archive's prefix.
        """
        if not name.startswith(self.prefix):
            raise ArchiveError(f"{name} does not lie in the archive s3://{self.bucket}/{self.prefix}")
        return key_described_by(name.removeprefix(self.prefix))

    def _get(self, key: str) -> bytes:
        body = self._client.get_object(Bucket=self.bucket, Key=f"{self.prefix}{key}")["Body"]
        with body:
            content: bytes = body.read()
        return content

    def _put(self, key: str, content: bytes) -> None:
        try:
            self._client.put_object(
                Bucket=self.bucket,
                Key=f"{self.prefix}{key}",
                Body=content,
                IfNoneMatch="*",
                Metadata=self._labels,
            )
        except ClientError as error:
            # There already: the same instant and digest, so the same bytes.
            if code_of(error) not in CONDITION_FAILED:
                raise

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        action = f"cannot {doing} the archive s3://{self.bucket}/{self.prefix}"
        with translated(
            action, unavailable=ArchiveUnavailable, refused=ArchiveError, setting="CONDVEST_ARCHIVE"
        ):
            yield
