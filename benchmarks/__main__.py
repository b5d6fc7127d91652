"""Run the benchmarks: ``python -m benchmarks [SUITE...] [--quick] [--rows N] [--repeats N] [--write]``.

JSON lines go to stdout, first the machine, then each figure as it comes; a table goes to stderr at the end,
and with --write into docs/performance.md.
Nothing is asserted about speed, but a contender whose answer differs is an error.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.report import Figure, Options, show
from benchmarks.table import write

SUITES = {
    "alerts": "a tick of 100 alert rules over 12,500 instruments, beside a loop over symbols and the limit",
    "core": "the six intervals folded from daily bars in memory",
    "wire": "12,500 rows of a session, from bytes on the wire to rows ready to load",
    "load": "sessions of 12,500 instruments loaded from the bytes of their answers",
    "night": "one session more, from its answer to the stored bars of all intervals",
    "rebuild": "all bars of the six intervals in PostgreSQL from the daily bars in PostgreSQL",
    "growth": "how load and rebuild grow with what is stored, up to --rows",
    "cold_import": "what a cold start of the loader imports, as shipped; needs a first build of a minute",
    "backfill": "sessions of 12,500 instruments from the emulated vendor, and the share of each step",
    "imports": "a file of daily bars of new symbols into a new store, CSV.GZ and Parquet",
    "upkeep": "gaps, flags and list of a whole market's instruments",
    "page": "the page in a browser: bytes, first candle and interaction at 6,000 bars, beside Bokeh",
    "publish": "publishing again with nothing new, and with a session more, beside a check of everything",
    "read": "a symbol's history, a session's cross-section, a whole market: PostgreSQL and published",
    "year": "what the stored bars take after a year of nights, beside the same rows dense",
    "archive": "a session's answer as the archive keeps it: bytes a row and seconds, beside gzip",
    "peers.reads": "a symbol, a session and a market beside ArcticDB, DuckDB, Polars and plain SQL",
    "peers.widths": "symbols at random by 1 to 8 threads and processes at once, beside ArcticDB",
    "peers.rebuild": "all bars from stored daily bars, stored again, beside ArcticDB, DuckDB and Polars",
    "commands": "commands from start to end, the server up, beside the import of their libraries",
    "serving_load": "over HTTP under load, beside ROAPI, datasette, FastAPI, Flight and nginx; needs wrk",
    "live": "the session under way: a burst read, joined and stored; a day; a restart; reading it",
    "deliver": "events at 1,000 a minute, from their commits to a webhook, beside the limit",
    "serving": "one symbol over HTTP: asked again, not modified, another each time",
}
"""Module of this package to what it measures; each has ``run(options)``, which yields figures."""

QUICK = ("archive", "core", "wire", "load", "night", "imports", "publish", "upkeep", "peers.reads")
"""What two minutes are enough for."""

COMPARED = ("core", "load", "night", "rebuild")
"""Suites that earlier commits have, too."""


def main():
    given, options, suites = parse(sys.argv[1:])
    machine = describe()
    print(json.dumps({"machine": machine}), flush=True)
    figures = []
    for name in suites:
        began = time.perf_counter()
        for figure in importlib.import_module(f"benchmarks.{name}").run(options):
            print(json.dumps({"suite": name, **asdict(figure)}), flush=True)
            figures.append((name, figure))
        if given.earlier is not None and name in COMPARED:
            figure = earlier(given.earlier, name, options, figures)
            print(json.dumps({"suite": name, **asdict(figure)}), flush=True)
            figures.append((name, figure))
        print(f"{name}: {time.perf_counter() - began:.1f} s in all", file=sys.stderr, flush=True)
    show(machine, figures)
    if given.write:
        write(machine, figures, " ".join(["python -m benchmarks", *sys.argv[1:]]), options.rows)


def earlier(checkout, suite, options, figures):
    """Measure a suite of an earlier checkout, with this interpreter; return its figure, named ``earlier``."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks",
            suite,
            "--rows",
            str(options.rows),
            "--repeats",
            str(options.repeats),
        ],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    theirs = next(line for line in lines if line.get("suite") == suite and line["name"] == "condvest")
    ours = next(figure for name, figure in figures if name == suite and figure.name == "condvest")
    known = {name: theirs[name] for name in ("rows", "seconds", "fastest", "slowest", "peak_mib")}
    return Figure(name="earlier", ratio=round(theirs["seconds"] / ours.seconds, 3), **known)


def parse(arguments):
    """Return the options and the names of the suites asked for."""
    listed = "\n".join(f"  {name}: {what}" for name, what in SUITES.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Measure against rivals and floors, side by side.\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suite", nargs="*", default=[], help="which to run (default: all)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="daily bars (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="measurements of each (default: %(default)s)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="two minutes: fewer suites, 100,000 rows, three measurements of each",
    )
    parser.add_argument("--write", action="store_true", help="write the table of docs/performance.md")
    parser.add_argument("--earlier", type=Path, help=f"a checkout to compare with: {', '.join(COMPARED)}")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.suite) - set(SUITES))
    if unknown:
        parser.error(f"no suite {', '.join(unknown)}; there are: {', '.join(SUITES)}")
    if given.rows < 1 or given.repeats < 1:
        parser.error("--rows and --repeats are at least 1")
    if given.quick:
        return given, Options(rows=100_000, repeats=3), given.suite or list(QUICK)
    return given, Options(rows=given.rows, repeats=given.repeats), given.suite or list(SUITES)


main()
