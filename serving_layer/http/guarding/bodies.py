"""Bodies of requests, bounded in bytes and in time; few paths take one."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect

from condvest.batch_layer.shared.errors import UsageError
from condvest.serving_layer.queries.bars.size import TooLarge

LARGEST = 64 << 10
"""Bytes of a body, at most."""

SLOWEST = 10.0
"""Seconds in which a body has to come."""


async def body_of(request: Request) -> bytes:
    """Return the body of a request.

    Raises:
        UsageError: it does not come in time.
        TooLarge: it is longer than LARGEST.
    """
    content = b""
    try:
        async with asyncio.timeout(SLOWEST):
            async for piece in request.stream():
                content += piece
                if len(content) > LARGEST:
                    raise TooLarge(f"the body has more than {LARGEST} bytes; shorten it")
    except (TimeoutError, ClientDisconnect) as error:
        raise UsageError(f"the body did not come within {SLOWEST:g} s") from error
    return content
