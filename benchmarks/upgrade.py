"""Check this checkout against an earlier one: ``python -m benchmarks.upgrade EARLIER [--rows N]``.

EARLIER is a checkout of an earlier commit in which ``make install`` has run::

    git worktree add --detach /tmp/earlier COMMIT && make -C /tmp/earlier install
    .venv/bin/python -m benchmarks.upgrade /tmp/earlier

The command line of each checkout makes a home from the same input: the sample, and files of a generated
market of N daily bars with splits and dividends. Then every stored row must be the same to the bit, and this
checkout's program must carry on with the home, the archive and the published files of the earlier one. Prints
a line per check; the first one that fails ends it with exit code 1.
"""

import argparse
import csv
import datetime as dt
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.csv as pa_csv

from tests.support.exchange import independent_calendar

HERE = Path(__file__).parents[1]
INSTRUMENTS = 1_000
LAST_SESSION = dt.date(2024, 5, 31)

# Rows in an order of their own, by symbol where numbers could differ; floats are compared bit by bit.
_BY_SYMBOL = "(SELECT instrument_id, min(symbol) AS symbol FROM symbols GROUP BY 1) AS named"
STORED = {
    "daily bars": (
        "SELECT symbol, ordinal, open, high, low, close, volume, vwap, trades FROM daily_bars "
        f"JOIN {_BY_SYMBOL} USING (instrument_id) ORDER BY 1, 2"
    ),
    "bars": (
        'SELECT symbol, "interval", "window", open, high, low, close, volume, vwap, trades, sessions '
        f"FROM bars JOIN {_BY_SYMBOL} USING (instrument_id) ORDER BY 1, 2, 3"
    ),
    "splits": (
        "SELECT symbol, ex_date, split_from, split_to FROM splits "
        f"JOIN {_BY_SYMBOL} USING (instrument_id) ORDER BY 1, 2"
    ),
    "dividends": (
        "SELECT symbol, ex_date, cash_amount FROM dividends "
        f"JOIN {_BY_SYMBOL} USING (instrument_id) ORDER BY 1, 2"
    ),
    "ledger": (
        "SELECT provider, ordinal, status FROM ledger JOIN providers USING (provider_id) ORDER BY 1, 2"
    ),
}
"""Query by what it asks for; its answer as PostgreSQL's binary COPY is what is compared.

Not so ``is_complete``, which means something else since migration 8: see docs/why.md.
"""

READS = (
    ("--interval", "1", "--adjust", "none"),
    ("--interval", "13", "--adjust", "splits"),
    ("--interval", "34", "--adjust", "total"),
    ("--interval", "7", "--adjust", "splits"),
    ("--interval", "5", "--anchor", "listing"),
)
"""Options of ``condvest bars`` whose answers are compared, all columns but ``is_complete`` byte for byte."""


class Home:
    """A home, and the program of one checkout that works in it."""

    def __init__(self, path, checkout):
        self.path = path
        self._program = checkout / ".venv/bin/condvest"

    def run(self, *arguments):
        """Run the program and return its standard output; a code other than 0 and 3 is an error."""
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("CONDVEST_", "PG"))
        }
        done = subprocess.run(
            [self._program, *map(str, arguments)],
            env=clean | {"CONDVEST_HOME": str(self.path)},
            cwd=self.path.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 3):
            sys.exit(
                f"condvest {' '.join(map(str, arguments))} failed with {done.returncode}:\n{done.stderr}"
            )
        return done.stdout

    @contextmanager
    def up(self):
        """Keep the embedded server up, and yield its URL."""
        self.run("db", "up")
        try:
            yield self.run("db", "url").strip()
        finally:
            self.run("db", "down", "--now")

    def stored(self):
        """Return {table: (rows, SHA-256 of the rows in binary)} of `STORED`."""
        with self.up() as url, psycopg.connect(url) as connection:
            return {what: _digest(connection, query) for what, query in STORED.items()}

    def answers(self, *source):
        """Return what ``condvest bars`` prints for each of `READS`."""
        symbols = ("IBM", "AAPL", "S0003", "S0017")
        how = ("--include-open", "--format", "csv", *source)
        return [_without_completeness(self.run("bars", *symbols, *options, *how)) for options in READS]


def _without_completeness(answer):
    rows = list(csv.reader(io.StringIO(answer)))
    at = rows[0].index("is_complete")
    return [row[:at] + row[at + 1 :] for row in rows]


def _digest(connection, query):
    digest = hashlib.sha256()
    with connection.cursor().copy(f"COPY ({query}) TO STDOUT (FORMAT binary)") as copy:
        for block in copy:
            digest.update(block)
    ((rows,),) = connection.execute(f"SELECT count(*) FROM ({query}) AS asked").fetchall()
    return rows, digest.hexdigest()


