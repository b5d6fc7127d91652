"""The session under way: a burst of the whole market read, joined and stored; a day; a restart; reading it.

A burst is 10,500 minutes, 1,500 of them sent again, in frames of 50, of a market of 12,500 instruments. Ratios
are to Condvest's own figure with which each group begins; ``floor`` is what nobody can do without: the bytes
decoded, the same rows copied and upserted, the same bars read without the live ones. ``limit`` is what was
aimed at. What happens in memory is given in seconds of the processor, the rest by the clock on the wall.
"""

import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import polars as pl
from massive.websocket.models import Market as Cluster
from massive.websocket.models import parse

from batch_layer.processing.resample import resample
from batch_layer.shared.models.bars import Int32s
from benchmarks import stored
from benchmarks.core import FIRST_ORDINAL, SESSIONS, market
from benchmarks.machine import peak_memory
from benchmarks.report import Figure, figures, in_turns
from condvest.live.judging import judge
from serving_layer.queries.bars_table import read_bars
from serving_layer.queries.question import Question
from speed_layer.core.following import Follower
from speed_layer.core.phases import Hours
from speed_layer.core.state import MINUTE
from speed_layer.feeds.journal import Journal, Recorder
from speed_layer.feeds.massive_minutes import read_frames
from speed_layer.feeds.massive_snapshot import read_snapshot
from speed_layer.feeds.massive_typed import PlainMinutes
from speed_layer.feeds.polling import Answered
from speed_layer.services.collect import Collector
from speed_layer.stores import rows as live_rows
from speed_layer.stores.runs import start_run

OURS = "condvest"
INSTRUMENTS, BURST, AGAIN, FRAME = 12_500, 9_000, 1_500, 50
ORDINAL = FIRST_ORDINAL + SESSIONS
SECOND = 1_000_000
DAY_MESSAGES, DAY_SECONDS, BURST_SECONDS = 4_000_000, 90, 0.5
"""A day is to take no longer, and in 99 of 100 no burst of it."""


def run(options):
    """Yield the figures of each group."""
    with stored.workspace() as workspace, tempfile.TemporaryDirectory(prefix="condvest-bench-") as folder:
        stored.store(workspace.database, whole_market(options.rows, options.seed))
        resample(workspace.database, workspace.sessions, full=True)
        desk = Desk(workspace, Path(folder))
        yield from fold(desk, options)
        yield from commit(desk, options)
        yield from recovery(desk, options)
        yield from day(desk, options)
        yield from reading(desk, options)


