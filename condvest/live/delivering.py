"""The wiring: the deliverer of webhooks, alone or beside a collector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

from condvest.batch_layer.operations.workspace import Workspace
from condvest.speed_layer.services.alerts.deliver import Deliverer
from condvest.speed_layer.webhooks.posting import Poster


@contextmanager
def delivering(workspace: Workspace, say: Callable[[str], None]) -> Iterator[None]:
    """Deliver on a thread of its own while the block runs, and raise what ended it, if something did."""
    stop = Event()
    with workspace.database.another() as database, ThreadPoolExecutor(1) as pool:
        deliverer = Deliverer(database, Poster(workspace.settings.webhook_networks), say=say)
        running = pool.submit(deliverer.run_until, stop)
        running.add_done_callback(
            lambda done: say(f"webhooks are sent no more: {done.exception()}") if done.exception() else None
        )
        try:
            yield
        finally:
            stop.set()
        running.result()
        deliverer.once()  # what the last tick has left


def deliver_until_stopped(workspace: Workspace, say: Callable[[str], None], *, once: bool) -> None:
    """Deliver in this thread: what is due now, or until the process is stopped.

    Raises:
        DatabaseError, DatabaseUnavailable: the outbox cannot be read or written.
    """
    deliverer = Deliverer(workspace.database, Poster(workspace.settings.webhook_networks), say=say)
    if once:
        while deliverer.once().delivered:
            continue
        return
    deliverer.run_until(Event())
