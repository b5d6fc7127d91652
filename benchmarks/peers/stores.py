"""The peers' stores, made of what Condvest published, and how each reads bars of 13 and daily bars.

All hold the same raw bars, sorted as helps them, and adjust for splits when they read, as Condvest does. They
are spared: their splits lie in memory, and Polars and ArcticDB have a second copy by session.
"""

import importlib.util
import sys
from datetime import datetime

import duckdb
import numpy as np
import polars as pl
import psycopg

PRICES = ("open", "high", "low", "close", "vwap")
VALUES = (*PRICES, "volume", "trades")
BATCH = 500


class Market:
    """What the peers' stores are made of.

        Attributes:
            bars, daily: complete bars of 13 and daily bars, by symbol and session.
    splits: symbol, ex_date, and the price_factor and volume_factor of a bar that ends before it.
    """

    def __init__(self, files, folder):
        names = pl.read_parquet(files("symbols")).select("instrument_id", "symbol")
        read = {
            name: pl.read_parquet(files(name)).join(names, on="instrument_id")
            for name in ("bars_13", "daily_bars")
        }
        self.folder = folder
        self.bars = read["bars_13"].filter("is_complete").sort("symbol", "window")
        self.daily = read["daily_bars"].sort("symbol", "ordinal")
        splits = pl.read_parquet(files("splits")).join(names, on="instrument_id")
        self.splits = splits.select("symbol", "ex_date", "price_factor", "volume_factor").sort("ex_date")


class Sql:
    """psycopg on Condvest's own tables, one prepared statement; of this market one split an instrument."""

    PRICE = "CASE WHEN s.ex_date > l.session THEN s.split_from / s.split_to ELSE 1 END"
    VOLUME = "CASE WHEN s.ex_date > l.session THEN s.split_to / s.split_from ELSE 1 END"
    ADJUSTED = (
        f"b.open * {PRICE}, b.high * {PRICE}, b.low * {PRICE}, b.close * {PRICE}, b.vwap * {PRICE}, "
        f"b.volume * {VOLUME}, trades"
    )
    BARS = (
        f'SELECT symbol, b."window", {ADJUSTED} FROM symbols JOIN bars_13 AS b USING (instrument_id) '
        'JOIN sessions AS l ON l.ordinal = b."window" * 13 + 12 '
        "LEFT JOIN splits AS s USING (instrument_id) WHERE is_complete "
    )
    DAILY = (
        f"SELECT symbol, ordinal, {ADJUSTED} FROM symbols JOIN daily_bars AS b USING (instrument_id) "
        "JOIN sessions AS l USING (ordinal) LEFT JOIN splits AS s USING (instrument_id) "
        "WHERE ordinal = (SELECT ordinal FROM sessions WHERE session = %s) ORDER BY symbol"
    )

    def __init__(self, url):
        self.connection = psycopg.connect(url, prepare_threshold=0, autocommit=True)
        self.connection.execute("SET jit = off")

    def _rows(self, query, values=()):
        return self.connection.execute(query, values, binary=True).fetchall()

    def symbol(self, name):
        return self._rows(self.BARS + 'AND symbol = %s ORDER BY b."window"', (name,))

    def session(self, date):
        return self._rows(self.DAILY, (date,))

    def market(self):
        return self._rows(self.BARS + 'ORDER BY symbol, b."window"')


class Duck:
    """DuckDB's own file, sorted by symbol, splits by ASOF JOIN."""

    ADJUSTED = (
        "SELECT b.symbol, b.{key}, "
        + ", ".join(f"b.{name} * coalesce(s.price_factor, 1) AS {name}" for name in PRICES)
        + ", b.volume * coalesce(s.volume_factor, 1) AS volume, trades FROM {table} AS b "
        "ASOF LEFT JOIN splits AS s ON b.symbol = s.symbol AND b.{end} < s.ex_date "
        "WHERE {which} ORDER BY b.symbol, b.{key}"
    )

    def __init__(self, market):
        self.connection = duckdb.connect(str(market.folder / "market.duckdb"))
        for name, table in (("bars_13", market.bars), ("daily", market.daily), ("splits", market.splits)):
            self.connection.register("given", table)
            self.connection.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
            self.connection.unregister("given")
        self.connection.execute("CHECKPOINT")

    def _rows(self, table, key, end, which, values=()):
        query = self.ADJUSTED.format(table=table, key=key, end=end, which=which)
        return self.connection.execute(query, values).to_arrow_table()

    def symbol(self, name):
        return self._rows("bars_13", '"window"', "last_session", "b.symbol = ?", (name,))

    def session(self, date):
        return self._rows("daily", "ordinal", "session", "session = ?", (date,))

    def market(self):
        return self._rows("bars_13", '"window"', "last_session", "true")