def whole_market(rows, seed):
    """Return daily bars of INSTRUMENTS in the sessions before the one under way."""
    sessions = max(rows // INSTRUMENTS, 13)
    daily = market(INSTRUMENTS * sessions, seed)
    return replace(
        daily,
        instrument_id=np.repeat(np.arange(INSTRUMENTS, dtype=np.int32), sessions),
        ordinal=np.tile(np.arange(ORDINAL - sessions, ORDINAL, dtype=np.int32), INSTRUMENTS),
    )


class Desk:
    """A workspace with a market in it, and a vendor's messages for the session after its last."""

    def __init__(self, workspace, folder):
        self.workspace, self.folder = workspace, folder
        self.sessions = workspace.sessions
        self.opens = Hours.of(self.sessions, ORDINAL).opens_at
        self.symbols = [f"S{number + 1}" for number in range(BURST)]
        self.price = np.random.default_rng(1).uniform(5, 500, len(self.symbols))

    def burst(self, number):
        """Return the frames of a minute."""
        rng = np.random.default_rng(number)
        which = np.concatenate([np.arange(BURST), rng.integers(0, BURST, AGAIN)])
        start = (self.opens + number * MINUTE) // 1000
        closes = np.round(self.price[which] * rng.uniform(0.99, 1.01, len(which)), 4)
        events = [self._event(at, close, number, start) for at, close in zip(which, closes, strict=True)]
        return [json.dumps(events[at : at + FRAME]).encode() for at in range(0, len(events), FRAME)]

    def _event(self, at, close, number, start):
        volume = 1000 * (number + 2) + int(at)
        return {
            "ev": "AM", "sym": self.symbols[at], "v": 1000, "av": volume, "op": close, "vw": close,
            "o": close, "c": close, "h": round(close * 1.001, 4), "l": round(close * 0.999, 4), "a": close,
            "z": 50, "s": start, "e": start + 60_000, "dv": "1000.0", "dav": f"{volume}.5",
        }  # fmt: skip

    def received(self, number):
        return self.opens + (number + 1) * MINUTE + SECOND

    def snapshot(self, number):
        """Return the body of a snapshot at the end of a minute."""
        updated = (self.opens + (number + 1) * MINUTE) * 1000
        rows = [
            {
                "ticker": symbol,
                "day": {"o": price, "h": price * 1.1, "l": price * 0.9, "c": price, "v": 500, "vw": price},
                "updated": updated,
            }
            for symbol, price in zip(self.symbols, np.round(self.price, 2).tolist(), strict=True)
        ]
        return json.dumps({"status": "OK", "count": len(rows), "tickers": rows}).encode()

    def follower(self):
        return Follower(self.sessions, ORDINAL, judge)

    def anchored(self):
        """Return a follower that has seen a snapshot and a burst."""
        follower = self.follower()
        follower.take(read_snapshot(self.snapshot(0), follower.session), self.received(0))
        frames = self.burst(1)
        read = read_frames(frames, [self.received(1)] * len(frames))
        follower.take_minutes(read.messages, read.faults)
        follower.step()
        return follower

    def collector(self, follower):
        """Return a collector of a run of its own."""
        with self.workspace.database.transaction() as connection:
            run_id = start_run(connection, "massive", "stream", ORDINAL, f"run{time.perf_counter_ns()}")
        journal = Journal(self.folder, "massive", follower.session)
        return Collector(
            self.workspace.database, run_id, follower, Recorder(journal, f"{time.perf_counter_ns()}")
        )


def fold(desk, options):
    """Bytes to state and the rows that changed, beside decoding alone, the vendor's client and Polars."""
    follower, numbers = desk.anchored(), iter(range(2, 10**6))
    made = {number: desk.burst(number) for number in range(2, 2 + options.repeats)}

    def ours():
        number = next(numbers)
        read = read_frames(made[number], [desk.received(number)] * len(made[number]))
        follower.take_minutes(read.messages, read.faults)
        return follower.step()

    frames = made[2]
    contenders = {
        OURS: ours,
        "floor: orjson alone": lambda: [orjson.loads(frame) for frame in frames],
        "msgspec alone, the values used": lambda: [PlainMinutes().add(frame) for frame in frames],
        "json.loads alone": lambda: [json.loads(frame) for frame in frames],
        "massive, typed": lambda: [parse(json.loads(frame), None, Cluster.Stocks) for frame in frames],
        "polars, group by": lambda: grouped([orjson.loads(frame) for frame in frames]),
    }
    yield from named("fold", in_turns(contenders, options.repeats, clock=time.process_time), BURST + AGAIN)


def grouped(frames):
    """Fold a burst alone: no state, no order, no rules."""
    table = pl.DataFrame([event for frame in frames for event in frame])
    return table.group_by("sym").agg(
        pl.col("h").max(), pl.col("l").min(), pl.col("c").last(), pl.col("av").max()
    )


def commit(desk, options):
    """The last byte of a burst to its rows visible, beside the upsert of the same rows."""
    collector, numbers = desk.collector(desk.anchored()), iter(range(2, 10**6))
    made = {number: desk.burst(number) for number in range(2, 3 + options.repeats)}
    kept = {}

    def ours():
        number = next(numbers)
        collector.take_frames(made[number], [desk.received(number)] * len(made[number]))
        kept["step"] = collector.tick(desk.received(number), state="streaming")
        return kept["step"]

    ours()

    def bare():
        step = kept["step"]
        ids: Int32s = step.bars.slot + np.int32(1)
        with desk.workspace.database.transaction() as connection:
            live_rows.write_bars(connection, 1, ORDINAL + 1, ids, step.bars, step.phases)

    contenders = {OURS: ours, "floor: the rows upserted": bare}
    yield from named("commit", in_turns(contenders, options.repeats), BURST + AGAIN)


def recovery(desk, options):
    """From nothing known to right rows: a snapshot read, judged, stored."""
    body = desk.snapshot(100)

    def ours():
        follower = desk.follower()
        answered = Answered(body, read_snapshot(body, follower.session))
        return desk.collector(follower).take(answered, desk.received(100))

    yield from named("recovery", in_turns({OURS: ours}, options.repeats), len(desk.symbols))


def day(desk, options):
    """So many bursts as the rows asked for make, stored after each, with a snapshot every 15 minutes."""
    count = min(max(options.rows // (BURST + AGAIN), 20), 380)
    collector = desk.collector(desk.anchored())

    def ours():
        seconds = []
        for number in range(101, 101 + count):
            frames, body = desk.burst(number), desk.snapshot(number) if number % 15 == 0 else None
            start = time.perf_counter()
            collector.take_frames(frames, [desk.received(number)] * len(frames))
            if body is not None:
                answered = Answered(body, read_snapshot(body, collector.follower.session))
                collector.take(answered, desk.received(number))
            collector.tick(desk.received(number), state="streaming")
            seconds.append(time.perf_counter() - start)
        return seconds

    each, peak = peak_memory(ours)
    total, messages = sum(each), count * (BURST + AGAIN)
    yield whole("day: condvest", messages, total, 1.0, peak)
    limit = DAY_SECONDS * messages / DAY_MESSAGES
    yield whole("day: the limit of so many messages", messages, limit, limit / total)
    slow = float(np.percentile(each, 99))
    least, most = round(min(each), 3), round(max(each), 3)
    yield Figure("day: a burst to its rows, p99", BURST + AGAIN, round(slow, 3), least, most, 1.0, None)
    yield whole("day: the limit of a burst", BURST + AGAIN, BURST_SECONDS, BURST_SECONDS / slow)


def whole(name, rows, seconds, ratio, peak=None):
    """Return the figure of what is measured once."""
    return Figure(name, rows, *(round(seconds, 3),) * 3, round(ratio, 3), peak)


def reading(desk, options):
    """The bars of 13 sessions of the whole market, with the live ones and without."""

    def asked(*, live):
        question = Question(None, 13, include_open=True, include_live=live)
        return lambda: read_bars(desk.workspace.database, desk.sessions, question)

    contenders = {OURS: asked(live=True), "floor: without the live ones": asked(live=False)}
    yield from named("read", in_turns(contenders, options.repeats), len(contenders[OURS]()))


def named(group, seconds, rows):
    """Yield the figures of a group, each named for it."""
    for figure in figures(seconds, {}, rows, OURS):
        yield Figure(**{**vars(figure), "name": f"{group}: {figure.name}"})
