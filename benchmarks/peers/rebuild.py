"""All bars of six intervals from stored daily bars, stored again, beside DuckDB, Polars and ArcticDB.

Each has the daily bars in its own store and stores the bars there: DuckDB in keyed tables, Polars in Parquet,
ArcticDB folded by Polars, for its own resample knows clock time alone. All sums of columns must be the same.
"""

import tempfile
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from benchmarks import core, stored
from benchmarks.machine import peak_memory
from benchmarks.peers.stores import arctic_store
from benchmarks.report import figures, in_turns
from condvest.batch_layer.processing.first_build import FEWEST
from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.settings import INTERVALS

OURS = "condvest"
SUMS = ("open", "high", "low", "close", "volume", "vwap", "trades", "sessions")
DUCK = """
INSERT INTO bars_{n} SELECT instrument_id, ordinal // {n}, arg_min(open, ordinal), max(high), min(low),
  arg_max(close, ordinal), sum(volume), sum(vwap * volume) / sum(volume), sum(trades)::BIGINT, count(*)
FROM daily GROUP BY ALL ORDER BY 1, 2
"""


def run(options):
    """Yield a figure a contender."""
    rows = max(options.rows, FEWEST)  # with fewer, Condvest stores window by window
    daily = core.market(rows, options.seed)
    with tempfile.TemporaryDirectory(prefix="condvest-bench-") as folder, stored.workspace() as opened:
        table = pl.DataFrame(dict(vars(daily)))
        stored.store(opened.database, daily)
        contenders = {
            OURS: Condvest(opened),
            "DuckDB, keyed": Duck(table, Path(folder)),
            "Polars, Parquet": Polars(table, Path(folder)),
        }
        library = arctic_store(Path(folder))
        if library is not None:
            contenders["ArcticDB, folded by Polars"] = Arctic(table, library)
        del daily, table
        peaks, expected = {}, None
        for name, contender in contenders.items():
            contender.empty()
            _, peaks[name] = peak_memory(contender.fold)
            answer = contender.sums()
            expected = answer if expected is None else expected
            np.testing.assert_allclose(answer, expected, rtol=1e-9, err_msg=name)

        def emptied():
            for contender in contenders.values():
                contender.empty()

        work = {name: contender.fold for name, contender in contenders.items()}
        yield from figures(
            in_turns(work, min(options.repeats, 3), prepare=emptied), peaks, options.rows, OURS
        )


class Condvest:
    def __init__(self, opened):
        self.opened = opened

    def empty(self):
        with self.opened.database.transaction() as connection:
            connection.execute("TRUNCATE bars")

    def fold(self):
        resample(self.opened.database, self.opened.sessions, full=True)

    def sums(self):
        names = ", ".join(f"sum({name})::float8" for name in SUMS)
        with self.opened.database.transaction(read_only=True) as connection:
            return [
                connection.execute(f"SELECT count(*)::float8, {names} FROM bars_{n}").fetchone()
                for n in INTERVALS
            ]


class Duck:
    def __init__(self, table, folder):
        self.connection = duckdb.connect(str(folder / "fold.duckdb"))
        self.connection.register("given", table)
        self.connection.execute("CREATE TABLE daily AS SELECT * FROM given")
        self.connection.unregister("given")

    def empty(self):
        for n in INTERVALS:
            self.connection.execute(f"DROP TABLE IF EXISTS bars_{n}")
            self.connection.execute(
                f'CREATE TABLE bars_{n} (instrument_id INTEGER, "window" INTEGER, open DOUBLE, high DOUBLE, '
                "low DOUBLE, close DOUBLE, volume DOUBLE, vwap DOUBLE, trades BIGINT, sessions SMALLINT, "
                'PRIMARY KEY (instrument_id, "window"))'
            )
        self.connection.execute("CHECKPOINT")

    def fold(self):
        for n in INTERVALS:
            self.connection.execute(DUCK.format(n=n))
        self.connection.execute("CHECKPOINT")

    def sums(self):
        names = ", ".join(f"sum({name})::double" for name in SUMS)
        return [
            self.connection.execute(f"SELECT count(*)::double, {names} FROM bars_{n}").fetchone()
            for n in INTERVALS
        ]


def folded(daily, n):
    """Return a lazy frame of the bars of an interval, of daily bars in order."""
    return (
        daily.group_by("instrument_id", (pl.col("ordinal") // n).alias("window"))
        .agg(
            pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(),
            pl.col("volume").sum(), (pl.col("vwap") * pl.col("volume")).sum().alias("turnover"),
            pl.col("trades").sum(), pl.len().alias("sessions"),
        )
        .with_columns((pl.col("turnover") / pl.col("volume")).alias("vwap"))
        .drop("turnover")
        .sort("instrument_id", "window")
    )  # fmt: skip


class Polars:
    def __init__(self, table, folder):
        self.folder = folder
        table.write_parquet(folder / "daily.parquet", compression="zstd")

    def empty(self):
        for n in INTERVALS:
            (self.folder / f"bars_{n}.parquet").unlink(missing_ok=True)

    def fold(self):
        daily = pl.read_parquet(self.folder / "daily.parquet").lazy()
        for n in INTERVALS:
            folded(daily, n).collect().write_parquet(self.folder / f"bars_{n}.parquet", compression="zstd")

    def sums(self):
        return [_sums(pl.read_parquet(self.folder / f"bars_{n}.parquet")) for n in INTERVALS]


class Arctic:
    def __init__(self, table, library):
        self.library = library
        library.write("daily", table.to_pandas())

    def empty(self):
        for n in INTERVALS:
            self.library.delete(f"bars_{n}")

    def fold(self):
        daily = pl.from_pandas(self.library.read("daily").data).lazy()
        for n in INTERVALS:
            self.library.write(
                f"bars_{n}", folded(daily, n).collect().to_pandas(), prune_previous_versions=True
            )

    def sums(self):
        return [_sums(pl.from_pandas(self.library.read(f"bars_{n}").data)) for n in INTERVALS]


def _sums(bars):
    return [float(len(bars)), *(float(bars[name].sum()) for name in SUMS)]
