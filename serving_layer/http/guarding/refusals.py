"""What is sent in place of an answer, before the application is asked."""

from __future__ import annotations

import json

from condvest.batch_layer.shared.errors import CondvestError
from condvest.serving_layer.http.answers.problems import headers_of, problem
from condvest.serving_layer.http.protocol import Send


async def send_preflight(send: Send) -> None:
    """Say what a page of an allowed site may send; the site itself is named as in every answer."""
    headers = [
        (b"access-control-allow-methods", b"GET, HEAD, POST"),
        (b"access-control-allow-headers", b"Accept, Authorization, Content-Type, If-None-Match"),
        (b"access-control-max-age", b"600"),
        (b"vary", b"Origin"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def send_problem(error: CondvestError, request_id: str, send: Send) -> None:
    """Say why there is no answer."""
    status, members = problem(error, request_id)
    body = json.dumps(members).encode()
    named_headers = {**headers_of(status, error), "content-length": str(len(body))}
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [(name.encode(), value.encode()) for name, value in named_headers.items()],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})
