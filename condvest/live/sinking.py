"""The wiring: running bars to and from a NATS server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.errors import TransientError
from condvest.batch_layer.shared.utils.extras import from_extra
from condvest.speed_layer.services.publishing import Publisher
from condvest.speed_layer.sinks.addresses import checked_url
from condvest.speed_layer.sinks.messages import HEAD, Incoming, subject_of

_WAIT = 1.0
_IDLE = 0.5


@contextmanager
def sinking(workspace: Workspace, url: str | None, say: Callable[[str], None]) -> Iterator[None]:
    """Publish on a thread of its own while the block runs, if there is a server; what ended it is said.

    Raises:
        SettingsError: the URL is none, or the extra is not installed.
    """
    if url is None:
        yield
        return
    with from_extra("nats", "a sink on NATS"):
        from condvest.speed_layer.sinks.jetstream import JetStream  # noqa: PLC0415  # an extra
    stop = Event()
    with (
        JetStream(checked_url(url)) as sink,
        workspace.database.another() as database,
        ThreadPoolExecutor(1) as pool,
    ):
        running = pool.submit(Publisher(database, sink, say).run_until, stop)
        running.add_done_callback(
            lambda done: (
                say(f"running bars are published no more: {done.exception()}") if done.exception() else None
            )
        )
        try:
            yield
        finally:
            stop.set()
        running.result()


def follow(
    url: str,
    symbols: Sequence[str] = (),
    *,
    say: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[list[dict[str, Any]], Incoming]]:
    """Yield the rows that are news, as they come, and all that is known; read from a NATS server.

    After a lost connection it goes on behind the last message that came. What it yields never goes back. A
    list without rows says that nothing came for half a second, or that only the head did.

    Args:
        url: of the server.
        symbols: all if there are none.
        say: told what fails, once per outage.
        sleep: waits for so many seconds.

    Raises:
        SettingsError: the URL is none, or the extra is not installed.
    """
    with from_extra("nats", "following a NATS server"):
        from condvest.speed_layer.sinks.jetstream import JetStream  # noqa: PLC0415  # an extra
    known, last, is_away = Incoming(), 0, False
    subjects = [HEAD, *map(subject_of, symbols)] if symbols else []
    with JetStream(checked_url(url)) as stream:
        while True:
            try:
                for batch in stream.read(last, subjects, _IDLE):
                    is_away = False
                    taken = [known.take(each.subject, each.content) for each in batch]
                    last = batch[-1].sequence if batch else last
                    yield [row for row in taken if row is not None], known
            except TransientError as error:
                if not is_away:
                    say(str(error))
                is_away = True
                sleep(_WAIT)
