"""What an answer of Massive means: which status is an error of which kind, which body is none; pure.

Passing failures are `VendorUnavailable`, refusals `VendorRefused`; a body that is not what was asked for
is `InputError`, which the client takes for a passing failure and the parser of an archived payload does
not.
"""

from __future__ import annotations

import datetime as dt
import json
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from condvest.batch_layer.shared.clients.massive.wire.transport import Answer
from condvest.batch_layer.shared.errors import (
    InputError,
    NotReadyYet,
    RateLimited,
    UnknownSymbol,
    VendorRefused,
    VendorUnavailable,
)

_PASSING = frozenset({408, 425, 499})
"""Besides 429 and 500 to 599."""

_GOOD_STATUS = frozenset({"OK", "DELAYED"})
_SHOWN_LENGTH = 200

MOST_ROWS = 200_000
"""Of one answer: the whole market has some 12,500 instruments, a page of a list 1,000 rows."""

_LONGEST_URL = 8000
"""Characters: servers take no more, and a cursor of Massive has some hundreds."""


def check_status(answer: Answer, what: str, now: dt.datetime, *, symbol: str | None = None) -> None:
    """Return if the status is 200.

    Args:
        answer: the answer.
        what: what was asked for, for messages: ``daily bars of 2024-03-05``.
        now: the instant of the answer, for a Retry-After that is a date.
        symbol: whom the call is about, if it is about one symbol: a 404 then says that there is none.

    Raises:
        RateLimited, VendorUnavailable: the failure may pass.
        VendorRefused, NotReadyYet, UnknownSymbol: it will not, or not soon; the message says what to do.
    """
    status = answer.status
    if status == 200:  # noqa: PLR2004  # OK
        return
    said = _said(answer.body)
    if status == 429:  # noqa: PLR2004  # Too Many Requests
        wait = retry_after(answer.headers.get("Retry-After", ""), now)
        raise RateLimited(f"429, too many calls: {said}", wait)
    if status >= 500 or status < 400 or status in _PASSING:  # noqa: PLR2004  # server errors, odd successes
        raise VendorUnavailable(f"{status}: {said}")
    if status == 401:  # noqa: PLR2004  # Unauthorized
        raise VendorRefused(
            f"Massive does not accept the API key (401: {said}); set MASSIVE_API_KEY (or POLYGON_API_KEY) "
            "to a key of your Massive dashboard"
        )
    if status == 403:  # noqa: PLR2004  # Forbidden
        raise _forbidden(said, what)
    if status == 404 and symbol and _message(answer.body):  # noqa: PLR2004  # Not Found
        raise UnknownSymbol(f"Massive has no {what} (404: {said}); tickers are case-sensitive")
    raise VendorRefused(
        f"Massive refuses {what} ({status}: {said}); if the base URL (CONDVEST_MASSIVE_BASE_URL) is "
        "Massive's, please report this"
    )


def read_json(body: bytes) -> Any:  # noqa: ANN401  # what JSON may hold
    """Return the value of a JSON text; a NaN or Infinity, which JSON has not, becomes its name as str.

    Raises:
        InputError: it is no JSON; the message says what is there instead.
    """
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(body)
    try:  # what the quick reader does not take: NaN, a byte order mark, half a surrogate pair, and no JSON
        return json.loads(body, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise InputError(_what_is_there(body, error)) from error


def read_results(body: bytes) -> dict[str, Any]:
    """Return an answer that has ``results``: an object whose status is good.

    ``results`` is what was there, or an empty list where the answer counts none and has none.

    Raises:
        InputError: the answer is nothing of the kind; the message says what is there.
    """
    value = read_json(body)
    if not isinstance(value, dict):
        raise InputError(f"a JSON {type(value).__name__} in the place of an object: {_start(body)}")
    if not value:
        raise InputError("an empty object: {}")
    status = value.get("status")
    if not isinstance(status, str) or status not in _GOOD_STATUS:
        said = value.get("error") or value.get("message") or _start(body)
        raise InputError(f"200 with status {_short(status)}: {_short(said)}")
    count = value.get("resultsCount", value.get("count", 0))
    if value.get("results") is None:
        if count:
            raise InputError(f"an answer that counts {_short(count)} results and has none")
        value["results"] = []
    results = value["results"]
    if isinstance(results, list) and isinstance(count, int) and len(results) < count:
        raise InputError(f"an answer that counts {count:,} results and has {len(results):,}")
    if isinstance(results, list) and len(results) > MOST_ROWS:
        raise InputError(f"{len(results):,} results, where at most {MOST_ROWS:,} are taken of one answer")
    return value


def read_page(body: bytes) -> tuple[list[Any], str | None]:
    """Return the results of one page of a list, and the URL of the next page, None at the last.

    Raises:
        InputError: the answer is no page.
    """
    value = read_results(body)
    results, following = value["results"], value.get("next_url")
    if not isinstance(results, list):
        raise InputError(f"results that are no list: {_start(body)}")
    if following is not None and not isinstance(following, str):
        raise InputError(f"a next_url that is no text: {_short(following)}")
    if following and not _is_url(following):
        raise InputError(f"a next_url that is no URL: {_short(following)}")
    return results, following or None


def retry_after(text: str, now: dt.datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for, a number or a date; None if it is neither."""
    plain = text.strip()
    if plain.isdecimal():
        return float(plain)
    try:
        instant = parsedate_to_datetime(plain).astimezone(dt.UTC)
    except (ValueError, OverflowError):  # no date, or one beyond the calendar
        return None
    return max(0.0, (instant - now).total_seconds())


def _is_url(text: str) -> bool:
    """Return whether a text can be asked for: printable ASCII of some length that can be taken apart."""
    if len(text) > _LONGEST_URL or not text.isascii() or not text.isprintable() or " " in text:
        return False
    try:
        urlsplit(text)
    except ValueError:
        return False
    return True


def _forbidden(said: str, what: str) -> VendorRefused:
    words = said.lower()
    if "before end of day" in words or "today's data" in words:
        return NotReadyYet(
            f"{what}: today's data are not ready before the end of the day; it will be asked for again "
            f"(403: {said})"
        )
    if "timeframe" in words:
        return VendorRefused(
            f"your Massive plan does not cover {what} (403: {said}); ask for later sessions only, or take a "
            "plan that reaches further back"
        )
    return VendorRefused(
        f"your Massive plan does not cover {what} (403: {said}); see https://massive.com/pricing, and "
        "check that the key is of the account with the plan"
    )


def _said(body: bytes) -> str:
    """Return in a few words what an answer that is an error says."""
    return _message(body) or _start(body)


def _message(body: bytes) -> str | None:
    """Return the text of an error in Massive's own form, None if the body is no such."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    said = value.get("error") or value.get("message")
    return _short(said) if isinstance(said, str) else None


def _what_is_there(body: bytes, error: Exception) -> str:
    if not body.strip():
        return "an empty body"
    if body.lstrip()[:1] == b"<":
        return f"an HTML page in the place of JSON: {_start(body)}"
    if body.lstrip()[:1] in (b"{", b"["):
        return f"JSON that is cut off or broken after {len(body):,} bytes ({_short(str(error))})"
    return f"no JSON: {_start(body)}"


def _start(body: bytes) -> str:
    return _short(body[:_SHOWN_LENGTH].decode("utf-8", "backslashreplace")) if body else "an empty body"


def _short(value: object) -> str:
    """Return a value as text for a message: short, on one line, printable."""
    text = value if isinstance(value, str) else repr(value)
    shown = "".join(character if character.isprintable() else " " for character in text[:_SHOWN_LENGTH])
    return " ".join(shown.split())
