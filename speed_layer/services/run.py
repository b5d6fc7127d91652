"""The collector's job: the session of today, from before the open until its trades have ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.shared import exit_codes
from condvest.batch_layer.shared.errors import DatabaseError, TransientError
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE, NO_ORDINAL, Sessions
from condvest.speed_layer.core.following import Judge
from condvest.speed_layer.core.phases import SECOND, Hours
from condvest.speed_layer.feeds.inbox import Inbox, StreamFeed
from condvest.speed_layer.feeds.journal import Journal, Recorder, new_name
from condvest.speed_layer.feeds.polling import Feed
from condvest.speed_layer.services.alerts.alerting import Alerting, Read
from condvest.speed_layer.services.alerts.verdicts import Verdicts
from condvest.speed_layer.services.collect import Collector
from condvest.speed_layer.services.dialects import dialect_of
from condvest.speed_layer.services.live_publication import LivePublication
from condvest.speed_layer.services.polling import Polling, Rounds
from condvest.speed_layer.services.settle import settle_all
from condvest.speed_layer.services.streaming import Streaming
from condvest.speed_layer.stores import runs

if TYPE_CHECKING:
    from condvest.speed_layer.feeds.journal_copies import JournalCopies  # it imports botocore, an extra

LONGEST_DELAY = 20 * 60 * SECOND
"""The delayed feeds are 15 minutes late."""

_CHECK_EVERY = 60 * SECOND

Span = Literal["regular", "extended"]

AFTER_CLOSE = 50 * 60 * SECOND
"""By then the close has settled, on a delayed feed too: two snapshots of after the close agree."""

NEVER_OPENED_AFTER = 3600 * SECOND
"""Without a bar for so long after the open, delay included, the session did not take place."""


@dataclass(frozen=True)
class Ending:
    """How a run ended: a sentence, the exit code, and how many snapshots were used and refused."""

    reason: str
    exit_code: int
    taken: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Job:
    """What a run needs.

    Attributes:
        database: where to.
        sessions: the calendar, which reaches beyond today.
        feed: where snapshots come from; it is asked only when the lock is ours.
        judge: the rules for rows.
        journals: the directory of the journals.
        now: tells the instant, as an aware datetime.
        sleep: waits for so many seconds.
        stream: where minutes come from; None if snapshots are all there is.
        wait: waits for news of a stream's inbox, or for so many seconds.
        say: told what happens, in a sentence.
        rules: reads what alert rules need; None if there are to be none.
        copies: keeps copies of the journal's files that have ended; None for no copies.
        publication: publishes the live rows; None for no publication.
        measure: told metrics by name, about once a minute.
    """

    database: Database
    sessions: Sessions
    feed: Feed
    judge: Judge
    journals: Path
    now: Callable[[], dt.datetime]
    sleep: Callable[[float], None]
    say: Callable[[str], None] = field(default=lambda _: None)
    stream: StreamFeed | None = None
    wait: Callable[[Inbox, float], None] = Inbox.wait
    rules: Read | None = None
    copies: JournalCopies | None = None
    publication: LivePublication | None = None
    measure: Callable[[Mapping[str, float]], None] = field(default=lambda _: None)

    def run(self, *, interval: float = 60.0, once: bool = False, hours: Span = "extended") -> Ending:
        """Collect the session of today until it has ended.

        Args:
            interval: seconds from one snapshot to the next, without a stream.
            once: whether to take one snapshot and end.
            hours: ``regular`` to end AFTER_CLOSE after the close, whenever that is; ``extended`` to end with
                the late trades.

        Raises:
            VendorRefused: the key or the plan does not allow it.
            VendorUnavailable: of a single snapshot (``once``), it cannot be had now.
            ClockWrong: the vendor's data are of the future.
            Superseded: a later run has begun, though this one still had the lock.
            ArchiveError, DatabaseError, DatabaseUnavailable: what comes cannot be stored.
        """
        with self.database.another() as keeper:
            if not runs.take_lock(keeper):
                self._measure_other()
                return Ending("another `condvest live run` collects into this database", exit_codes.DONE)
            settle_all(self.database)
            if self.rules is not None:
                Verdicts(self.database, self.sessions, self.rules).run()
            now = self.now()
            date = now.astimezone(EXCHANGE_ZONE).date()
            ordinal = _ordinal_of(self.sessions, date)
            if ordinal is None:
                return Ending(f"{date} is no session of the exchange", exit_codes.DONE)
            if _micros(now) > self._ends_at(ordinal, hours):
                return Ending(f"the session of {date} is over", exit_codes.DONE)
            return self._collect(ordinal, interval, once=once, hours=hours)

    @property
    def _feed_name(self) -> str:
        return self.feed.name if self.stream is None else "stream"

    def _ends_at(self, ordinal: int, hours: Span) -> int:
        known = Hours.of(self.sessions, ordinal)
        return known.closes_at + AFTER_CLOSE if hours == "regular" else known.extended[1] + LONGEST_DELAY

    def _collect(self, ordinal: int, interval: float, *, once: bool, hours: Span) -> Ending:
        with self.database.transaction() as connection:
            if runs.is_official(connection, self.feed.provider, ordinal):
                return Ending(f"{self.sessions.session(ordinal)} is loaded already", exit_codes.DONE)
            expected = runs.expected_tickers(connection, self.feed.provider, ordinal)
            name = new_name(self.now())
            run_id = runs.start_run(connection, self.feed.provider, self._feed_name, ordinal, name)
        dialect = dialect_of(self.feed.provider)
        follower = dialect.follower(self.sessions, ordinal, self.judge, expected)
        journal = Journal(self.journals, self.feed.provider, follower.session)
        journal.prune()
        recorder = Recorder(journal, name)
        if self.copies is not None:
            recorder.on_ended = self.copies.keep
        collector = Collector(self.database, run_id, follower, recorder, read=dialect.read_frames)
        if self.publication is not None:
            collector.on_stored = self.publication.tick
        if self.rules is not None:
            collector.on_tick = Alerting(self.sessions, self.rules).tick
        reason = "failed"
        try:
            ending = self._loop(collector, interval, once=once, hours=hours)
            reason = ending.reason
            if self.publication is not None:
                self.publication.write()
        except KeyboardInterrupt:
            reason = "stopped"
            raise
        finally:
            # If the database is gone, that is the error to be told, and the next run ends this one.
            with suppress(TransientError, DatabaseError):
                self._end(run_id, reason)
            recorder.close()
        return ending

    def _end(self, run_id: int, reason: str) -> None:
        with self.database.another() as other, other.transaction() as connection:
            runs.end_run(connection, run_id, reason)

    def _loop(self, collector: Collector, interval: float, *, once: bool, hours: Span) -> Ending:
        rounds = self._rounds(collector, interval, once=once)
        check_at, began, ends_at = 0, self._instant(), self._ends_at(collector.follower.ordinal, hours)
        try:
            while True:
                rounds.turn()
                now = self._instant()
                if once:
                    code = exit_codes.DONE if rounds.taken else exit_codes.NEEDS_ATTENTION
                    said = "took one snapshot" if rounds.taken else "took none"
                    return Ending(said, code, rounds.taken, rounds.refused)
                if now >= check_at or self.stream is None:
                    check_at = now + _CHECK_EVERY
                    self._measure_age(collector.through or began, now)
                    ending = self._ending(collector, rounds, now)
                    if ending is not None:
                        return ending
                rounds.rest()
                if self._instant() > ends_at:
                    return Ending("the session is over", exit_codes.DONE, rounds.taken, rounds.refused)
        finally:
            rounds.close()

    def _measure_age(self, through: int, now: int) -> None:
        """Measure how old the data are that readers get: where rows are published, the published ones."""
        if self.publication is not None:
            through = min(through, self.publication.through or through)
        self.measure({"LiveDataAgeSeconds": (now - through) / SECOND})

    def _measure_other(self) -> None:
        """Measure how old the data of the run are that has the lock: it may be stuck, and measure nothing."""
        with self.database.transaction(read_only=True) as connection:
            newest = runs.last_run(connection)
        if newest is not None and newest["state"] != "ended" and newest["data_through"] is not None:
            self.measure({"LiveDataAgeSeconds": (self.now() - newest["data_through"]).total_seconds()})

    def _rounds(self, collector: Collector, interval: float, *, once: bool) -> Rounds:
        if self.stream is None or once:
            polling = (collector, self.feed, self._instant, self.sleep, self.say, interval, once)
            return Polling(*polling)
        mute_after = dialect_of(self.feed.provider).mute_after
        streaming = (collector, self.feed, self.stream, self._instant, self.wait, self.say, mute_after)
        return Streaming(*streaming)

    def _ending(self, collector: Collector, rounds: Rounds, now: int) -> Ending | None:
        """Return why the run ends before the session does; None if it goes on."""
        follower = collector.follower
        if not rounds.has_bars and now > follower.hours.opens_at + LONGEST_DELAY + NEVER_OPENED_AFTER:
            return Ending(
                f"expected trades of {follower.session} from its open on, got none: the exchange seems not "
                "to have opened. If it did, run this again",
                exit_codes.NEEDS_ATTENTION,
                rounds.taken,
                rounds.refused,
            )
        if self._is_official(follower.ordinal):
            said = "the session is loaded: its official bars count now"
            return Ending(said, exit_codes.DONE, rounds.taken, rounds.refused)
        return None

    def _instant(self) -> int:
        return _micros(self.now())

    def _is_official(self, ordinal: int) -> bool:
        with self.database.transaction(read_only=True) as connection:
            return runs.is_official(connection, self.feed.provider, ordinal)


def _ordinal_of(sessions: Sessions, date: dt.date) -> int | None:
    ordinal = int(sessions.ordinals_of(np.array([date], dtype="datetime64[D]"))[0])
    return None if ordinal == NO_ORDINAL else ordinal


def _micros(instant: dt.datetime) -> int:
    return round(instant.timestamp() * SECOND)
