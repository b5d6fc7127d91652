"""Time this checkout against an earlier one: ``python -m benchmarks.ratios EARLIER [SUITE...] [--rows N]``.

EARLIER is a checkout of an earlier commit in which ``make install`` has run. The suites of each checkout run
in turns, in processes of their own, so that a slow minute of the machine hits both. The fastest time of each
contender counts. Prints JSON lines: suite, contender, both times in seconds, and their ratio. The code of the
rivals is the same in both, so that their ratios show the noise of the machine.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parents[1]


def main():
    """Measure, and print a line per contender."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("earlier", type=Path, help="a checkout of an earlier commit, installed")
    parser.add_argument("suite", nargs="*", default=["core", "load", "read"], help="default: core load read")
    parser.add_argument("--rows", type=int, default=1_000_000, help="daily bars (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="per process (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="processes per checkout (default: %(default)s)")
    given = parser.parse_args()
    options = ("--rows", str(given.rows), "--repeats", str(given.repeats))
    for suite in given.suite:
        earlier, here = {}, {}
        for _ in range(given.rounds):
            for checkout, fastest in ((given.earlier.resolve(), earlier), (HERE, here)):
                for name, seconds in measured(checkout, suite, options):
                    fastest[name] = min(seconds, fastest.get(name, seconds))
        for name in sorted(earlier.keys() & here.keys()):
            line = {"suite": suite, "contender": name, "earlier": earlier[name], "here": here[name]}
            print(json.dumps(line | {"ratio": round(here[name] / earlier[name], 3)}), flush=True)


def measured(checkout, suite, options):
    """Run a suite of a checkout, and yield pairs of contender and its fastest time in seconds."""
    done = subprocess.run(
        [checkout / ".venv/bin/python", "-m", "benchmarks", suite, *options],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"{checkout}: python -m benchmarks {suite} failed:\n{done.stderr[-4000:]}")
    for line in done.stdout.splitlines():
        figure = json.loads(line)
        if "suite" in figure:
            yield figure["name"], figure["fastest"]


if __name__ == "__main__":
    main()
