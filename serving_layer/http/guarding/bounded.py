"""What goes out at once: where something between here and the client takes no more, answers are bounded."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from condvest.serving_layer.contract import LARGEST_PAGE
from condvest.serving_layer.http.protocol import App, Receive, Scope, Send
from condvest.serving_layer.queries.bars.size import TooLarge


@dataclass(frozen=True)
class Sending:
    """How answers are sent.

    Attributes:
        largest: bytes of an answer as it is sent, compressed if it is; a larger one is refused.
        signs_files: whether a published file is answered with an address at which the client gets it from the
            bucket, and not with its bytes.
    """

    largest: int
    signs_files: bool


class Bounded:
    """Keeps an answer until it is whole, and refuses it if it is too large.

    Only for answers that the bound lets be held in memory: what has begun to be sent cannot be refused.
    """

    def __init__(self, app: App, largest: int) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            TooLarge: the answer is; nothing of it was sent.
        """
        messages: list[MutableMapping[str, Any]] = []
        size = 0

        async def kept(message: MutableMapping[str, Any]) -> None:
            nonlocal size
            size += len(message.get("body", b""))
            if size <= self._largest:
                messages.append(message)
            else:
                messages.clear()

        await self._app(scope, receive, kept)
        if size > self._largest:
            raise TooLarge(
                f"the answer has {size:,} bytes as it would be sent; this server sends at most "
                f"{self._largest:,} at once. Ask for fewer symbols, columns or sessions, for pages "
                f"(limit={LARGEST_PAGE}), or read the published files (/v1/datasets)"
            )
        for message in messages:
            await send(message)
