"""Serving over HTTP under load: seconds per 300 requests that `wrk` sends over 16 connections.

``the same`` asks for one symbol's bars of 13 sessions again and again; ``not modified`` too, with the tag of
its answer; ``another`` asks Condvest another question each time, and rivals for another symbol; ``range``
asks for a MiB of a published file (``sendfile``: the limit of a server in Python); ``market`` reads one
interval of all symbols as Arrow, again in the same version, as Flight does whose table lies ready in memory;
``market first`` asks for it from another date on each time, all before its first bar, so that nothing is kept
and every answer is the same; both contenders return the table, five in a row, and seconds are told of each.
``half load`` sends half as many requests as ``the same`` took (at most MOST_A_SECOND), at even intervals, and
tells the seconds from when each was due: the median and the 99th percentile of a round, of which the median
round is told; the same requests to bare Starlette show what of it is the machine's and the client's. Of each
group but those of a market the server's processor seconds are told, too, without the database's: other work
disturbs them least. Rivals that are not installed (nginx, roapi, datasette) are left out, and said so.
"""

import datetime as dt
import http.client
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from operator import truediv
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pyarrow as pa
import pyarrow.flight
import pyarrow.ipc

import condvest
from benchmarks import serving_files, stored
from benchmarks.read import fill
from benchmarks.report import Figure, figures
from benchmarks.serving import url_of
from benchmarks.serving_rivals import INTERVAL
from condvest.batch_layer.operations.workspace import open_workspace
from condvest.batch_layer.processing.publishing.publish import publish
from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings

CONNECTIONS, SECONDS, REQUESTS = 16, 2, 300
MOST_A_SECOND = 1_000
MARKETS = 5
"""How often a round asks for a market."""
PATHS = {
    "condvest": f"/v1/bars?symbol=%s&interval={INTERVAL}",
    "starlette": "/v1/bars?symbol=%s",
    "pandas": "/v1/bars?symbol=%s",
    "roapi": "/api/tables/bars?filter%%5Bsymbol%%5D='%s'",
    "datasette": "/bars/bars.json?symbol=%s&_shape=objects&_size=max&_sort=window",
    "nginx": "",
}
READING = ("condvest", "pandas", "roapi", "datasette")
TAGGED = ("condvest", "starlette")


