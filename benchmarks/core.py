"""The resampling core against pandas, Polars, DuckDB, and one copy of the input in memory.

All fold the same daily bars, held in memory in the form each likes best, into bars of the six intervals,
and must agree before they are timed. The rivals are spared the order of the result and ``is_complete``.
"""

from dataclasses import fields

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from benchmarks.machine import peak_memory, touch_memory
from benchmarks.report import figures, in_turns
from condvest.batch_layer.shared.core.folding import fold_all
from condvest.batch_layer.shared.models.bars import DailyBars
from condvest.batch_layer.shared.models.corporate_actions import Splits
from condvest.batch_layer.shared.models.coverage import NOTHING_LOADED, Coverage
from condvest.batch_layer.shared.settings import INTERVALS

OURS = "condvest"
FIRST_ORDINAL = 13_000
SESSIONS = 2_217
"""Of each instrument: 6,000 of them make 13.3 million daily bars."""


def run(options):
    """Yield a figure a contender."""
    daily = market(options.rows, options.seed)
    work = {OURS: condvest(daily), "pandas": pandas(daily), "polars": polars(daily), "duckdb": duck(daily)}
    peaks = agree(work)
    work["copy of the input"] = lambda: [getattr(daily, field.name).copy() for field in fields(daily)]
    most = max(peak or 0 for peak in peaks.values())
    seconds = in_turns(work, options.repeats, prepare=lambda: touch_memory(most))
    yield from figures(seconds, peaks, len(daily), OURS)


def market(rows, seed):
    """Return daily bars of a market: random walks in cents, whole volumes, one session in 100 missing."""
    rng = np.random.default_rng(seed)
    position = np.flatnonzero(rng.random(int(rows / 0.98) + 1000) > 0.01)[:rows]
    instrument, session = np.divmod(position, SESSIONS)
    steps = rng.normal(0, 0.01, rows)
    close = np.round(50 * np.exp(steps.cumsum() % 2), 2)
    open_ = np.round(close * (1 + rng.normal(0, 0.005, rows)), 2)
    high = np.round(np.maximum(open_, close) * (1 + rng.random(rows) * 0.01), 2)
    low = np.round(np.minimum(open_, close) * (1 - rng.random(rows) * 0.01), 2)
    return DailyBars(
        instrument_id=instrument.astype(np.int32),
        ordinal=(session + FIRST_ORDINAL).astype(np.int32),
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=rng.integers(1, 10_000_000, rows).astype(np.float64),
        vwap=(high + low + close) / 3,
        trades=rng.integers(1, 50_000, rows),
    )


def condvest(daily):
    ids = np.unique(daily.instrument_id)
    through = np.full(64, NOTHING_LOADED, dtype=np.int32)
    through[0] = FIRST_ORDINAL + SESSIONS - 1
    loaded = np.ones(SESSIONS, dtype=np.int64)
    coverage = Coverage(ids, np.ones(len(ids), dtype=np.int64), FIRST_ORDINAL, loaded, through)
    none = np.array([], dtype=np.int32)
    splits = Splits(none, none, none.astype(np.float64), none.astype(np.float64))
    return lambda: fold_all(daily, INTERVALS, splits=splits, coverage=coverage)


def pandas(daily):
    frame = pd.DataFrame({field.name: getattr(daily, field.name) for field in fields(daily)})

    def fold():
        with_turnover = frame.assign(turnover=frame["vwap"] * frame["volume"])
        bars = {}
        for n in INTERVALS:
            keys = [with_turnover["instrument_id"], (with_turnover["ordinal"] // n).rename("window")]
            bars[n] = with_turnover.groupby(keys, sort=False).agg(
                open=("open", "first"),
                high=("high", "max"),
                low=("low", "min"),
                close=("close", "last"),
                volume=("volume", "sum"),
                turnover=("turnover", "sum"),
                trades=("trades", "sum"),
                sessions=("open", "size"),
            )
            bars[n]["vwap"] = bars[n].pop("turnover") / bars[n]["volume"]
        return {n: of_interval.reset_index() for n, of_interval in bars.items()}

    return fold


def polars(daily):
    frame = pl.DataFrame({field.name: getattr(daily, field.name) for field in fields(daily)}).lazy()

    def query(n):
        # The rows come in order, so the first and the last of a group need no sorting.
        return (
            frame.group_by("instrument_id", (pl.col("ordinal") // n).alias("window"))
            .agg(
                pl.col("open").first(),
                pl.col("high").max(),
                pl.col("low").min(),
                pl.col("close").last(),
                pl.col("volume").sum(),
                (pl.col("vwap") * pl.col("volume")).sum().alias("turnover"),
                pl.col("trades").sum(),
                pl.len().alias("sessions"),
            )
            .with_columns((pl.col("turnover") / pl.col("volume")).alias("vwap"))
            .drop("turnover")
        )

    queries = [query(n) for n in INTERVALS]
    return lambda: dict(zip(INTERVALS, pl.collect_all(queries), strict=True))


def duck(daily):
    connection = duckdb.connect()
    given = pa.table({field.name: getattr(daily, field.name) for field in fields(daily)})
    connection.register("given", given)
    connection.execute("CREATE TABLE daily AS SELECT * FROM given")
    connection.unregister("given")
    sql = """
        SELECT instrument_id, ordinal // {n} AS "window",
               arg_min(open, ordinal) AS open, max(high) AS high, min(low) AS low,
               arg_max(close, ordinal) AS close, sum(volume) AS volume,
               sum(vwap * volume) / sum(volume) AS vwap, sum(trades)::BIGINT AS trades,
               count(*) AS sessions
        FROM daily GROUP BY ALL
    """
    return lambda: {n: connection.sql(sql.format(n=n)).to_arrow_table() for n in INTERVALS}


def agree(work):
    """Check that all answer the same; return the peak memory of each in MiB."""
    expected, peaks = None, {}
    for name, fold in work.items():
        bars, peaks[name] = peak_memory(fold)
        answer = {n: columns(of_interval) for n, of_interval in bars.items()}
        expected = expected or answer
        for n in INTERVALS:
            for column, values in answer[n].items():
                # Means differ in the last bits with the order of their sums; all else is exact.
                np.testing.assert_allclose(
                    values,
                    expected[n][column],
                    rtol=1e-12 if column == "vwap" else 0,
                    err_msg=f"{name} {n} {column}",
                )
    return peaks


def columns(bars):
    """Return the columns that all contenders give, ordered by instrument and window."""
    names = (
        "instrument_id",
        "window",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "vwap",
        "trades",
        "sessions",
    )
    if hasattr(bars, "column_names"):
        bars = bars.to_pandas()
    got = {
        name: np.asarray(bars[name] if hasattr(bars, "columns") else getattr(bars, name)) for name in names
    }
    order = np.lexsort((got["window"], got["instrument_id"]))
    return {name: values[order] for name, values in got.items()}
