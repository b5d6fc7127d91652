"""Files that the kernel sends by itself, from its cache to the socket, without a copy in this process.

It is the extension ``http.response.zerocopysend`` of ASGI
(https://asgi.readthedocs.io/en/latest/extensions.html#zero-copy-send), which uvicorn lacks.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from condvest.serving_layer.http.protocol import Send
from condvest.serving_layer.ranges import Part

ZERO_COPY = "http.response.zerocopysend"

Transport = Any
"""A transport of asyncio or of uvloop, which share no type."""

_PIECE = 1 << 20
"""Bytes for which the event loop is kept from others at once."""


def send_at_once(transport: Transport, head: bytes, file: int, part: Part) -> int:
    """Send headers, and of a file what the connection takes at once; return how many bytes of it that were.

    What is left of the headers lies in the transport's buffer afterwards. If the client has gone, the
    connection is ended: who sends the rest finds that out.

    Args:
        transport: that is not closing.
        head: the headers.
        file: its descriptor.
        part: which bytes of it.
    """
    if transport.get_write_buffer_size():
        transport.write(head)
        return 0
    out = transport.get_extra_info("socket").fileno()
    try:
        written = os.write(out, head)
        if written == len(head):
            return os.sendfile(out, file, part.first, min(len(part), _PIECE))
        transport.write(head[written:])
    except BlockingIOError:
        pass
    except OSError:  # the client has gone
        transport.abort()
    return 0


async def send_file(transport: Transport, file: int, first: int, count: int, patience: float) -> bool:
    """Send bytes of a file over a transport of asyncio or uvloop, and say whether all were sent.

    Args:
        transport: whose buffer is empty at the end, too.
        file: its descriptor.
        first: the first byte.
        count: how many.
        patience: seconds in which the client has to take something.
    """
    if transport.is_closing():
        return False
    # A descriptor of our own: the transport's number is another connection's once the transport is closed.
    out = os.dup(transport.get_extra_info("socket").fileno())
    try:
        while transport.get_write_buffer_size():  # the headers go first
            await asyncio.sleep(0)
            if transport.get_write_buffer_size() and not await _has_room(transport, out, patience):
                return False
        while count and not transport.is_closing():
            try:
                sent = os.sendfile(out, file, first, min(count, _PIECE))
            except BlockingIOError:
                if not await _has_room(transport, out, patience):
                    return False
                continue
            except OSError:  # the client has gone
                return False
            if not sent:  # the file is shorter than it was
                return False
            first, count = first + sent, count - sent
            if count:
                await asyncio.sleep(0)
        return not count
    finally:
        os.close(out)


async def _has_room(transport: Transport, out: int, patience: float) -> bool:
    """Wait until the client has taken something; False if it takes nothing for too long, or has gone."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(out, ready.set)
    try:
        async with asyncio.timeout(patience):
            await ready.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_writer(out)
    return not transport.is_closing()


def offers() -> bool:
    """Return whether this system can do it."""
    return hasattr(os, "sendfile")


class ZeroCopySend:
    """Takes messages of the extension; all others are passed on. For one answer of uvicorn's."""

    def __init__(self, cycle: Any, transport: Transport, patience: float) -> None:  # noqa: ANN401  # uvicorn's
        self._cycle = cycle
        self._transport = transport
        self._patience = patience
        self._send: Send = cycle.send

    async def __call__(self, message: Any) -> None:  # noqa: ANN401  # as ASGI has it
        """Send one message."""
        if message["type"] != ZERO_COPY:
            await self._send(message)
            return
        count = message["count"]
        is_sent = await send_file(self._transport, message["file"], message["offset"], count, self._patience)
        if not is_sent:
            self._transport.abort()  # the length that was promised tells the client
            return
        self._cycle.expected_content_length -= count
        await self._send({"type": "http.response.body", "body": b""})