class Polars:
    """Polars on Parquet: bars by symbol, daily bars by session, splits by join_asof."""

    def __init__(self, market):
        self.splits = market.splits.lazy()
        self.bars, self.daily = market.folder / "bars_13.parquet", market.folder / "daily.parquet"
        market.bars.write_parquet(self.bars, compression="zstd", row_group_size=65_536)
        market.daily.sort("ordinal", "symbol").write_parquet(
            self.daily, compression="zstd", row_group_size=65_536
        )

    def _adjusted(self, scan, end, key):
        joined = scan.sort(end).join_asof(
            self.splits, left_on=end, right_on="ex_date", by="symbol", strategy="forward",
            allow_exact_matches=False, check_sortedness=False,
        )  # fmt: skip
        return (
            joined.with_columns(
                *(pl.col(name) * pl.col("price_factor").fill_null(1.0) for name in PRICES),
                pl.col("volume") * pl.col("volume_factor").fill_null(1.0),
            )
            .select("symbol", key, *VALUES)
            .sort("symbol", key)
            .collect()
        )

    def symbol(self, name):
        return self._adjusted(
            pl.scan_parquet(self.bars).filter(pl.col("symbol") == name), "last_session", "window"
        )

    def session(self, date):
        return self._adjusted(
            pl.scan_parquet(self.daily).filter(pl.col("session") == date), "session", "ordinal"
        )

    def market(self):
        return self._adjusted(pl.scan_parquet(self.bars), "last_session", "window")


class ArcticDb:
    """ArcticDB on LMDB: a symbol an instrument for its history, one wide one for sessions and the market."""

    def __init__(self, folder, splits):
        """Open what is in a folder; nothing is there before `filled`."""
        from arcticdb import Arctic  # noqa: PLC0415  # not everybody has it

        by_symbol = splits.partition_by("symbol", as_dict=True)
        self.splits = {key[0]: part.sort("ex_date") for key, part in by_symbol.items()}
        self.adjusting = splits.with_columns(pl.col("ex_date").cast(pl.Datetime("ns"))).lazy()
        store = Arctic(f"lmdb://{folder}/arctic?map_size=20GB")
        self.each, self.wide, self.daily = (
            store.get_library(name, create_if_missing=True) for name in ("each", "wide", "daily")
        )

    def filled(self, market):
        """Store a market; return the same."""
        from arcticdb import WritePayload  # noqa: PLC0415  # not everybody has it

        bars = _indexed(market.bars, "last_session")
        parts = [
            WritePayload(key[0], part.drop("symbol").to_pandas().set_index("at"))
            for key, part in bars.partition_by("symbol", as_dict=True).items()
        ]
        for first in range(0, len(parts), BATCH):
            self.each.write_batch(parts[first : first + BATCH])
        self.wide.write("market", bars.sort("at", "symbol").to_pandas().set_index("at"))
        self.daily.write(
            "market", _indexed(market.daily, "session").sort("at", "symbol").to_pandas().set_index("at")
        )
        return self

    def symbol(self, name):
        frame = self.each.read(name).data
        splits = self.splits.get(name)
        if splits is None:
            return frame
        place = np.searchsorted(
            splits["ex_date"].to_numpy().astype("M8[ns]"), frame.index.to_numpy(), side="right"
        )
        prices, volume = (
            np.append(splits[column].to_numpy(), 1.0)[place] for column in ("price_factor", "volume_factor")
        )
        return frame.assign(
            **{price: frame[price] * prices for price in PRICES}, volume=frame["volume"] * volume
        )

    def session(self, date):
        day = datetime.combine(date, datetime.min.time())
        return self._adjusted(self.daily.read("market", date_range=(day, day)).data, "ordinal")

    def market(self):
        return self._adjusted(self.wide.read("market").data, "window")

    def _adjusted(self, frame, key):
        """Adjust and sort in Polars, which takes a quarter of what pandas does."""
        rows = pl.from_pandas(frame.reset_index()).lazy()
        joined = rows.with_columns(pl.col("at").cast(pl.Datetime("ns"))).join_asof(
            self.adjusting, left_on="at", right_on="ex_date", by="symbol", strategy="forward",
            allow_exact_matches=False, check_sortedness=False,
        )  # fmt: skip
        return (
            joined.with_columns(
                *(pl.col(name) * pl.col("price_factor").fill_null(1.0) for name in PRICES),
                pl.col("volume") * pl.col("volume_factor").fill_null(1.0),
            )
            .sort("symbol", key)
            .collect()
        )


def _indexed(table, end):
    keys = [name for name in ("window", "ordinal") if name in table.columns]
    wanted = table.select("symbol", *keys, *VALUES, end)
    return wanted.with_columns(pl.col(end).cast(pl.Datetime("ns")).alias("at")).drop(end)


def is_arctic_here():
    """Return whether ArcticDB is installed; if not, say so."""
    if importlib.util.find_spec("arcticdb") is not None:
        return True
    print('arcticdb is not installed, so it is left out: pip install arcticdb "pandas<3"', file=sys.stderr)
    return False


def arctic(market):
    """Return ArcticDB's contender by name; none where it is not installed."""
    return {"ArcticDB": ArcticDb(market.folder, market.splits).filled(market)} if is_arctic_here() else {}


def arctic_store(folder):
    """Return an empty library of ArcticDB's on LMDB; None where it is not installed."""
    if not is_arctic_here():
        return None
    from arcticdb import Arctic  # noqa: PLC0415  # not everybody has it

    return Arctic(f"lmdb://{folder}/arctic?map_size=20GB").create_library("fold")


def sums(answer):
    """Return the number of rows and the sum of each column of values, whatever kind of table it is."""
    if isinstance(answer, list):
        columns = dict(zip(VALUES, zip(*(row[2:] for row in answer), strict=True), strict=True))
    else:
        columns = {name: np.asarray(answer[name]) for name in VALUES}
    return [
        len(columns["close"]),
        *(float(np.sum(np.asarray(columns[name], dtype=np.float64))) for name in VALUES),
    ]