def main():
    """Make both homes, compare them, and carry on with the earlier one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("earlier", type=Path, help="a checkout of an earlier commit, installed")
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help="generated daily bars (default: %(default)s)"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="condvest-upgrade-", dir=os.environ.get("TMPDIR")) as folder:
        check(given.earlier.resolve(), Path(folder), given.rows)


def check(earlier, folder, rows):
    """Run every check; the last session is kept back from the first loads, to go on with."""
    generated = generate(folder / "market", rows)
    homes = [Home(folder / "before", earlier), Home(folder / "after", HERE)]
    for home in homes:
        home.run("run", "--provider", "sample")
        home.run("import", *generated["bars"][:-1], "--splits", generated["splits"])
        home.run("import", *generated["bars"][:1], "--dividends", generated["dividends"])
        home.run("publish", "--to", home.path.with_suffix(".published"))
    before, after = homes
    same("stored rows", before.stored(), after.stored())
    expected = before.answers()
    same("answers of the database", expected, after.answers())
    published = before.path.with_suffix(".published")
    same(
        "answers of each other's published files",
        [*before.answers("--source", "published", "--from", after.path.with_suffix(".published"))],
        [*after.answers("--source", "published", "--from", published)],
    )
    same(
        "answers of database and published files",
        expected,
        after.answers("--source", "published", "--from", published),
    )

    opened = Home(before.path, HERE)
    opened.run("db", "migrate")
    same("the earlier home, opened", after.stored(), opened.stored())
    opened.run("verify")
    passed("verify finds the earlier home sound")
    for home in (opened, after):
        home.run("import", generated["bars"][-1])
        home.run("run", "--provider", "sample")
    same("the earlier home after another session", after.stored(), opened.stored())
    same("its answers", after.answers(), opened.answers())
    opened.run("publish", "--to", published)
    same(
        "its published files", opened.answers(), opened.answers("--source", "published", "--from", published)
    )
    opened.run("verify")
    passed("verify finds it sound")

    rebuilt = Home(folder / "rebuilt", HERE)
    shutil.copytree(before.path / "archive", rebuilt.path / "archive")
    rebuilt.run("rebuild", "--from-archive")
    same("the earlier archive, rebuilt", opened.stored(), rebuilt.stored())


def generate(folder, rows):
    """Write daily bars session by session, in files of about 250,000 rows and one of the last session.

    Prices have four decimals and volumes thirds; one bar in twenty is missing, as are some vwap and trades.
    Splits and dividends have ex-dates anywhere. The same ``rows`` give the same files.
    """
    folder.mkdir()
    chance = np.random.default_rng(20240531)
    count = -(-rows // INSTRUMENTS)
    calendar = independent_calendar(LAST_SESSION - dt.timedelta(days=count * 2 + 30), LAST_SESSION)
    sessions = np.array(calendar.sessions.date[-count:])
    files = []
    per_file = 250
    starts = [*range(0, count - 1, per_file), count - 1]
    for first, end in zip(starts, [*starts[1:], count], strict=True):
        path = folder / f"bars-{first:05d}.csv"
        pa_csv.write_csv(_bars(chance, sessions[first:end]), path)
        files.append(path)
    return {
        "bars": files,
        "splits": _actions(folder / "splits.csv", chance, sessions, "split_from,split_to", _ratio),
        "dividends": _actions(folder / "dividends.csv", chance, sessions, "cash_amount", _cash),
    }


def _bars(chance, sessions):
    symbols = np.array([f"S{number:04d}" for number in range(INSTRUMENTS)])
    count = len(sessions) * INSTRUMENTS
    corners = np.sort(np.round(chance.uniform(1, 500, (count, 3)), 4), axis=1)
    between = np.round(np.clip(chance.uniform(1, 500, count), corners[:, 0], corners[:, 2]), 4)
    volume = chance.integers(0, 10**6, count) + chance.choice([0.0, 0.1, 1 / 3], count)
    kept = chance.random(count) < 0.95
    table = pa.table(
        {
            "symbol": np.tile(symbols, len(sessions)),
            "session": pa.array(np.repeat(sessions, INSTRUMENTS)),
            "open": between,
            "high": corners[:, 2],
            "low": corners[:, 0],
            "close": corners[:, 1],
            "volume": volume,
            "vwap": pa.array(corners[:, 1], mask=chance.random(count) < 0.1),
            "trades": pa.array(chance.integers(1, 10**4, count), mask=chance.random(count) < 0.05),
        }
    )
    return table.filter(pa.array(kept))


def _actions(path, chance, sessions, columns, values):
    keys = {
        (f"S{chance.integers(INSTRUMENTS):04d}", str(sessions[chance.integers(len(sessions) - 1)]))
        for _ in range(INSTRUMENTS)
    }
    lines = [f"{symbol},{ex_date},{values(chance)}" for symbol, ex_date in sorted(keys)]
    path.write_text("\n".join([f"symbol,ex_date,{columns}", *lines]) + "\n")
    return path


def _ratio(chance):
    return ("1,2", "2,3", "10,1", "7,3")[chance.integers(4)]


def _cash(chance):
    return f"{chance.uniform(0.01, 0.9):.4f}"


def same(what, expected, found):
    """Say that both are the same, or end the program."""
    if expected != found:
        sys.exit(f"{what}: DIFFERENT\nexpected {str(expected)[:2000]}\nfound    {str(found)[:2000]}")
    detail = {name: f"{rows:,} rows" for name, (rows, _) in found.items()} if isinstance(found, dict) else ""
    passed(f"{what}: the same {json.dumps(detail) if detail else ''}".strip())


def passed(what):
    """Print one check that passed."""
    print(what, flush=True)


if __name__ == "__main__":
    main()
