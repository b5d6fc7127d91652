"""The plainest HTTP client: one request a connection, nothing retried, nothing followed."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit


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
        found = {name.lower(): text for name, text in response.getheaders()}
        return Answer(response.status, found, response.read())
    finally:
        connection.close()
