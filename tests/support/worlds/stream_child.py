"""A collector in a process of its own, on an emulated stream whose clock it moves on over HTTP.

Usage: python -m tests.support.worlds.stream_child DATABASE_URL HOME REST_URL STREAM_URL START
"""

import datetime as dt
import sys
from pathlib import Path

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from condvest.speed_layer.feeds.massive.massive_stream import MassiveStream
from tests.support.emulators.massive.server import KEY
from tests.support.worlds.remote_clock import Remote
from tests.support.worlds.streaming import QUICK, Lockstep, job_of
from tests.support.worlds.vendor_truth import Clock


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
