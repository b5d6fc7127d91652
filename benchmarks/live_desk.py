"""A market of 12,500 instruments, and a vendor's messages for the session after its last."""

import json
import time
from dataclasses import replace

import numpy as np

from benchmarks.core import FIRST_ORDINAL, SESSIONS, market
from condvest.live.judging import judge
from condvest.speed_layer.core.following import Follower
from condvest.speed_layer.core.phases import Hours
from condvest.speed_layer.core.state import MINUTE
from condvest.speed_layer.feeds.journal import Journal, Recorder
from condvest.speed_layer.feeds.massive.massive_minutes import read_frames
from condvest.speed_layer.feeds.massive.massive_snapshot import read_snapshot
from condvest.speed_layer.services.collect import Collector
from condvest.speed_layer.stores.runs import start_run

INSTRUMENTS, BURST, AGAIN, FRAME = 12_500, 9_000, 1_500, 50
ORDINAL = FIRST_ORDINAL + SESSIONS
SECOND = 1_000_000


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
