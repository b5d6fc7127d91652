"""What docs/reading-with.md says of DuckDB, Polars, pandas and the drivers of the lock file."""

import datetime as dt

import adbc_driver_postgresql.dbapi
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import psycopg
import pyarrow as pa
import pytest
from backtesting import Backtest, Strategy

EPOCH = dt.date(1970, 1, 1)


@pytest.fixture(scope="module")
def table():
    return pa.table(
        {
            "ordinal": pa.array([-14, -13, -1, 0, 12], pa.int32()),
            "window": pa.array([-2, -1, -1, 0, 0], pa.int32()),
            "close": [1.0, 2.0, float("nan"), 3.0, None],
        }
    )


def test_windows_before_1962_are_floored_in_python_and_not_in_sql(table, database):
    """A window is ordinal // interval, rounded down; SQL cuts towards zero."""
    window = table["window"].to_pylist()
    assert (table["ordinal"].to_numpy() // 13).tolist() == window
    assert pl.from_arrow(table).select(pl.col("ordinal") // 13)["ordinal"].to_list() == window
    assert (table.to_pandas()["ordinal"] // 13).tolist() == window
    cut = [(-1,), (-1,), (0,), (0,), (0,)]
    assert duckdb.sql('SELECT ordinal // 13 FROM "table"').fetchall() == cut
    assert duckdb.sql('SELECT floor(ordinal / 13)::int FROM "table"').fetchall() == [
        (each,) for each in window
    ]
    with database.transaction() as connection:
        rows = connection.execute(
            "SELECT n / 13, floor(n / 13.0)::int4 FROM unnest(ARRAY[-14, -13, -1, 0, 12]) AS n"
        )
        assert rows.fetchall() == [(was, now) for (was,), now in zip(cut, window, strict=True)]


def test_window_is_a_word_of_sql(table):
    assert len(table) == 5
    with pytest.raises(duckdb.ParserException):
        duckdb.sql('SELECT window FROM "table"')
    assert len(duckdb.sql('SELECT "window" FROM "table"').fetchall()) == 5


def test_the_largest_of_a_nan_is_a_nan_in_duckdb_alone(table):
    """Condvest's tables have nulls and no NaN; panel and frame have NaN."""
    assert np.isnan(duckdb.sql('SELECT max(close) FROM "table"').fetchall()[0][0])
    assert pl.from_arrow(table)["close"].max() == 3.0
    assert table.to_pandas()["close"].max() == 3.0
    assert np.isnan(pl.from_arrow(table)["close"].mean())
    assert table.to_pandas()["close"].mean() == 2.0


def test_an_infinite_date_ends_psycopg_and_is_a_day_of_the_past_to_adbc(url):
    """Why the views have NULL for an open end."""
    with psycopg.connect(url) as connection, pytest.raises(psycopg.DataError, match="infinity"):
        connection.execute("SELECT date 'infinity'").fetchone()
    with adbc_driver_postgresql.dbapi.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT date 'infinity' AS late, date '-infinity' AS early, date '2024-01-02' AS plain"
        )
        answer = cursor.fetch_arrow_table()
    late, early, plain = (answer[name].cast(pa.int32())[0].as_py() for name in ("late", "early", "plain"))
    assert plain == (dt.date(2024, 1, 2) - EPOCH).days
    assert late < plain
    assert late != early


@pytest.mark.filterwarnings(
    "ignore:DatetimeIndex.dayofweek is deprecated"
)  # backtesting.py 0.6.6 on pandas 3.1
def test_backtesting_py_fills_at_the_next_bars_open():
    days = pd.date_range("2024-01-02", periods=6, freq="B")
    frame = pd.DataFrame({"Open": [10.0, 11, 12, 13, 14, 15], "Volume": 1.0}, index=days)
    frame["Close"] = frame["Open"] + 0.5
    frame = frame.assign(High=frame["Close"], Low=frame["Open"])

    class Once(Strategy):
        def init(self):
            self.bought = False

        def next(self):
            if not self.bought:
                self.buy(size=1)
                self.bought = True

    stats = Backtest(frame, Once, cash=1000, finalize_trades=True).run()
    trade = stats["_trades"].iloc[0]
    assert (trade["EntryTime"], trade["EntryPrice"]) == (days[2], 12.0)
