"""A collector on an emulated stream, whose clock moves on only when the collector waits for it."""

import datetime as dt
from dataclasses import dataclass, field

from condvest.batch_layer.shared.clients.massive import MassiveClient, Transport
from condvest.batch_layer.shared.clients.rate_limit import Rate, RateLimit
from condvest.batch_layer.shared.utils.retry import Retry
from condvest.live.judging import judge
from condvest.speed_layer.feeds.massive.massive_stream import MassiveStream, Patience
from condvest.speed_layer.feeds.polling import MassivePolling
from condvest.speed_layer.services.run import Job
from tests.support.emulators.synthetic.trades import MINUTE

FIELDS = ("open", "high", "low", "close", "volume")

PATIENCE = 60.0
"""Seconds of the real clock after which a test gives up."""

QUICK = Patience(opening=5.0, step=2.0, ping_every=1000, pong_within=1000)
"""A mute handshake is given up at once; who is there shows in the data."""


@dataclass(eq=False)
class Lockstep:
    """A stream and its clock: a wait lets the vendor go on until something came, or the time is over.

    Attributes:
        stream: what is connected to.
        vendor: moves the clock on, by ``next_instant`` and ``advance`` as of `StreamEmulator`.
        now: the instant.
    """

    stream: MassiveStream
    vendor: object
    now: dt.datetime
    connection: object = field(default=None)

    def open(self, now):
        """Connect, as a `StreamFeed` does."""
        self.connection = self.stream.open(now)
        return self.connection

    def wait(self, inbox, seconds):
        """Wait as `Inbox.wait` does."""
        mine = self.connection is not None and self.connection.inbox is inbox
        if mine and not inbox.is_open and inbox.ending is None:
            inbox.wait(PATIENCE)
            return
        if inbox.is_news():
            return
        port = self.connection.port if mine else None
        self.now = self.vendor.next_instant(seconds)  # before anything is sent that is stamped with it
        went = self.vendor.advance(seconds, port)
        if mine:
            settled(inbox, went)


def settled(inbox, went):
    """Wait until the reader's thread has taken what the vendor says it has sent."""
    with inbox._changed:
        done = inbox._changed.wait_for(
            lambda: inbox.ending is not None or (inbox.count >= went["frames"] and not went["is_gone"]),
            timeout=PATIENCE,
        )
    assert done, (inbox.count, inbox.is_open, went)


def job_of(workspace, lockstep, rest_url, *, waits, said=None, during=None):
    """Return the job that collects into a workspace.

    Args:
        workspace: where to.
        lockstep: the stream and its clock.
        rest_url: of the vendor's REST service.
        waits: a clock for waits between calls, which passes by waiting alone.
        said: a list that is told what the collector says.
        during: called with the instant before each wait.
    """
    home = workspace.settings.home
    limit = RateLimit(home / "live-limit", Rate(90, 1.0), clock=waits, sleep=waits.sleep)
    retry = Retry(attempts=30, budget=1e9, sleep=waits.sleep)
    client = MassiveClient(
        Transport(rest_url, lockstep.stream.key), limit, retry=retry, now=lambda: lockstep.now
    )

    def wait(inbox, seconds):
        if during is not None:
            during(lockstep.now)
        lockstep.wait(inbox, seconds)

    return Job(
        workspace.database,
        workspace.sessions,
        MassivePolling(client),
        judge,
        home / "live",
        lambda: lockstep.now,
        lambda seconds: lockstep.wait(None, seconds),
        (lambda _: None) if said is None else said.append,
        lockstep,
        wait,
    )


def collecting(desk, stream, start, *, said=None, until=None, during=None, **how):
    """Collect from an instant on; return how it ended, None if it was stopped.

    Args:
        desk: a `Desk`.
        stream: a `StreamEmulator` beside the desk's vendor.
        start: the instant.
        said: a list that is told what the collector says.
        until: when it is stopped, as by Ctrl-C.
        during: called with the instant before each wait.
        how: arguments of `Job.run`.
    """
    emulator = desk.emulator
    lockstep = Lockstep(MassiveStream(stream.url, emulator.key, patience=QUICK), stream, start)

    def look(now):
        if until is not None and now >= until:
            raise KeyboardInterrupt
        if during is not None:
            during(now)

    job = job_of(desk.at(start), lockstep, emulator.url, waits=emulator.waits, said=said, during=look)
    try:
        return job.run(**how)
    except KeyboardInterrupt:
        return None
    finally:
        job.feed.client.close()


def live_rows(desk, session):
    """Return the live rows of a session by symbol: open, high, low, close, volume."""
    query = (
        f"SELECT symbol, {', '.join(FIELDS)} FROM live_daily_bars JOIN symbols USING (instrument_id) "
        f"WHERE '{session}' BETWEEN valid_from AND valid_to"
    )
    return {row[0]: row[1:] for row in desk.rows(query)}


def true_rows(desk, session):
    """Return the same of the truth, of the symbols that an instrument carries."""
    rows = desk.emulator.market.bars(session)
    columns = [getattr(rows, name).tolist() for name in FIELDS]
    truth = dict(zip(rows.symbol.tolist(), zip(*columns, strict=True), strict=True))
    unresolved = {symbol for (symbol,) in desk.rows("SELECT symbol FROM live_unresolved")}
    return {symbol: row for symbol, row in truth.items() if symbol not in unresolved}


def uncovered(desk, stream, excused=()):
    """Return the outages that no gap covers, by the clock of the data.

    ``excused`` are spans (microseconds) in which nobody could know of one.
    """
    gaps = desk.rows(
        "SELECT extract(epoch FROM gap_from) * 1000000, extract(epoch FROM coalesce(gap_to, 'infinity')) "
        "* 1000000 FROM live_gaps"
    )
    return [
        outage
        for outage in stream.outages
        if not any(start <= outage.at <= end for start, end in excused)
        and not any(
            start <= minute + MINUTE and minute <= end for minute in outage.minutes for start, end in gaps
        )
    ]
