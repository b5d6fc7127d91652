"""The publisher: what the collector has committed goes on to readers elsewhere, from the database.

It hears of ticks by NOTIFY, and reads what there is then. So nothing waits for the server of the sink: while
it is away the collector goes on, the live rows themselves are what is still to be sent, and ticks in between
are counted as ``merged`` of the head, since of a row only the newest state matters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Protocol

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.postgres.connecting.listening import Listening
from condvest.batch_layer.shared.errors import DatabaseUnavailable, TransientError
from condvest.speed_layer.sinks.messages import Message, Outgoing
from condvest.speed_layer.stores.published import read_head, read_rows

LOOK_EVERY = 1.0
"""Seconds from one look to the next where nothing is heard."""

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds before a server that was away is tried again; it doubles each time."""


class Sink(Protocol):
    """Takes messages, and keeps the newest of each subject."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Take messages in their order; raises TransientError if it cannot now."""
        ...

    def kept(self) -> Mapping[str, bytes]:
        """Return what is kept, by subject; raises TransientError if it cannot now."""
        ...


@dataclass(eq=False)
class Publisher:
    """Publishes from one database.

    Attributes:
        database: with a connection of its own.
        sink: takes what is published.
        say: told what fails, in a sentence, once per outage.
        merged: ticks so far that were not published by themselves.
    """

    database: Database
    sink: Sink
    say: Callable[[str], None] = field(default=lambda _: None)
    merged: int = 0
    _outgoing: Outgoing | None = None
    _state: tuple[Any, ...] | None = None
    _is_away: bool = False
    _wait: float = FIRST_WAIT

    def run_until(self, stop: Event) -> None:
        """Publish until the event is set, and once more then.

        Raises:
            DatabaseError: the database refuses.
        """
        listening = Listening(self.database.another(), ["condvest_live"])
        try:
            while not stop.is_set():
                try:
                    if self.once():
                        listening.wait(LOOK_EVERY)
                        continue
                except DatabaseUnavailable as error:
                    self._away(str(error))
                stop.wait(self._wait)
                self._wait = min(2 * self._wait, LONGEST_WAIT)
            self.once()
        finally:
            listening.close()

    def once(self) -> bool:
        """Publish what has changed since; return whether the sink has all of it.

        Raises:
            DatabaseError, DatabaseUnavailable: the rows cannot be read.
        """
        with self.database.transaction(snapshot=True, read_only=True) as connection:
            head = read_head(connection)
            rows = read_rows(connection)
        if head is None:
            return True
        state = (head["run_id"], head["ticks"], head["state"], head["open_gaps"], len(rows))
        if state == self._state:
            return True
        before = self._state
        skipped = head["ticks"] - before[1] - 1 if before and before[0] == head["run_id"] else 0
        try:
            merged = self.merged + max(skipped, 0)
            outgoing = self._outgoing = self._outgoing or Outgoing.after(self.sink.kept())
            *bars, end = outgoing.due(rows, {**head, "bars": len(rows), "merged": merged})
            self.sink.publish(bars)
            self.sink.publish([end])  # once all before it are kept
        except TransientError as error:
            self._outgoing = None  # some of it may be kept, and some not
            self._away(f"running bars are not published, and the collector goes on: {error}")
            return False
        if self._is_away:
            self.say("running bars are published again")
        outgoing.sent(rows)
        self._state, self.merged, self._is_away, self._wait = state, merged, False, FIRST_WAIT
        return True

    def _away(self, words: str) -> None:
        if not self._is_away:
            self.say(words)
        self._is_away = True
