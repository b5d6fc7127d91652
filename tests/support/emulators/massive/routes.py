"""Massive's endpoints, and how their paths and parameters are read."""

from __future__ import annotations

import datetime as dt
import re

from tests.support.emulators.emulator import Refusal
from tests.support.emulators.httpd import Request
from tests.support.emulators.massive import errors
from tests.support.emulators.massive.flatfiles import BUCKET
from tests.support.emulators.synthetic.sessions import new_york_date

_ROUTES = (
    ("grouped", "grouped", r"/v2/aggs/grouped/locale/us/market/stocks/(?P<date>[^/]+)"),
    (
        "range",
        "counted",
        r"/v2/aggs/ticker/(?P<ticker>[^/]+)/range/(?P<mult>[^/]+)/(?P<span>[^/]+)/(?P<since>[^/]+)/(?P<until>[^/]+)",
    ),
    ("open_close", "json", r"/v1/open-close/(?P<ticker>[^/]+)/(?P<date>[^/]+)"),
    ("tickers", "counted", r"/v3/reference/tickers"),
    ("details", "json", r"/v3/reference/tickers/(?P<ticker>[^/]+)"),
    ("events", "json", r"/vX/reference/tickers/(?P<identifier>[^/]+)/events"),
    ("splits", "counted", r"/stocks/v1/splits"),
    ("dividends", "counted", r"/stocks/v1/dividends"),
    ("old_splits", "counted", r"/v3/reference/splits"),
    ("old_dividends", "counted", r"/v3/reference/dividends"),
    ("snapshot", "json", r"/v2/snapshot/locale/us/markets/stocks/tickers"),
    ("status", "json", r"/v1/marketstatus/now"),
    ("holidays", "json", r"/v1/marketstatus/upcoming"),
    ("flat_files", "file", rf"/{BUCKET}(?:/.*)?"),
)


def route_of(request: Request) -> tuple[str, str, dict[str, str]]:
    """Return the endpoint's name, its family of faults, and the parts of the path.

    The files lie on a host of their own, whose calls are told by S3's way of signing them.
    """
    if request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256"):
        return "flat_files", "file", {}
    for endpoint, family, pattern in _ROUTES:
        if match := re.fullmatch(pattern, request.path):
            return endpoint, family, match.groupdict()
    return "unknown", "json", {}


def date_in(text: str) -> dt.date:
    """Read a date, or milliseconds since the epoch as the range endpoint takes them."""
    try:
        if text.isdecimal() and len(text) > len("20240102"):
            return new_york_date(dt.datetime.fromtimestamp(int(text) / 1000, dt.UTC))
        return dt.datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 a date has no zone
    except ValueError:
        raise Refusal(errors.bad_request(f"Could not parse the time parameter: '{text}'")) from None


def is_true(query: dict[str, str], name: str, *, default: bool) -> bool:
    """Read a parameter that is true or false."""
    text = query.get(name, "").lower()
    if text not in ("", "true", "false"):
        raise Refusal(errors.bad_request(f"{name} must be true or false"))
    return text == "true" if text else default
