"""The deliverer: what is in the outbox goes to its webhooks, at least once, each event under one id."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from threading import Event

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.postgres.connecting.listening import Listening
from condvest.batch_layer.database.stores.alert_events import CHANNEL
from condvest.batch_layer.shared.errors import DatabaseUnavailable
from condvest.speed_layer.stores.deliveries import Delivery, give_back, note_delivered, note_failed, take_due
from condvest.speed_layer.webhooks.posting import Outcome, Poster
from condvest.speed_layer.webhooks.schedule import LONGEST_WAIT, message_of, wait_after
from condvest.speed_layer.webhooks.signing import signature
from condvest.speed_layer.webhooks.topics import Topics, is_topic

THREADS = 8
"""Webhooks served at once: one that is slow keeps no other one waiting."""

LOOK_EVERY = 1.0
"""Seconds from one look into the outbox to the next, where no notice of an event comes before."""


@dataclass(frozen=True)
class Delivered:
    """How many deliveries were taken by their receivers, and how many were not."""

    delivered: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Deliverer:
    """Delivers from one database.

    Attributes:
        database: with a connection of its own.
        poster: sends to webhooks.
        topics: sends to topics of SNS.
        now: tells seconds since 1970-01-01 UTC.
        say: told what fails, in a sentence.
    """

    database: Database
    poster: Poster
    topics: Topics = field(default_factory=Topics)
    now: Callable[[], float] = time.time
    say: Callable[[str], None] = field(default=lambda _: None)

    def run_until(self, stop: Event) -> None:
        """Deliver until the event is set; what cannot reach the database is tried again.

        Raises:
            DatabaseError: the database refuses.
        """
        listening = Listening(self.database.another(), [CHANNEL])
        try:
            while not stop.is_set():
                try:
                    listening.wait(0)  # what is committed from here on wakes it below
                    if not self.once().delivered:
                        listening.wait(LOOK_EVERY)
                except DatabaseUnavailable as error:
                    self.say(f"webhooks wait: {error}")
                    stop.wait(LOOK_EVERY)
        finally:
            listening.close()

    def once(self) -> Delivered:
        """Deliver what is due now.

        A webhook that fails to take an event gets no later one in the same round.

        Raises:
            DatabaseError, DatabaseUnavailable: the outbox cannot be read or written.
        """
        with self.database.transaction() as connection:
            due = take_due(connection)
        due.sort(key=lambda delivery: delivery.webhook_id)  # stable: each webhook's events stay in order
        groups = [list(group) for _, group in groupby(due, lambda delivery: delivery.webhook_id)]
        delivered = failed = 0
        if groups:
            with ThreadPoolExecutor(min(THREADS, len(groups))) as pool:
                for sent in pool.map(lambda group: list(self._sent(group)), groups):
                    delivered += sum(outcome.error is None for _, outcome in sent)
                    failed += sum(outcome.error is not None for _, outcome in sent)
                    self._note(groups.pop(0), sent)
        return Delivered(delivered, failed)

    def _sent(self, group: Sequence[Delivery]) -> Iterator[tuple[Delivery, Outcome]]:
        """Send the events of one webhook until it fails to take one."""
        for delivery in group:
            message_id, body = message_of(delivery.event)
            if is_topic(delivery.url):
                outcome = self.topics.publish(delivery.url, message_id, delivery.event, body)
            else:
                outcome = self.poster.post(delivery.url, self._headers(delivery, message_id, body), body)
            yield delivery, outcome
            if outcome.error is not None:
                return

    def _headers(self, delivery: Delivery, message_id: str, body: bytes) -> dict[str, str]:
        timestamp = int(self.now())
        return {
            "Content-Type": "application/json",
            "User-Agent": "condvest-webhooks/1",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(delivery.secret, message_id, timestamp, body),
        }

    def _note(self, group: Sequence[Delivery], sent: Sequence[tuple[Delivery, Outcome]]) -> None:
        with self.database.transaction() as connection:
            wait: float | None = None
            for delivery, outcome in sent:
                if outcome.error is None:
                    note_delivered(connection, delivery)
                    continue
                jitter = random.random()  # noqa: S311  # no secret
                if not outcome.is_final:
                    wait = wait_after(delivery.attempts, outcome.retry_after, jitter)
                note_failed(connection, delivery, outcome.error, wait)
                ends = "given up" if wait is None else f"sent again in {wait:.0f} s"
                event_id = delivery.event["event_id"]
                self.say(f"webhook {delivery.webhook_id}, event {event_id}: {outcome.error}; {ends}")
            for delivery in group[len(sent) :]:
                give_back(connection, delivery, min(wait or 0.0, LONGEST_WAIT))
