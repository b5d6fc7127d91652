"""The collector's job: the session of today, from before the open until its trades have ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from batch_layer.database.postgres.connection import Database
from batch_layer.shared import exit_codes
from batch_layer.shared.errors import DatabaseError, TransientError, VendorUnavailable
from batch_layer.shared.models.sessions import EXCHANGE_ZONE, NO_ORDINAL, Sessions
from speed_layer.core.following import Follower, Judge, Step
from speed_layer.core.phases import SECOND, Hours
from speed_layer.feeds.journal import Journal
from speed_layer.feeds.polling import Feed
from speed_layer.services.alerting import Alerting, Read
from speed_layer.services.collect import Collector
from speed_layer.services.settle import settle_all
from speed_layer.services.verdicts import Verdicts
from speed_layer.stores.runs import end_run, expected_tickers, is_official, start_run, take_lock

LONGEST_DELAY = 20 * 60 * SECOND
"""The delayed feeds are 15 minutes late."""

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
        say: told what happens, in a sentence.
        rules: reads what alert rules need; None if there are to be none.
    """

    database: Database
    sessions: Sessions
    feed: Feed
    judge: Judge
    journals: Path
    now: Callable[[], dt.datetime]
    sleep: Callable[[float], None]
    say: Callable[[str], None] = field(default=lambda _: None)
    rules: Read | None = None

    def run(self, *, interval: float = 60.0, once: bool = False) -> Ending:
        """Collect the session of today until it has ended.

        Args:
            interval: seconds from one snapshot to the next.
            once: whether to take one snapshot and end.

        Raises:
            VendorRefused: the key or the plan does not allow it.
            VendorUnavailable: of a single snapshot (``once``), it cannot be had now.
            ClockWrong: the vendor's data are of the future.
            Superseded: a later run has begun, though this one still had the lock.
            ArchiveError, DatabaseError, DatabaseUnavailable: what comes cannot be stored.
        """
        with self.database.another() as keeper:
            if not take_lock(keeper):
                return Ending("another `condvest live run` collects into this database", exit_codes.DONE)
            settle_all(self.database)
            if self.rules is not None:
                Verdicts(self.database, self.sessions, self.rules).run()
            now = self.now()
            date = now.astimezone(EXCHANGE_ZONE).date()
            ordinal = _ordinal_of(self.sessions, date)
            if ordinal is None:
                return Ending(f"{date} is no session of the exchange", exit_codes.DONE)
            if _micros(now) > self._ends_at(ordinal):
                return Ending(f"the session of {date} is over", exit_codes.DONE)
            return self._collect(ordinal, interval, once=once)

    def _ends_at(self, ordinal: int) -> int:
        return Hours.of(self.sessions, ordinal).extended[1] + LONGEST_DELAY

    def _collect(self, ordinal: int, interval: float, *, once: bool) -> Ending:
        with self.database.transaction() as connection:
            if is_official(connection, self.feed.provider, ordinal):
                return Ending(f"{self.sessions.session(ordinal)} is loaded already", exit_codes.DONE)
            expected = expected_tickers(connection, self.feed.provider, ordinal)
            run_id = start_run(connection, self.feed.provider, self.feed.name, ordinal)
        follower = Follower(self.sessions, ordinal, self.judge, expected)
        journal = Journal(self.journals, self.feed.provider, follower.session)
        journal.prune()
        collector = Collector(self.database, run_id, follower, journal)
        if self.rules is not None:
            collector.on_tick = Alerting(self.sessions, self.rules).tick
        reason = "failed"
        try:
            ending = self._loop(collector, interval, once=once)
            reason = ending.reason
        except KeyboardInterrupt:
            reason = "stopped"
            raise
        finally:
            # If the database is gone, that is the error to be told, and the next run ends this one.
            with suppress(TransientError, DatabaseError):
                self._end(run_id, reason)
        return ending

    def _end(self, run_id: int, reason: str) -> None:
        with self.database.another() as other, other.transaction() as connection:
            end_run(connection, run_id, reason)

    def _loop(self, collector: Collector, interval: float, *, once: bool) -> Ending:
        taken = refused = 0
        hours, ordinal = collector.follower.hours, collector.follower.ordinal
        has_bars = False
        while True:
            step = self._ask(collector, once=once)
            if isinstance(step, Step):
                taken += 1
                has_bars = step.with_bar > 0
            else:
                refused += 1
            now = _micros(self.now())
            if once:
                code = exit_codes.DONE if isinstance(step, Step) else exit_codes.NEEDS_ATTENTION
                return Ending("took one snapshot" if taken else "took none", code, taken, refused)
            if not has_bars and now > hours.opens_at + LONGEST_DELAY + NEVER_OPENED_AFTER:
                return Ending(
                    f"expected trades of {collector.follower.session} from its open on, got none: the "
                    "exchange seems not to have opened. If it did, run this again",
                    exit_codes.NEEDS_ATTENTION,
                    taken,
                    refused,
                )
            if self._is_official(ordinal):
                return Ending(
                    "the session is loaded: its official bars count now", exit_codes.DONE, taken, refused
                )
            self.sleep(interval)
            if _micros(self.now()) > self._ends_at(ordinal):
                return Ending("the session is over", exit_codes.DONE, taken, refused)

    def _is_official(self, ordinal: int) -> bool:
        with self.database.transaction(read_only=True) as connection:
            return is_official(connection, self.feed.provider, ordinal)

    def _ask(self, collector: Collector, *, once: bool) -> Step | None:
        """Take one snapshot; None if there is none to use, which is said and noted as a gap."""
        try:
            answered = self.feed.ask(collector.follower.session)
        except VendorUnavailable as error:
            collector.miss("unavailable")
            if once:
                raise
            self.say(str(error))
            return None
        step = collector.take(answered, _micros(self.now()))
        if not isinstance(step, Step):
            self.say(f"snapshot refused: {step.reason}")
            return None
        return step


def _ordinal_of(sessions: Sessions, date: dt.date) -> int | None:
    ordinal = int(sessions.ordinals_of(np.array([date], dtype="datetime64[D]"))[0])
    return None if ordinal == NO_ORDINAL else ordinal


def _micros(instant: dt.datetime) -> int:
    return round(instant.timestamp() * SECOND)