def run(options):
    """Yield the figures of each group."""
    if shutil.which("wrk") is None:
        sys.exit("serving_load needs wrk: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="condvest-bench-") as made, ExitStack() as stack:
        folder = Path(made)
        place = DirectoryTarget(folder / "published")
        workspace = stack.enter_context(open_workspace(Settings(home=folder), now=stored.NOW))
        fill(workspace, options)
        resample(workspace.database, workspace.sessions)
        publish(workspace.database, workspace.sessions, place, stored.NOW)
        serving_files.write(place, folder)
        url = url_of(workspace.database.url.parameters)
        settings = Settings(home=folder, published_at=place.name, database=DatabaseSettings(url=url))
        servers = {name: stack.enter_context(server) for name, server in serving_files.servers(folder, url)}
        for name in sorted({*PATHS, "flight", "sendfile"} - set(servers)):
            print(f"serving_load: {name} is not installed and left out", file=sys.stderr)
        compare(
            {name: servers[name] for name in servers if name in PATHS and name not in ("starlette", "nginx")}
        )
        with workspace.database.transaction() as connection:
            ((symbols,),) = connection.execute("SELECT count(*) FROM symbols").fetchall()
        compare_markets(servers["condvest"], settings)
        for group, works in groups(servers, settings, symbols, folder).items():
            measured = {name: [] for name in works}
            for _ in range(options.repeats):
                for name, work in works.items():
                    measured[name].append(work())
            for at, what in enumerate((group, f"{group}, processor")):
                seconds = {f"{what}: {name}": [each[at] for each in took] for name, took in measured.items()}
                if all(each is not None for took in seconds.values() for each in took):
                    yield from figures(seconds, {}, options.rows, f"{what}: condvest")
        yield from half_load(servers, options)


def compare(servers):
    """Insist on the same windows and trades of one symbol from all that read them."""
    wanted = None
    for name, address in servers.items():
        answer = httpx.get(address + PATHS[name] % "S1", timeout=60)
        content = answer.json()
        rows = content["rows"] if isinstance(content, dict) else content
        told = [(row["window"], row["trades"]) for row in rows]
        wanted = wanted or told
        assert told == wanted, name


def compare_markets(address, settings):
    """Insist on the same market over HTTP as in process, to the bit."""
    date = next(DATES)
    own = condvest.bars(interval=INTERVAL, start=date, settings=settings)
    assert over_http(address, date)().replace_schema_metadata(None).equals(own.replace_schema_metadata(None))


def groups(servers, settings, symbols, folder):
    """Return {group: {contender: measure}}."""
    web = [name for name in PATHS if name in servers and name != "nginx"]
    tags = {name: httpx.get(servers[name] + PATHS[name] % "S1").headers["etag"] for name in TAGGED}
    file = max((folder / "published" / "daily_bars").iterdir(), key=lambda path: path.stat().st_size)
    of_file = {"condvest": f"/v1/datasets/daily_bars/{file.name}", "nginx": f"/daily_bars/{file.name}"}
    of_file["sendfile"] = "/"
    part = f"bytes=0-{min(1 << 20, file.stat().st_size) - 1}"

    def loaded(name, path, headers=(), script=None):
        return lambda: wrk(servers[name] + path, headers, script)

    def another(name):
        script = folder / f"{name}.lua"
        path = (PATHS[name] % "SYMBOL").replace("%", "%%").replace("SYMBOL", "S%d")
        path += "&last=%d" if name == "condvest" else ""  # or a small market would be kept
        script.write_text(  # no round asks what one before it has asked
            f"n = os.time() % 1000000 * 1000000\nrequest = function() n = n + 7919\n"
            f'return wrk.format(nil, string.format("{path}", n % {symbols} + 1, n)) end\n'
        )
        return loaded(name, "/", (), script)

    of_market = {"condvest": lambda: timed(over_http(servers["condvest"]))}
    if "flight" in servers:
        of_market["flight"] = lambda: timed(over_flight(servers["flight"]))
    first = {
        "condvest": lambda: each_of([over_http(servers["condvest"], next(DATES)) for _ in range(MARKETS)]),
        "in process": lambda: each_of([in_process(next(DATES), settings) for _ in range(MARKETS)]),
    }
    return {
        "the same": {name: loaded(name, PATHS[name] % "S1") for name in web},
        "not modified": {
            name: loaded(name, PATHS[name] % "S1", [f"If-None-Match: {tag}"]) for name, tag in tags.items()
        },
        "another": {name: another(name) for name in web if name != "starlette"},
        "range": {
            name: loaded(name, path, [f"Range: {part}"]) for name, path in of_file.items() if name in servers
        },
        "market": of_market,
        "market first": first,
    }


def wrk(url, headers, script):
    """Return the seconds that so many requests take, and the server's processor seconds of as many."""
    options = [option for header in headers for option in ("-H", header)]
    options += ["-s", str(script)] if script else []
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", *options, url]
    before = serving_files.processor_seconds(url)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said, said
    after, count = serving_files.processor_seconds(url), int(re.search(r"(\d+) requests in", said)[1])
    own = None if before is None else (after - before) / count * REQUESTS
    return REQUESTS / float(re.search(r"Requests/sec: +([\d.]+)", said)[1]), own


def timed(work):
    start = time.perf_counter()
    assert len(work()) > 0
    return time.perf_counter() - start, None


def each_of(works):
    """Return the seconds that each takes."""
    took = [timed(work)[0] for work in works]
    return sum(took) / len(took), None


def in_process(date, settings):
    """Return what reads a market from a date on in this process."""
    return lambda: condvest.bars(interval=INTERVAL, start=date, settings=settings)


DATES = (dt.date(1962, 1, 2) + dt.timedelta(number) for number in range(10_000))
"""Before every bar; none comes twice."""


def over_http(address, date=None):
    """Return what reads a market, from a date on, over a connection that is open already."""
    parts = urlsplit(address)
    path = f"/v1/bars?interval={INTERVAL}&format=arrow" + (f"&start={date}" if date else "")
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)
    connection.connect()

    def read():
        connection.request("GET", path)
        content = connection.getresponse().read()
        connection.close()
        return pa.ipc.open_stream(content).read_all()

    return read


def over_flight(address):
    """Return the same of Flight."""
    client = pa.flight.connect(address)
    client.wait_for_available()

    def read():
        table = client.do_get(pa.flight.Ticket(b"bars")).read_all()
        client.close()
        return table

    return read


def half_load(servers, options):
    """Yield the median and the 99th percentile of the seconds from when a request was due."""
    own = servers["condvest"] + PATHS["condvest"] % "S1"
    for _ in range(2):  # the second time at the rate that the machine has then
        rate = min(REQUESTS / wrk(own, (), None)[0] / 2, MOST_A_SECOND)
    rounds = {name: [] for name in ("condvest", "starlette")}
    for _ in range(options.repeats):
        for name, measured in rounds.items():
            took = serving_files.at_rate(servers[name], PATHS[name] % "S1", rate, 2_000)
            measured.append((took[len(took) // 2], took[len(took) * 99 // 100]))
    for name, measured in rounds.items():
        medians, late = zip(*measured, strict=True)
        for what, seconds in (("median", medians), ("p99", late)):
            yield Figure(
                name=f"half load: {what}: {name}",
                rows=options.rows,
                seconds=round(statistics.median(seconds), 6),
                fastest=round(min(seconds), 6),
                slowest=round(max(seconds), 6),
                ratio=round(statistics.median(map(truediv, seconds, medians)), 3),
                peak_mib=None,
            )
