"""NATS JetStream: a stream that keeps the newest message of each subject, written by one and read by many.

nats-py speaks asyncio; here a loop on a thread of its own does, so that who calls need not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, DiscardPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from condvest.batch_layer.shared.errors import TransientError
from condvest.speed_layer.sinks.addresses import shown
from condvest.speed_layer.sinks.messages import SUBJECTS, Message

STREAM = StreamConfig(
    name="condvest_live",
    description="Running bars of the session under way, the newest of each symbol (Condvest)",
    subjects=[SUBJECTS],
    max_msgs_per_subject=1,
    max_age=4 * 86_400,
    max_bytes=64 * 2**20,
    discard=DiscardPolicy.OLD,
    storage=StorageType.FILE,
    duplicate_window=120,
)
"""A whole market takes some 5 MB; four days outlast a weekend."""

_AT_ONCE = 500
_ANSWER_WITHIN = 5.0
_FORGET_READER_AFTER = 60.0
_HEARTBEAT = 5.0
_LONGEST = 60.0
"""Seconds that anything may take: a whole market is published in a few."""

Result = TypeVar("Result")


class SinkUnavailable(TransientError):
    """The NATS server does not answer now."""


@dataclass(frozen=True)
class Received:
    """A message as it came: its subject, its bytes and its number in the stream."""

    subject: str
    content: bytes
    sequence: int


class JetStream:
    """A connection to a server; made when it is first needed, and again when it was lost.

    Args:
        url: such as ``nats://user:password@host:4222`` or ``tls://host:4222``.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Client | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="condvest-nats", daemon=True)
        self._thread.start()
        self._is_made = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._ended(), "closing")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish messages in their order, and return when the server keeps all of them.

        Raises:
            SinkUnavailable: it does not say so; those messages may be kept or not, and may be sent again.
        """
        self._do(self._publish(messages), "publishing")

    def kept(self) -> dict[str, bytes]:
        """Return what the stream keeps now, by subject: what a publisher before this one left there.

        Raises:
            SinkUnavailable: the server does not answer.
        """
        return self._do(self._kept(), "asking what is kept")

    def read(self, after: int, subjects: Sequence[str], seconds: float) -> Iterator[Sequence[Received]]:
        """Yield what the stream keeps of some subjects beyond a number, in its order, as it comes.

        Args:
            after: the number of the last message that is known, 0 for none. A stream that ends before it was
                made anew, and is read from its beginning.
            subjects: all if there are none.
            seconds: after how long without any an empty list is yielded.

        Raises:
            SinkUnavailable: the server does not answer, there is no such stream, or messages were lost on the
                way; begin again after the last that came.
        """
        reader = self._do(self._subscribed(after, subjects), "subscribing")
        count = 0
        while True:
            batch = self._do(self._fetched(reader, seconds), "reading")
            for each in batch:
                count += 1
                if each.metadata.sequence.consumer != count:
                    raise SinkUnavailable(f"messages from {shown(self._url)} were lost on the way")
            yield [Received(each.subject, each.data, each.metadata.sequence.stream) for each in batch]

    def _do(self, work: Coroutine[Any, Any, Result], what: str) -> Result:
        try:
            return asyncio.run_coroutine_threadsafe(_bounded(work), self._loop).result()
        except NotFoundError as error:
            raise SinkUnavailable(
                f"{shown(self._url)} keeps no stream {STREAM.name}: no collector has published there yet"
            ) from error
        except (NatsError, OSError, TimeoutError, EOFError) as error:
            self._is_made = False
            raise SinkUnavailable(
                f"{what} on {shown(self._url)} failed ({type(error).__name__}: {error})"
            ) from error

    async def _context(self) -> JetStreamContext:
        if self._client is None or not self._client.is_connected:
            await self._left()
            self._client = await nats.connect(
                self._url,
                allow_reconnect=False,
                max_reconnect_attempts=1,  # the first connection is tried 60 times otherwise
                reconnect_time_wait=0,
                connect_timeout=int(_ANSWER_WITHIN),
                error_cb=_ignored,
                name="condvest",
            )
        return self._client.jetstream(timeout=_ANSWER_WITHIN)

    def _connected(self) -> Client:
        if self._client is None:
            raise SinkUnavailable(f"{shown(self._url)}: the connection was closed")
        return self._client

    async def _left(self) -> None:
        client, self._client = self._client, None
        if client is not None and not client.is_closed:
            await client.close()

    async def _ended(self) -> None:
        await self._left()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:  # what watches over subscriptions goes on without a connection
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _publish(self, messages: Sequence[Message]) -> None:
        context = await self._context()
        if not self._is_made:
            await self._make(context)
        for first in range(0, len(messages), _AT_ONCE):
            sent = [
                context.publish(
                    message.subject,
                    message.content,
                    stream=STREAM.name,
                    headers={"Nats-Msg-Id": message.message_id} if message.message_id else None,
                )
                for message in messages[first : first + _AT_ONCE]
            ]
            await asyncio.gather(*sent)

    async def _kept(self) -> dict[str, bytes]:
        context = await self._context()
        if not self._is_made:
            await self._make(context)
        kept: dict[str, bytes] = {}
        if not (await context.stream_info(str(STREAM.name))).state.messages:
            return kept
        reader = await self._subscribed(0, [])
        is_last = False
        while not is_last:
            message = await reader.next_msg(timeout=_ANSWER_WITHIN)
            kept[message.subject] = message.data
            is_last = message.metadata.num_pending == 0
        await reader.unsubscribe()
        return kept

    async def _make(self, context: JetStreamContext) -> None:
        """Make the stream, or set it right."""
        try:
            await context.stream_info(str(STREAM.name))
        except NotFoundError:
            await context.add_stream(STREAM)
        else:
            await context.update_stream(STREAM)
        self._is_made = True

    async def _subscribed(self, after: int, subjects: Sequence[str]) -> JetStreamContext.PushSubscription:
        context = await self._context()
        state = (await context.stream_info(str(STREAM.name))).state
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=1 if state.last_seq < after else after + 1,
            ack_policy=AckPolicy.NONE,
            deliver_subject=self._connected().new_inbox(),
            filter_subjects=list(subjects) or [SUBJECTS],
            flow_control=True,
            idle_heartbeat=_HEARTBEAT,
            inactive_threshold=_FORGET_READER_AFTER,
            mem_storage=True,
        )
        made = await context.add_consumer(str(STREAM.name), config)
        return await context.subscribe_bind(str(STREAM.name), made.config, made.name, manual_ack=True)

    async def _fetched(self, reader: JetStreamContext.PushSubscription, seconds: float) -> list[Msg]:
        """Return what has come, at least one unless nothing comes for so long."""
        try:
            batch = [await reader.next_msg(timeout=seconds)]
        except TimeoutError:
            if self._client is None or not self._client.is_connected:
                raise
            return []
        while reader.pending_msgs and len(batch) < _AT_ONCE:
            batch.append(await reader.next_msg(timeout=seconds))
        return batch


async def _bounded(work: Coroutine[Any, Any, Result]) -> Result:
    async with asyncio.timeout(_LONGEST):
        return await work


async def _ignored(_: Exception) -> None:
    """What fails is raised where it is asked for."""
