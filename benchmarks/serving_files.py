"""What the suite ``serving_load`` serves and sends: rivals' files and servers, and requests at a rate."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.serving_rivals import INTERVAL
from condvest.serving_layer.sources.published import PublishedSource

_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 256; }}
http {{ access_log off; sendfile on; client_body_temp_path {folder}; proxy_temp_path {folder};
fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
server {{ listen 127.0.0.1:{port}; root {folder}/published; }} }}
"""


PROCESSES = {}
"""Address of a server to the id of its process."""


def processor_seconds(url):
    """Return the processor seconds that a server and its children have taken; None but on Linux."""
    parts = urlsplit(url)
    own = PROCESSES.get(f"{parts.scheme}://{parts.netloc}")
    if sys.platform != "linux" or own is None:
        return None
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")
        except OSError:  # it has ended
            continue
        fields = rest.split()
        if own in (int(stat.parent.name), int(fields[1])):
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def write(target, folder):
    """Write the complete bars of an interval under their symbols, as rivals read them: Parquet and SQLite."""
    source = PublishedSource.open(target)
    bars = pq.ParquetDataset(source.files(f"bars_{INTERVAL}")).read()
    bars = bars.filter(bars["is_complete"]).sort_by([("instrument_id", "ascending"), ("window", "ascending")])
    names = source.names()
    symbols = pa.array([names[each] for each in bars["instrument_id"].to_pylist()], pa.string())
    bars = bars.add_column(0, "symbol", pc.cast(symbols, pa.string())).drop_columns("instrument_id")
    pq.write_table(bars, folder / "bars.parquet")
    with sqlite3.connect(folder / "bars.db") as connection:
        columns = ", ".join(f'"{name}"' for name in bars.column_names)
        connection.execute(f"CREATE TABLE bars ({columns})")
        marks = ", ".join("?" * bars.num_columns)
        rows = zip(*(pc.cast(column, pa.string()).to_pylist() if pa.types.is_date(column.type)
                     else column.to_pylist() for column in bars.columns), strict=True)  # fmt: skip
        connection.executemany(f"INSERT INTO bars VALUES ({marks})", rows)
        connection.execute('CREATE INDEX by_symbol ON bars (symbol, "window")')


def servers(folder, url):
    """Yield the name of each server that there is, and a context that gives its address."""
    file = max((folder / "published" / "daily_bars").iterdir(), key=lambda path: path.stat().st_size)
    files = {"flight": str(folder / "bars.parquet"), "sendfile": str(file)}
    for name in ("condvest", "starlette", "pandas", "flight", "sendfile"):
        given = files.get(name, url)
        more = [str(folder / "published")] if name == "condvest" else []
        command = [sys.executable, "-m", "benchmarks.serving_rivals", name, given, *more]
        yield name, _started(command, "grpc" if name == "flight" else "http")
    if shutil.which("roapi"):
        port = _free_port()
        command = ["roapi", "-a", f"127.0.0.1:{port}", "-t", f"bars={folder}/bars.parquet"]
        yield "roapi", _listening(command, port)
    if shutil.which("datasette"):
        port = _free_port()
        limits = ("--setting", "max_returned_rows", "5000")
        yield (
            "datasette",
            _listening(["datasette", "serve", folder / "bars.db", "-p", str(port), *limits], port),
        )
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx:
        port = _free_port()
        (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port))
        folder.chmod(0o755)  # its workers are another account's
        yield "nginx", _listening([nginx, "-c", folder / "nginx.conf", "-p", folder], port)


@contextmanager
def _started(command, scheme):
    """Run a server that prints its port."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            address = f"{scheme}://127.0.0.1:{int(process.stdout.readline())}"
            PROCESSES[address] = process.pid
            yield address
        finally:
            process.terminate()


@contextmanager
def _listening(command, port):
    """Run a server that listens on a port."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                try:
                    httpx.get(f"http://127.0.0.1:{port}/", timeout=10)
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            PROCESSES[f"http://127.0.0.1:{port}"] = process.pid
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def at_rate(address, path, rate, count):
    """Send requests at even intervals, and return the seconds from when each was due, ascending."""
    given = [address, path, str(rate), str(count)]
    command = [sys.executable, "-m", "benchmarks.serving_rate", *given]
    return sorted(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
