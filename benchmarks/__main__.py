"""Run the benchmarks: ``python -m benchmarks [SUITE...] [--quick] [--rows N] [--repeats N]``.

JSON lines go to stdout, first the machine, then each figure as it comes; a table goes to stderr at the end.
Nothing is asserted about speed, but a contender whose answer differs is an error.
"""

import argparse
import importlib
import json
import sys
from dataclasses import asdict

from benchmarks.machine import describe
from benchmarks.report import Options, show

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
    "serving": "one symbol over HTTP: asked again, not modified, another each time",
}
"""Module of this package to what it measures; each has ``run(options)``, which yields figures."""


def main():
    options, suites = parse(sys.argv[1:])
    machine = describe()
    print(json.dumps({"machine": machine}), flush=True)
    figures = []
    for name in suites:
        for figure in importlib.import_module(f"benchmarks.{name}").run(options):
            print(json.dumps({"suite": name, **asdict(figure)}), flush=True)
            figures.append((name, figure))
    show(machine, figures)


def parse(arguments):
    """Return the options and the names of the suites asked for."""
    listed = "\n".join(f"  {name}: {what}" for name, what in SUITES.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Measure against rivals and floors, side by side.\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suite", nargs="*", default=list(SUITES), help="which to run (default: all)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="daily bars (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="measurements of each (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="100,000 rows, three measurements of each")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.suite) - set(SUITES))
    if unknown:
        parser.error(f"no suite {', '.join(unknown)}; there are: {', '.join(SUITES)}")
    if given.rows < 1 or given.repeats < 1:
        parser.error("--rows and --repeats are at least 1")
    if given.quick:
        return Options(rows=100_000, repeats=3), given.suite
    return Options(rows=given.rows, repeats=given.repeats), given.suite


main()
