"""Massive's flat files: one gzipped CSV a session, behind the least of S3 (path style).

The signature's header must be there; it is not verified. A file is there from 11:00 in New York on the
day after its session, and is published anew, under another ETag, when bars have been revised.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import re
from email.utils import format_datetime
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tests.support.emulators.faults import Reply
from tests.support.emulators.httpd import Request
from tests.support.emulators.plans import Plan
from tests.support.emulators.synthetic.market import Market, Rows
from tests.support.emulators.synthetic.sessions import milliseconds, new_york, new_york_date

BUCKET = "flatfiles"
PREFIX = "us_stocks_sip/day_aggs_v1"
HEADER = "ticker,volume,open,close,high,low,window_start,transactions"
_KEY = re.compile(PREFIX + r"/(\d{4})/(\d{2})/(\d{4}-\d{2}-\d{2})\.csv\.gz")
_READY_HOUR = 11
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


def key_of(session: dt.date) -> str:
    """Return the object's key."""
    return f"{PREFIX}/{session:%Y/%m}/{session}.csv.gz"


def csv_of(rows: Rows) -> bytes:
    """Return the file's text: rows by ticker, ``window_start`` nanoseconds at midnight in New York."""
    lines = [HEADER]
    if len(rows):
        start = milliseconds(new_york(rows.session[0].astype(dt.date))) * 1_000_000
        rows = rows.take(np.argsort(rows.symbol, kind="stable"))
        columns = (rows.volume, rows.open, rows.close, rows.high, rows.low)
        parts = [pa.array(rows.symbol.tolist()), *(pa.array(column).cast(pa.string()) for column in columns)]
        trades = pa.array(rows.trades).cast(pa.string())
        lines += pc.binary_join_element_wise(*parts, str(start), trades, ",").to_pylist()
    return ("\n".join(lines) + "\n").encode()


class FlatFiles:
    """The bucket, at the vendor's instant."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._tags: dict[tuple[dt.date, int], tuple[str, int]] = {}

    def answer(self, request: Request, plan: Plan, now: dt.datetime) -> Reply:
        """Answer GET, HEAD (objects) and ListObjectsV2."""
        signed = request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential=")
        if not signed or not plan.flat_files:
            return _error(403, "AccessDenied", "Access Denied")
        bucket, _, key = request.path.lstrip("/").partition("/")
        if bucket != BUCKET:
            return _error(404, "NoSuchBucket", "The specified bucket does not exist")
        if not key:
            return self._list(request.query, plan, now)
        match = _KEY.fullmatch(key)
        session = _date(match[3]) if match else None
        if session is None or key_of(session) != key or not self._is_there(session, now):
            return _error(404, "NoSuchKey", "The specified key does not exist.")
        if not self._in_plan(session, plan, now):
            return _error(403, "AccessDenied", "Access Denied")
        return self._object(request, session, now)

    def _object(self, request: Request, session: dt.date, now: dt.datetime) -> Reply:
        tag, _ = self._tag(session, now)
        headers = {"ETag": tag, "Accept-Ranges": "bytes", "Last-Modified": _changed(session)}
        if request.headers.get("if-none-match") == tag:
            return Reply(304, b"", headers=headers)
        body = self._bytes(session, now)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if not wanted:
            return Reply(200, body, "application/gzip", headers)
        first, last = int(wanted[1]), min(int(wanted[2] or len(body)), len(body) - 1)
        if first > last:
            return _error(416, "InvalidRange", "The requested range is not satisfiable")
        headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
        return Reply(206, body[first : last + 1], "application/gzip", headers)

    def _list(self, query: dict[str, str], plan: Plan, now: dt.datetime) -> Reply:
        prefix, after = (
            query.get("prefix", ""),
            query.get("continuation-token") or query.get("start-after", ""),
        )
        most = min(int(query.get("max-keys", "1000")), 1000)
        keys = {
            key_of(session): session
            for session in self._market.sessions()
            if self._is_there(session, now) and self._in_plan(session, plan, now)
        }
        wanted = sorted(key for key in keys if key.startswith(prefix) and key > after)
        page = wanted[:most]
        contents = ""
        for key in page:
            tag, size = self._tag(keys[key], now)
            contents += (
                f"<Contents><Key>{key}</Key><LastModified>{keys[key]}T16:00:00.000Z</LastModified>"
                f"<ETag>{escape(tag)}</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            )
        more = len(wanted) > len(page)
        token = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else ""
        body = (
            f'{_XML}<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>{BUCKET}</Name>'
            f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount><MaxKeys>{most}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{contents}</ListBucketResult>"
        )
        return Reply(200, body.encode(), "application/xml")

    def _is_there(self, session: dt.date, now: dt.datetime) -> bool:
        ready = new_york(session + dt.timedelta(days=1), _READY_HOUR)
        return self._market.schedule.index(session) is not None and now >= ready

    @staticmethod
    def _in_plan(session: dt.date, plan: Plan, now: dt.datetime) -> bool:
        return plan.years is None or session >= years_before(new_york_date(now), plan.years)

    def _bytes(self, session: dt.date, now: dt.datetime) -> bytes:
        return gzip.compress(csv_of(self._market.bars(session, now, source="file")), compresslevel=1, mtime=0)

    def _tag(self, session: dt.date, now: dt.datetime) -> tuple[str, int]:
        """Return ETag and size; computed once for each version of the file."""
        at = (session, self._market.version(session, now))
        if at not in self._tags:
            body = self._bytes(session, now)
            self._tags[at] = (f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"', len(body))
        return self._tags[at]


def years_before(date: dt.date, years: int) -> dt.date:
    """Return the same date some years ago; 28 February for a 29th that was not."""
    try:
        return date.replace(year=date.year - years)
    except ValueError:
        return date.replace(year=date.year - years, day=28)


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _changed(session: dt.date) -> str:
    ready = new_york(session + dt.timedelta(days=1), _READY_HOUR)
    return format_datetime(ready, usegmt=True)


def _error(status: int, code: str, message: str) -> Reply:
    body = f"{_XML}<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return Reply(status, body.encode(), "application/xml")
