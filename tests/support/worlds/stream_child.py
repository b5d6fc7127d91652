"""A collector in a process of its own, on an emulated stream whose clock it moves on over HTTP.

Usage: python -m tests.support.worlds.stream_child DATABASE_URL HOME REST_URL STREAM_URL START
"""

import datetime as dt
import sys
from pathlib import Path

import httpx

from batch_layer.database.postgres.connection import Database
from batch_layer.operations.workspace import Workspace
from batch_layer.shared.settings import DatabaseSettings, Settings
from speed_layer.feeds.massive_stream import MassiveStream
from tests.support.emulators.massive.server import KEY
from tests.support.worlds.streaming import QUICK, Lockstep, job_of
from tests.support.worlds.vendor_truth import Clock


class Remote:
    """The clock of a `StreamEmulator` in another process."""

    def __init__(self, url):
        self._client = httpx.Client(base_url=url, timeout=60)

    def _ask(self, what, **values):
        return self._client.post(f"/_emulator/{what}", json=values).raise_for_status().json()

    def next_instant(self, seconds):
        return dt.datetime.fromisoformat(self._ask("next", seconds=seconds)["now"])

    def advance(self, seconds, port):
        return self._ask("advance", seconds=seconds, port=port)


def main():
    url, home, rest_url, stream_url, start = sys.argv[1:]
    now = dt.datetime.fromisoformat(start)
    lockstep = Lockstep(MassiveStream(stream_url, KEY, patience=QUICK), Remote(rest_url), now)
    with Database(url) as database:
        settings = Settings(home=Path(home), database=DatabaseSettings(url=url))
        job = job_of(Workspace(settings, database, now), lockstep, rest_url, waits=Clock())
        print(job.run().reason, flush=True)


if __name__ == "__main__":
    main()
