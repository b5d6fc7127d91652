"""A backfill of whole sessions from the emulated vendor over the wire, and which step takes what share.

Sessions of 12,500 instruments, as many as ``--rows`` has room for. The emulator runs in a process of its own
and makes each answer when it is asked for; that time is told as ``fetch``. PostgreSQL is the embedded one.
"""

import datetime as dt
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from batch_layer.fetching.ingest import Fetched, Ingest
from batch_layer.processing.resample import resample
from batch_layer.shared.clients.massive import Exchange, MassiveClient, MassiveProvider
from batch_layer.shared.clients.rate_limit import Rate, RateLimit
from batch_layer.shared.settings import Settings
from benchmarks.report import Figure
from condvest.workspace import open_workspace

INSTRUMENTS = 12_750
ROWS_A_SESSION = 12_500
LAST = dt.date(2024, 6, 28)
NOW = dt.datetime(2024, 6, 28, 23, tzinfo=dt.UTC)
FEWEST, MOST = 4, 1260


def run(options):
    """Yield a figure of the whole and one of each step, whose ratio is its share."""
    sessions = min(MOST, max(FEWEST, options.rows // ROWS_A_SESSION))
    first = LAST - dt.timedelta(days=int(sessions * 1.5) + 10)
    with (
        tempfile.TemporaryDirectory(prefix="condvest-bench-") as home,
        emulator(first) as url,
        open_workspace(Settings(home=Path(home)), now=NOW) as workspace,
    ):
        seconds, rows = measured(workspace, url, sessions)
    whole = seconds.pop("whole")
    yield figure("whole", rows, whole, whole)
    for step, spent in seconds.items():
        yield figure(step, rows, spent, whole)


class TimedExchange(Exchange):
    """Counts the seconds from a request to the last byte of its answer, unpacked."""

    seconds = 0.0

    def get(self, url):
        start = time.perf_counter()
        try:
            return super().get(url)
        finally:
            self.seconds += time.perf_counter() - start


def measured(workspace, url, sessions):
    """Do the backfill; return seconds by step, and how many daily bars it stored."""
    exchange = TimedExchange(url, "emulated-key")
    limit = RateLimit(workspace.settings.home / "limit", Rate(10**6, 1.0))
    fetched = Fetched()
    loader = workspace.loader(workspace.extended_sessions())
    with MassiveProvider(MassiveClient(exchange, limit), "paid", lambda: NOW) as provider:
        ingest = Ingest(provider, loader)
        asked = ingest.covered()[-sessions:]
        start = time.perf_counter()
        ingest.backfill(asked[::-1], fetched)
        loaded = time.perf_counter()
        resample(workspace.database, workspace.sessions)
        ended = time.perf_counter()
    seconds = {"whole": ended - start, "fetch": exchange.seconds, "parse": 0.0, "judge": 0.0, "store": 0.0}
    for load in fetched.loads:
        for step, spent in load.seconds.items():
            seconds[step] += spent
    seconds["resample"] = ended - loaded
    bars = [load for load in fetched.loads if load.dataset == "daily_bars"]
    if len(bars) != sessions or any(load.partial for load in bars):
        raise AssertionError(f"{len(bars)} of {sessions} sessions are there")
    # An answer is read where it is checked, between its last byte and its load; and then it is archived.
    told = sum(spent for step, spent in seconds.items() if step != "whole")
    seconds["parse"] += max(0.0, seconds["whole"] - told)
    return {
        ("parse and archive" if step == "parse" else step): spent for step, spent in seconds.items()
    }, sum(load.inserted for load in bars)


def figure(name, rows, spent, whole):
    spent = round(spent, 3)
    return Figure(
        name=name,
        rows=rows,
        seconds=spent,
        fastest=spent,
        slowest=spent,
        ratio=round(spent / whole, 3),
        peak_mib=None,
    )


class emulator:  # noqa: N801  # used as a function
    """The vendor in a process of its own; gives its URL."""

    def __init__(self, first):
        self._command = [
            sys.executable,
            "-m",
            "tests.emulators.massive",
            "--plan=unlimited",
            f"--instruments={INSTRUMENTS}",
            f"--first-session={first}",
            f"--last-session={LAST}",
            f"--now={NOW.isoformat()}",
        ]

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        return self._process.stdout.readline().split()[-1]

    def __exit__(self, *_exc):
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()
