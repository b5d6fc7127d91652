"""A file of daily bars of new symbols, as CSV.GZ and as Parquet, into a new store.

Beside it DuckDB, which reads the same file into a table with a primary key; it judges nothing, keeps no
archive, and takes every row for what it says. Both must hold the same closes at the end. The floors are what
no import can do without: unpacking and parsing the file by pyarrow alone, and COPY of its rows, ready in
memory, into a table that is divided and keyed as the daily bars are.
"""

import datetime as dt
import gzip
import math
import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from benchmarks import core, stored
from benchmarks.load import copy, make_floor, timed
from benchmarks.machine import peak_memory
from benchmarks.report import figures
from condvest.batch_layer.shared.clients.files import read_payload

COLUMNS = ("open", "high", "low", "close", "volume", "vwap", "trades")
KEYED = (
    "CREATE TABLE daily (symbol VARCHAR, date DATE, open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE, "
    "volume DOUBLE, vwap DOUBLE, trades BIGINT, PRIMARY KEY (symbol, date))"
)


def run(options):
    """Yield a figure a contender and format."""
    with tempfile.TemporaryDirectory(prefix="condvest-bench-") as folder, stored.workspace() as opened:
        daily = core.market(options.rows, options.seed)
        for path in written(Path(folder), daily, opened.sessions):
            kind = path.name.removeprefix("bars.")
            ours, theirs = f"condvest {kind}", f"duckdb {kind}"
            parsing, copying = f"floor {kind}: parse", f"floor {kind}: COPY"
            seconds, peak = {ours: [], theirs: [], parsing: [], copying: []}, 0
            for _ in range(options.repeats):
                spent, grown, close = imported(path)
                seconds[ours].append(spent)
                peak = max(peak, grown or 0)
                with duckdb.connect(str(Path(folder) / "daily.duckdb")) as store:
                    seconds[theirs].append(timed(copied, store, path))
                    [(other,)] = store.execute("SELECT sum(close) FROM daily").fetchall()
                    store.execute("DROP TABLE daily")
                seconds[parsing].append(timed(parsed, path))
                # A server of its own for each would take longer than what is measured.
                make_floor(opened.database)
                seconds[copying].append(timed(copy, opened.database, [daily]))
                with opened.database.transaction() as connection:
                    connection.execute("DROP TABLE floor")
                if not math.isclose(close, other, rel_tol=1e-9):
                    raise AssertionError(f"the closes are {close} here and {other} in DuckDB")
            yield from figures(seconds, {ours: peak}, options.rows, ours)


def written(folder, daily, sessions):
    """Write the files, by symbol and session as vendors of histories do; return their paths."""
    dates = sessions.dates_of(daily.ordinal)
    columns = {"symbol": [f"S{one}" for one in daily.instrument_id.tolist()], "date": dates}
    table = pa.table(columns | {name: getattr(daily, name) for name in COLUMNS})
    pq.write_table(table, folder / "bars.parquet")
    with gzip.open(folder / "bars.csv.gz", "wb", compresslevel=6) as file:
        pa_csv.write_csv(table, file)
    return [folder / "bars.csv.gz", folder / "bars.parquet"]


def imported(path):
    """Return the seconds that loading a file into a new store takes, the peak memory, and all closes' sum."""
    with stored.workspace() as opened:
        loader, now = opened.loader(opened.sessions), dt.datetime.now(dt.UTC)

        def load():
            loader.load(read_payload(path, provider="file", dataset="daily_bars", now=now))

        seconds, peak = peak_memory(lambda: timed(load))
        with opened.database.transaction(read_only=True) as connection:
            [(close,)] = connection.execute("SELECT sum(close) FROM daily_bars").fetchall()
    return seconds, peak, close


def parsed(path):
    """Unpack a file and parse its columns."""
    if path.suffix == ".parquet":
        return pq.read_table(path)
    with pa.input_stream(str(path), compression="gzip") as stream:
        return pa_csv.read_csv(stream)


def copied(store, path):
    """Read a file into a keyed table of DuckDB, down to the disk."""
    store.execute(KEYED)
    store.execute(f"INSERT INTO daily SELECT * FROM '{path}'")
    store.execute("CHECKPOINT")
