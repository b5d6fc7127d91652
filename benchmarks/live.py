"""The session under way: a burst of the whole market read, joined and stored; a day; a restart; reading it.

A burst is 10,500 minutes, 1,500 of them sent again, in frames of 50, of 12,500 instruments. Ratios are to
Condvest's own figure with which each group begins; ``floor`` is what nobody can do without: the bytes
decoded, the same rows copied and upserted, the same bars read without the live ones. ``limit`` is what was
aimed at, or the least that the same answer takes. Groups of a day and of a restart are given by the clock on
the wall, all others in seconds of the processor, the server's as well; the server's come in hundredths of a
second, so that what it takes part in is done TIMES times.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
from massive.websocket.models import Market as Cluster
from massive.websocket.models import parse

from benchmarks import stored
from benchmarks.live_desk import AGAIN, BURST, ORDINAL, Desk, whole_market
from benchmarks.machine import peak_memory, processor_clock
from benchmarks.report import Figure, figures, in_turns
from condvest.batch_layer.database.stores.daily.live import read_live
from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.serving_layer.queries.bars.bars_table import read_bars
from condvest.serving_layer.queries.bars.question import Question
from condvest.speed_layer.feeds.journal import Journal, Record, Recorder
from condvest.speed_layer.feeds.massive.massive_minutes import read_frames
from condvest.speed_layer.feeds.massive.massive_snapshot import read_snapshot
from condvest.speed_layer.feeds.massive.massive_typed import PlainMinutes
from condvest.speed_layer.feeds.polling import Answered
from condvest.speed_layer.stores import rows as live_rows

OURS = "condvest"
TIMES = 10
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


def fold(desk, options):
    """Bytes to state and the rows that changed, beside decoding alone, the vendor's client and Polars."""
    follower, numbers = desk.anchored(), iter(range(2, 10**6))
    made = {number: desk.burst(number) for number in range(2, 2 + options.repeats)}

    def each_time(work):
        """Return work on the frames of another burst each time, as they come from a socket."""
        bursts = iter(made.values())
        return lambda: work(next(bursts))

    def ours():
        number = next(numbers)
        read = read_frames(made[number], [desk.received(number)] * len(made[number]))
        follower.take_minutes(read.messages, read.faults)
        return follower.step()

    contenders = {
        OURS: ours,
        "floor: orjson alone": each_time(lambda frames: list(map(orjson.loads, frames))),
        "msgspec, the values used in columns": each_time(columns),
        "json.loads alone": each_time(lambda frames: list(map(json.loads, frames))),
        "massive, typed": each_time(
            lambda frames: [parse(json.loads(frame), None, Cluster.Stocks) for frame in frames]
        ),
        "polars, group by": each_time(lambda frames: grouped(list(map(orjson.loads, frames)))),
    }
    yield from named("fold", in_turns(contenders, options.repeats, clock=time.process_time), BURST + AGAIN)


def columns(frames):
    """Decode a burst alone, into columns of the values that are used."""
    plain = PlainMinutes()
    for frame in frames:
        plain.add(frame)
    return plain


def grouped(frames):
    """Fold a burst alone: no state, no order, no rules."""
    table = pl.DataFrame([event for frame in frames for event in frame])
    return table.group_by("sym").agg(
        pl.col("h").max(), pl.col("l").min(), pl.col("c").last(), pl.col("av").max()
    )


def commit(desk, options):
    """The last byte of a burst to its rows visible, beside the upsert of the same rows."""
    collector, numbers = desk.collector(desk.anchored()), iter(range(2, 10**6))
    made = {number: desk.burst(number) for number in range(2, 3 + TIMES * options.repeats)}
    kept = {}

    def ours():
        number = next(numbers)
        collector.take_frames(made[number], [desk.received(number)] * len(made[number]))
        kept["step"] = collector.tick(desk.received(number), state="streaming")
        return kept["step"]

    ours()
    journal = Journal(desk.folder, "floor", collector.follower.session)

    def bare():
        step = kept["step"]
        ids: Int32s = step.bars.slot + np.int32(1)
        with desk.workspace.database.transaction() as connection:
            live_rows.write_bars(connection, 1, ORDINAL + 1, ids, step.bars, step.phases)

    def least():
        recorder = Recorder(journal, f"{time.perf_counter_ns()}")
        for frame in made[2]:
            recorder.add(Record("frame", 0, frame))
        recorder.close()
        plain = columns(made[2])
        bare()
        return plain

    contenders = {OURS: ours, "floor: the rows upserted": bare, "limit: kept, decoded, upserted": least}
    yield from by_processor("commit", desk, contenders, options, TIMES * (BURST + AGAIN))
    with desk.workspace.database.transaction() as connection:
        connection.execute("DELETE FROM live_daily_bars WHERE ordinal > %s", (ORDINAL,))


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

    def least():
        """Read both, and put the live rows behind the others: nothing is folded, nothing in its place."""
        without = asked(live=False)()
        with desk.workspace.database.transaction(snapshot=True, read_only=True) as connection:
            live = read_live(connection)
        rows = {name: getattr(live, name) for name in ("open", "high", "low", "close", "volume", "vwap")}
        return pa.concat_tables([without, pa.table(rows)], promote_options="default")

    contenders = {
        OURS: asked(live=True),
        "floor: without the live ones": asked(live=False),
        "limit: both read, and put together": least,
    }
    rows = len(contenders[OURS]())
    yield from by_processor("read", desk, contenders, options, TIMES * rows)


def by_processor(group, desk, contenders, options, rows):
    """Yield the figures of what is done TIMES times, in seconds of all processors, the server's too."""

    def times(work):
        return lambda: [work() for _ in range(TIMES)][-1]

    clock = processor_clock(desk.workspace.settings.home)
    many = {name: times(work) for name, work in contenders.items()}
    yield from named(group, in_turns(many, options.repeats, clock=clock), rows)


def named(group, seconds, rows):
    """Yield the figures of a group, each named for it."""
    for figure in figures(seconds, {}, rows, OURS):
        yield Figure(**{**vars(figure), "name": f"{group}: {figure.name}"})
