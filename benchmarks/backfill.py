"""A backfill of whole sessions from the emulated vendor over the wire: where its time goes.

Sessions of 12,500 instruments, as many as ``--rows`` has room for. The emulator runs in a process of its own
and makes each answer when it is asked for. PostgreSQL is the embedded one. One answer is asked for and read
while another is stored, so the steps of the loading thread are told: waiting for an answer, archive, judge,
store, resample; they make up the whole. Beside them the seconds of the processors that each party took: what
is bounded by PostgreSQL takes most of them there.
"""

import datetime as dt
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Figure
from condvest.batch_layer.fetching.fetch import Fetcher, FetchReport
from condvest.batch_layer.operations.workspace import open_workspace
from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.clients.massive import MassiveClient, MassiveProvider, Transport
from condvest.batch_layer.shared.clients.rate_limit import Rate, RateLimit
from condvest.batch_layer.shared.settings import Settings

INSTRUMENTS = 12_750
ROWS_A_SESSION = 12_500
LAST = dt.date(2024, 6, 28)
NOW = dt.datetime(2024, 6, 28, 23, tzinfo=dt.UTC)
FEWEST, MOST = 4, 1260


def run(options):
    """Yield a figure of the whole and one of each step and party, whose ratio is its share of the whole."""
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


def measured(workspace, url, sessions):
    """Do the backfill; return seconds by step, and how many daily bars it stored."""
    limit = RateLimit(workspace.settings.home / "limit", Rate(10**6, 1.0))
    fetched = FetchReport()
    loader = workspace.loader(workspace.extended_sessions())
    with MassiveProvider(
        MassiveClient(Transport(url, "emulated-key"), limit), "paid", lambda: NOW
    ) as provider:
        ingest = Fetcher(provider, loader)
        asked = ingest.covered()[-sessions:]
        start, ours, server = time.perf_counter(), time.process_time(), server_seconds(workspace)
        ingest.backfill(asked[::-1], fetched)
        loaded = time.perf_counter()
        resample(workspace.database, workspace.sessions)
        ended = time.perf_counter()
        processor = {
            "processor: condvest": time.process_time() - ours,
            "processor: PostgreSQL": server_seconds(workspace) - server,
        }
    bars = [load for load in fetched.loads if load.dataset == "daily_bars"]
    if len(bars) != sessions or any(load.partial for load in bars):
        raise AssertionError(f"{len(bars)} of {sessions} sessions are there")
    steps = {"parse": 0.0, "judge": 0.0, "store": 0.0, "resample": ended - loaded}
    for load in fetched.loads:
        for step, spent in load.seconds.items():
            steps[step] += spent
    steps = {"waiting for an answer": ended - start - sum(steps.values()), **steps}
    return {"whole": ended - start, **steps, **processor}, sum(load.inserted for load in bars)


def server_seconds(workspace):
    """Return the seconds of the processors that the server's processes have taken, the ended ones too."""
    with workspace.database.transaction() as connection:
        ((said,),) = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchall()
    postmaster = int(said.split()[0])
    ticks = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text(encoding="utf-8").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        if int(status.parent.name) == postmaster:
            ticks += sum(map(int, fields[11:15]))  # its own, and those of its children that ended
        elif int(fields[1]) == postmaster:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


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
            "tests.support.emulators.massive",
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
