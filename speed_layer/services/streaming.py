"""Rounds of a collector that follows a stream, which snapshots anchor.

The stream tells of each minute within seconds, and forgets what nobody heard; a snapshot tells all, and is
late when it comes. So a snapshot is taken when the stream begins to speak, after anything that may have been
lost, and every quarter of an hour; while there is no stream, every 15 seconds of regular hours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from condvest.batch_layer.shared.errors import VendorRefused, VendorUnavailable
from condvest.speed_layer.core.connecting import Ending, Redial, of_status, said_of
from condvest.speed_layer.core.following import Step
from condvest.speed_layer.core.guards import Refusal
from condvest.speed_layer.core.liveness import MUTE_AFTER, Watch
from condvest.speed_layer.core.phases import SECOND
from condvest.speed_layer.core.state import MINUTE
from condvest.speed_layer.feeds.inbox import Connection, Inbox, StreamFeed
from condvest.speed_layer.feeds.polling import Feed
from condvest.speed_layer.services.collect import Collector

ANCHOR_EVERY = 900 * SECOND
ANCHOR_AFTER_CLOSE = 300 * SECOND
"""What the closing auction made of a bar is told by snapshots alone."""

POLL_EVERY = 15 * SECOND
"""From one snapshot to the next in regular hours while there is no stream, or something that was lost is not
known yet; at other times LONGEST_REST."""

TICK_EVERY = 1 * SECOND
LONGEST_REST = 60 * SECOND
_UNKNOWN = 2**62


@dataclass(eq=False)
class Streaming:
    """`Rounds` of a stream.

    Attributes:
        collector: takes what comes.
        feed: where snapshots come from.
        stream: where minutes come from.
        now: the instant, microseconds since 1970-01-01 UTC.
        wait: waits for news of an inbox, or for so many seconds.
        say: told what happens, in a sentence.
        mute_after: how long nothing may come in regular hours, microseconds.
        redial: how long to wait after a connection has ended.
    """

    collector: Collector
    feed: Feed
    stream: StreamFeed
    now: Callable[[], int]
    wait: Callable[[Inbox, float], None]
    say: Callable[[str], None]
    mute_after: int = MUTE_AFTER
    redial: Redial = field(default_factory=Redial)
    taken: int = 0
    refused: int = 0
    has_bars: bool = False
    _connection: Connection | None = None
    _watch: Watch | None = None
    _status: Ending | None = None
    _is_planned: bool = True
    _is_missing: bool = True
    _is_dirty: bool = False
    _unnoted: str | None = None
    _opened_at: int | None = None
    _asked_at: int = 0
    _delay: int = _UNKNOWN
    _dial_at: int = 0
    _anchor_at: int = 0
    _tick_at: int = 0

    def turn(self) -> bool:
        """Read what came, look after the connection, anchor and store what is due."""
        before = self.taken
        self._drain()
        self._look_after()
        if self._connection is None and self._is_planned and self.now() >= self._dial_at:
            self._connection, self._status = self.stream.open(self.now), None
        if self.now() >= self._anchor_at:
            self._anchor()
        if self._is_dirty and self.now() >= self._tick_at:
            self._tick()
        return self.taken > before

    def rest(self) -> None:
        """Wait for frames, for the connection to change, or for what is due next."""
        now = self.now()
        due = [now + LONGEST_REST, self._anchor_at]
        if self._is_dirty and self.collector.follower.last is not None:
            due.append(self._tick_at)
        if self._connection is None and self._is_planned:
            due.append(self._dial_at)
        if self._watch is not None and self._opened_at is not None:
            due.append(self._watch.mute_at(now, self._known_delay))
        inbox = Inbox() if self._connection is None else self._connection.inbox
        self.wait(inbox, max(min(due) - now, 0) / SECOND)

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.abandon()

    @property
    def _state(self) -> str:
        return "polling" if self._opened_at is None else "streaming"

    @property
    def _known_delay(self) -> int:
        return 0 if self._delay == _UNKNOWN else self._delay

    def _drain(self) -> None:
        if self._connection is None:
            return
        got = self._connection.inbox.taken()
        if got.is_open and self._opened_at is None:
            self._open()
        if got.frames:
            self._join(got.frames, got.instants)
        if got.lost:
            self._miss("overrun", f"{got.lost:,} frames came faster than they were read, and were dropped")
        if got.ending is not None:
            self._over(got.ending)
        elif self._status is not None:
            self._connection.abandon()
            self._over(self._status)

    def _open(self) -> None:
        now = self.now()
        self.collector.connections += 1
        before, self._watch = self._watch, Watch(self.collector.follower.hours, now, self.mute_after)
        if before is not None:
            self._watch.usual = before.usual
        self._opened_at = self._anchor_at = now

    def _join(self, frames: list[bytes], instants: list[int]) -> None:
        read = self.collector.take_frames(frames, instants)
        self._is_dirty = True
        if self._watch is not None:
            self._watch.came(read.messages.start // MINUTE * MINUTE, instants[-1])
        for status in read.statuses:
            self._status = of_status(status.status, status.message) or self._status
        for what in read.unreadable[:1]:
            self._miss("unreadable", f"{len(read.unreadable):,} frames cannot be read; the first is {what}")

    def _miss(self, reason: str, words: str, since: int | None = None) -> None:
        """Note that something was lost; the next snapshot, which is due at once, makes it good."""
        if self._is_dirty and self.collector.follower.last is not None:
            self._tick()
        self.say(words)
        self.collector.miss(reason, state=self._state, since=since)
        self._unnoted = reason if self.collector.follower.last is None else None  # no saying since when
        self._is_missing = True
        if self._opened_at is not None:
            self._opened_at = self.now()
        self._anchor_at = min(self._anchor_at, max(self.now(), self._asked_at + POLL_EVERY))

    def _look_after(self) -> None:
        """End a connection that is open and gives too little."""
        if self._connection is None or self._watch is None or self._opened_at is None:
            return
        if self._watch.trickles():
            ending = Ending("lost", "trickle", "fewer than a fifth of the usual minutes come over the stream")
        elif self.now() >= self._watch.mute_at(self.now(), self._known_delay):
            ending = Ending("lost", "mute", "nothing comes over the stream, though it is open")
        else:
            return
        self._connection.abandon()
        # What came of late may have been a part, and what a snapshot made good was missing as well.
        self._over(ending, self._watch.good_through or self._watch.since - self._known_delay)

    def _over(self, ending: Ending, since: int | None = None) -> None:
        """Note that the connection is over, and when to make the next."""
        if ending.meaning == "lost" and self._status is not None:
            ending = self._status
        if ending.meaning == "refused":
            raise VendorRefused(f"Massive's stream refuses the key: {ending.words}")
        wait = self.redial.wait(ending, self._watch.data_for if self._watch else 0)
        self._connection, self._opened_at = None, None
        self._dial_at = self.now() + wait
        self._is_planned = ending.meaning != "unplanned"
        self._miss(ending.reason, said_of(ending, wait), since)

    def _anchor(self) -> None:
        self._asked_at = self.now()
        try:
            answered = self.feed.ask(self.collector.follower.session)
        except VendorUnavailable as error:
            self.refused += 1
            self._anchor_at = self.now() + POLL_EVERY
            if self._opened_at is None:
                self._miss("unavailable", str(error))
            else:
                self.say(str(error))
            return
        self._drain()  # what came while it was asked for came before it
        received = self.now()
        step = self.collector.take(
            answered, received, state=self._state, heals=lambda through: self._is_whole(through, received)
        )
        if isinstance(step, Step):
            self.taken += 1
            self._stored(step)
        else:
            self.refused += 1
            self.say(f"snapshot refused: {step.reason}")
        self._anchor_at = self.now() + self._until_next(step, received)

    def _until_next(self, step: Step | Refusal, received: int) -> int:
        """Return the microseconds from a snapshot to the next."""
        if self._opened_at is None or self._is_missing or isinstance(step, Refusal):
            hours = self.collector.follower.hours
            is_regular = hours.opens_at <= received - self._known_delay < hours.closes_at
            return POLL_EVERY if is_regular else LONGEST_REST
        return ANCHOR_EVERY if step.phase in ("pre", "open") else ANCHOR_AFTER_CLOSE

    def _tick(self) -> None:
        step = self.collector.tick(self.now(), state=self._state)
        if step is not None:
            self._tick_at = self.now() + TICK_EVERY
            self._stored(step)

    def _stored(self, step: Step) -> None:
        self.has_bars = step.with_bar > 0
        self._is_dirty = False
        if self._unnoted is not None and self._is_missing:
            self.collector.miss(self._unnoted, state=self._state)
        self._unnoted = None

    def _is_whole(self, through: int, received: int) -> bool:
        """Return whether a snapshot makes good all that was missed.

        It does if its data reach the instant from which on the stream speaks, or the day is over: then there
        is nothing between the two. Of a feed whose data are late that instant is as much earlier.

        Args:
            through: up to when the snapshot's data are.
            received: when it came.
        """
        self._delay = min(self._delay, received - through)
        ended = self.collector.follower.hours.extended[1]
        is_over = not self._is_planned or self._asked_at - self._delay >= ended
        speaks_since = _UNKNOWN if self._opened_at is None else self._opened_at - self._delay
        if is_over or through >= speaks_since:
            self._is_missing = False
        return not self._is_missing
