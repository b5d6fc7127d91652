"""The plainest HTTP client: one request per connection, nothing retried, nothing followed."""

from __future__ import annotations

import datetime as dt
import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support.emulators.massive import KEY

NOW = dt.datetime(2024, 7, 10, 16, 0, tzinfo=dt.UTC)
"""When the tests of the emulators ask: after the last session of the market that they share."""


@dataclass(frozen=True)
class Answer:
    """A status, headers (names in lower case) and the bytes as they came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self):
        """Return the body read as JSON."""
        return json.loads(self.body)


def ask(
    url: str,
    target: str,
    *,
    key: str | None = None,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    value: object = None,
    timeout: float = 10.0,
) -> Answer:
    """Send a request and return the answer.

    Args:
        url: the server's base URL.
        target: path and query.
        key: goes out as a bearer's token.
        headers: sent besides.
        value: sent as JSON.
        timeout: seconds.
    """
    parts = urlsplit(url)
    sent = dict(headers or {})
    if key is not None:
        sent["Authorization"] = f"Bearer {key}"
    body = None if value is None else json.dumps(value).encode()
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request(method, target, body, sent)
        response = connection.getresponse()
        names = {name.lower(): text for name, text in response.getheaders()}
        return Answer(response.status, names, response.read())
    finally:
        connection.close()


def get(massive, target, **more):
    """Ask an emulated Massive with its key."""
    return ask(massive.url, target, key=KEY, **more)


def pages(massive, target):
    """Return all results, following next_url by its path and query as the vendor's clients do."""
    results, sizes = [], []
    while target:
        answer = get(massive, target).json()
        results += answer["results"]
        sizes.append(len(answer["results"]))
        following = answer.get("next_url")
        if following:
            assert following.startswith("https://api.massive.com/")
            assert KEY not in following
        target = following and f"{urlsplit(following).path}?{urlsplit(following).query}"
    return results, sizes
