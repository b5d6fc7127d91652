"""Copies of the journal in a bucket of Amazon S3, for a machine whose disk goes with it.

A file of the journal is copied once it has ended, under ``PREFIX/provider/session/NAME-POSITION.zst``: the
last one of a run that was killed is not. What is copied is never overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.clients.aws_errors import CONDITION_FAILED, code_of, translated
from condvest.batch_layer.shared.errors import ArchiveError, ArchiveUnavailable
from condvest.speed_layer.feeds.journal import Journal


@dataclass(eq=False)
class JournalCopies:
    """Copies files to a bucket, and fetches them back.

    Attributes:
        client: of S3.
        bucket: its name.
        prefix: what the names of all objects begin with, with a slash at its end.
        say: told what waits, in a sentence.
    """

    client: Any
    bucket: str
    prefix: str
    say: Callable[[str], None] = field(default=lambda _: None)
    _waiting: list[tuple[str, Path]] = field(default_factory=list)

    @classmethod
    def of(cls, uri: str, client: Any, say: Callable[[str], None]) -> JournalCopies:  # noqa: ANN401  # boto3's
        """Return the copies at ``s3://bucket/prefix``; raises SettingsError if it is no such URI."""
        return cls(client, *aws.bucket_and_prefix(uri, "CONDVEST_JOURNAL must be"), say)

    def keep(self, journal: Journal, path: Path) -> None:
        """Copy a file that has ended, and what had to wait before; if S3 does not answer it waits on.

        Raises:
            ArchiveError: S3 refuses; the message names the bucket.
        """
        self._waiting.append((self._key(journal, path.name), path))
        try:
            while self._waiting:
                self._put(*self._waiting[0])
                self._waiting.pop(0)
        except ArchiveUnavailable as error:
            self.say(f"{len(self._waiting)} files of the journal wait to be copied: {error}")

    def fetch(self, journal: Journal) -> None:
        """Fetch what is copied of a session and is not in its folder.

        Raises:
            ArchiveError, ArchiveUnavailable: the bucket cannot be read.
        """
        pages = self.client.get_paginator("list_objects_v2")
        with self._translated("read"):
            for page in pages.paginate(Bucket=self.bucket, Prefix=self._key(journal, "")):
                for entry in page.get("Contents", ()):
                    path = journal.folder / entry["Key"].rpartition("/")[2]
                    if not path.exists():
                        journal.make_folders()
                        self.client.download_file(self.bucket, entry["Key"], str(path))

    def _key(self, journal: Journal, name: str) -> str:
        return f"{self.prefix}{journal.folder.relative_to(journal.root).as_posix()}/{name}"

    def _put(self, key: str, path: Path) -> None:
        with self._translated("write to"), path.open("rb") as file:
            try:
                self.client.put_object(Bucket=self.bucket, Key=key, Body=file, IfNoneMatch="*")
            except ClientError as error:
                # There already: boto3 repeats a PUT whose answer was lost, and no two runs have one name.
                if code_of(error) not in CONDITION_FAILED:
                    raise

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        with translated(
            f"cannot {doing} the journal's copy s3://{self.bucket}/{self.prefix}",
            unavailable=ArchiveUnavailable,
            refused=ArchiveError,
            setting="CONDVEST_JOURNAL",
        ):
            yield
