"""Massive's flat files: one gzipped CSV a session in an S3 bucket, for the plans that have them.

The file of a session is there from about 11:00 in New York on the day after it, and is published anew, under
another ETag, when bars have been revised. Prices are as traded; no file has a vwap. What the files do not
say (who is listed, renames, splits, dividends) comes from the REST service, if there is a key of it.

An attempt that fails in passing is made again, as often and as long as `Retry` says: no answer, one cut off
or of another length or digest than it should be, a redirect, 429 and 5xx. A refusal ends it at once.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self, TypeVar

from condvest.batch_layer.shared.clients.massive.provider import FIRST_SESSION, MassiveProvider
from condvest.batch_layer.shared.clients.massive.wire.bucket import client_of, translated
from condvest.batch_layer.shared.clients.massive.wire.transport import MAX_BYTES
from condvest.batch_layer.shared.errors import InputError, SettingsError, VendorUnavailable
from condvest.batch_layer.shared.models.given.payloads import Fetched, VendorFile
from condvest.batch_layer.shared.models.instruments.providers import Answers, Cost, Unavailable
from condvest.batch_layer.shared.settings import Settings
from condvest.batch_layer.shared.utils.clock import utc_now
from condvest.batch_layer.shared.utils.retry import RetriesSpent, Retry

PREFIX = "us_stocks_sip/day_aggs_v1"

AHEAD = 4
"""So many files are on their way or wait for the loader at most."""

MEGABYTES_A_FILE = 0.3
"""A file of 12,500 rows."""

T = TypeVar("T")

_MD5 = re.compile(r"[0-9a-f]{32}")


class FlatFilesProvider:
    """A ``Provider``: daily bars from the files. Use it as a context manager, or `close` it.

    Attributes:
        name: ``"massive"``: the files hold the bars that the REST service gives.
        corrects: True: a file may be published anew.
    """

    name = "massive"
    corrects = True

    def __init__(
        self,
        client: Any,  # noqa: ANN401  # boto3 has no types
        bucket: str,
        rest: MassiveProvider | None,
        *,
        retry: Retry | None = None,
        now: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        """Make a provider; nothing is asked yet.

        Args:
            client: a boto3 client of S3 that retries nothing itself.
            bucket: its name.
            rest: gives what the files do not; None if there is no key of the REST service.
            retry: how often and how soon a call is made again.
            now: tells the instant, as an aware datetime.
        """
        self._client, self._bucket, self._rest = client, bucket, rest
        self._retry = retry or Retry()
        self._now = now
        self._threads = ThreadPoolExecutor(AHEAD, thread_name_prefix="flat-files")

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make a provider of the endpoint, the bucket and the keys of the settings.

        Raises:
            SettingsError: there are no keys of the files.
        """
        if not (settings.flat_files.key_id and settings.flat_files.secret):
            raise SettingsError(
                "Massive's flat files have keys of their own; set CONDVEST_FLATFILES_KEY_ID and "
                "CONDVEST_FLATFILES_SECRET to those of your dashboard (Flat Files), or leave out --from-files"
            )
        rest = MassiveProvider.from_settings(settings) if settings.massive.api_key else None
        return cls(client_of(settings), settings.flat_files.bucket, rest)

    def close(self) -> None:
        """Wait for the files on their way, and close the connections."""
        self._threads.shutdown(cancel_futures=True)
        self._client.close()
        if self._rest is not None:
            self._rest.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def coverage(self, last_closed: dt.date) -> tuple[dt.date, dt.date]:
        """Return the first and last date of which there may be files, inclusive."""
        return FIRST_SESSION, last_closed

    def cost(self, sessions: int) -> Cost:
        """Return what asking for so many files costs; no rate limits them."""
        return Cost(calls=sessions, seconds=0.0, megabytes=sessions * MEGABYTES_A_FILE)

    def reference(self) -> Answers:
        """Yield who is and was listed, from the REST service."""
        return self._rest.reference() if self._rest is not None else ()

    def renames(self, figis: Sequence[str]) -> Answers:
        """Yield the symbols that instruments took, from the REST service."""
        return self._rest.renames(figis) if self._rest is not None else ()

    def details(self, symbols: Sequence[str]) -> Answers:
        """Yield what is known about who carries the symbols, from the REST service."""
        return self._rest.details(symbols) if self._rest is not None else ()

    def corporate_actions(self, since: dt.date | None = None) -> Answers:
        """Yield splits and dividends, from the REST service."""
        return self._rest.corporate_actions(since) if self._rest is not None else ()

    def published(self, first: dt.date, last: dt.date) -> Mapping[dt.date, tuple[str, str]]:
        """Return name and ETag of the file of each session that has one, from first to last inclusive.

        One call for each month.
        """
        listed: dict[dt.date, tuple[str, str]] = {}
        month = first.replace(day=1)
        while month <= last:
            for name, etag in self._listed(f"{PREFIX}/{month:%Y/%m}/"):
                session = _session_of(name)
                if session is not None and first <= session <= last:
                    listed[session] = (name, etag)
            month = (month + dt.timedelta(days=31)).replace(day=1)
        return listed

    def fetch(self, sessions: Sequence[dt.date]) -> Iterator[Fetched | Unavailable]:
        """Yield the file of each session, in the order given; AHEAD of them are on their way meanwhile.

        A session that has no file is yielded as `Unavailable`.

        Raises:
            VendorRefused, VendorUnavailable, InputError: of the first file that cannot be had; those yielded
                before are good.
        """
        waiting: deque[Future[Fetched | Unavailable]] = deque()
        todo = iter(sessions)
        try:
            for session in todo:
                waiting.append(self._threads.submit(self._file, session))
                if len(waiting) == AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _file(self, session: dt.date) -> Fetched | Unavailable:
        name = name_of(session)

        def get() -> Fetched | Unavailable:
            answer = self._client.get_object(Bucket=self._bucket, Key=name)
            etag = str(answer["ETag"]).strip('"')
            content = _whole(answer["Body"], int(answer["ContentLength"]), etag, name)
            file = VendorFile(
                provider=self.name,
                dataset="daily_bars",
                content=content,
                media="csv.gz",
                first_session=session,
                last_session=session,
                fetched_at=self._now(),
                is_whole=True,
                name=name,
                etag=etag,
            )
            return Fetched(file)

        try:
            return self._ask(get, name)
        except FileNotFoundError:
            return Unavailable(
                session,
                f"the file {name} is not there (files come at about 11:00 in New York on the day after)",
            )

    def _listed(self, prefix: str) -> list[tuple[str, str]]:
        pages = self._client.get_paginator("list_objects_v2")

        def get() -> list[tuple[str, str]]:
            return [
                (str(entry["Key"]), str(entry["ETag"]).strip('"'))
                for page in pages.paginate(Bucket=self._bucket, Prefix=prefix)
                for entry in page.get("Contents", ())
            ]

        return self._ask(get, prefix)

    def _ask(self, get: Callable[[], T], name: str) -> T:
        def attempt() -> T:
            with translated(name):
                return get()

        try:
            return self._retry.call(attempt, VendorUnavailable)
        except RetriesSpent as spent:
            raise VendorUnavailable(
                f"{name}: Massive's flat files gave no usable answer in {spent}; the last one: "
                f"{spent.__cause__}. Try again later: what is loaded stays"
            ) from spent.__cause__


def name_of(session: dt.date) -> str:
    """Return the name of a session's file in the bucket."""
    return f"{PREFIX}/{session:%Y/%m}/{session.isoformat()}.csv.gz"


def _session_of(name: str) -> dt.date | None:
    try:
        session = dt.date.fromisoformat(name.rpartition("/")[2].removesuffix(".csv.gz"))
    except ValueError:
        return None
    return session if name_of(session) == name else None


def _whole(body: Any, length: int, etag: str, name: str) -> bytes:  # noqa: ANN401  # boto3 has no types
    """Return the bytes of an object, all of them, and those that its ETag tells of where that is a digest."""
    if length > MAX_BYTES:
        raise InputError(f"{name}: {length:,} bytes, above the limit of {MAX_BYTES:,}")
    content: bytes = body.read()
    if len(content) != length:
        raise VendorUnavailable(f"{len(content):,} of {length:,} bytes came")
    if _MD5.fullmatch(etag) and hashlib.md5(content, usedforsecurity=False).hexdigest() != etag:
        raise VendorUnavailable(f"{length:,} bytes came that do not have the digest of the ETag {etag}")
    return content
