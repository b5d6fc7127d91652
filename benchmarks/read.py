"""Reading: one symbol's history, one session's cross-section, the whole market at one interval.

From PostgreSQL and from the published data set, beside ``pandas.read_sql``, ADBC and plain Polars.
``polars, the same table`` joins symbols and splits to the same files, and sorts, so that its answer is
Condvest's; ``polars, the same columns`` neither sorts nor adjusts; ``polars, the files`` only reads them,
unsorted, under ids, open bars included: the floor.
Ratios are to Condvest's own figure with which each group begins. All but ``cold`` are warm.
"""

import datetime as dt
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import psycopg
from adbc_driver_postgresql import dbapi
from psycopg.conninfo import make_conninfo

import condvest
from benchmarks import stored
from benchmarks.core import FIRST_ORDINAL, SESSIONS, market
from benchmarks.machine import peak_memory
from benchmarks.report import Figure, figures, in_turns
from condvest.batch_layer.database.embedded.server import EmbeddedServer
from condvest.batch_layer.database.postgres.revisioned import SPLITS
from condvest.batch_layer.operations.workspace import open_workspace
from condvest.batch_layer.processing.publishing.publish import publish
from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.models.corporate_actions import SplitEvents
from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.queries.bars.bars_table import read_bars, read_bars_from
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.sources.published import PublishedSource

INTERVAL = 13
UNSTORED = 10
SPLIT_SHARE = 0.2
"""How many of the instruments have a split."""


def run(options):
    """Yield the figures of each group."""
    with tempfile.TemporaryDirectory(prefix="condvest-bench-") as folder:
        place = DirectoryTarget(Path(folder) / "published")
        settings = Settings(home=Path(folder))
        with open_workspace(settings, now=stored.NOW) as workspace:
            fill(workspace, options)
            yield from published(workspace, place)
            asked = Asked(workspace, place)
            for name, work in groups(asked).items():
                yield from measured(name, work, options)
        yield cold(settings, asked.symbol, options)


def fill(workspace, options):
    """Store a market with some splits, and fold it."""
    sessions = workspace.extended_sessions()
    stored.store(workspace.database, market(options.rows, options.seed))
    rng = np.random.default_rng(options.seed)
    with workspace.database.transaction() as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM instruments").fetchall()
        split = np.flatnonzero(rng.random(count) < SPLIT_SHARE).astype(np.int32) + np.int32(1)
        at = rng.integers(FIRST_ORDINAL + 1, FIRST_ORDINAL + SESSIONS, len(split)).astype(np.int32)
        ones = np.ones(len(split))
        SPLITS.insert(connection, SplitEvents(split, sessions.dates_of(at), ones, 2 * ones), 1)
    resample(workspace.database, sessions, full=True)
    with workspace.database.transaction() as connection:
        connection.execute("ANALYZE")


class Asked:
    """What is asked, and of whom."""

    def __init__(self, workspace, place):
        self.workspace = workspace
        self.url = make_conninfo(**workspace.database.url.parameters)
        self.place = place
        self.symbol = "S1"
        last = FIRST_ORDINAL + SESSIONS - 1
        self.date = workspace.sessions.session(last - SESSIONS // 3)
        self.last_window = (last + 1) // INTERVAL - 1
        self.last_end = workspace.sessions.session((self.last_window + 1) * INTERVAL - 1)

    def database(self, **asked):
        question = Question(**asked)
        return lambda: read_bars(self.workspace.database, self.workspace.sessions, question)

    def files(self, **asked):
        question = Question(**asked)
        return lambda: read_bars_from(PublishedSource.open(self.place), question)

    def pandas(self, query):
        connection = psycopg.connect(self.url)

        def work():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # pandas would rather be given SQLAlchemy
                return pd.read_sql(query, connection)

        return work

    def adbc(self, query):
        connection = dbapi.connect(self.url)

        def work():
            with connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetch_arrow_table()

        return work

    def tuples(self, query):
        connection = psycopg.connect(self.url, autocommit=True)
        return lambda: connection.execute(query, binary=True).fetchall()

    def rivals(self, query):
        rivals = {"pandas.read_sql": self.pandas(query), "ADBC": self.adbc(query)}
        return rivals | {"plain SQL, tuples": self.tuples(query)}

    def paths(self, dataset):
        return PublishedSource.open(self.place).files(dataset)


def groups(asked):
    """Return what each group compares; Condvest's own figure first."""
    columns = 'symbol, b."window", open, high, low, close, volume, vwap, trades, sessions, is_complete'
    of_symbols = "JOIN symbols USING (instrument_id)"
    bars = f"SELECT {columns} FROM bars_{INTERVAL} AS b {of_symbols}"
    daily = (
        f"SELECT symbol, ordinal, open, high, low, close, volume, vwap, trades FROM daily_bars {of_symbols} "
        f"WHERE symbol = '{asked.symbol}' ORDER BY ordinal"
    )
    ordered = f'{bars} WHERE is_complete ORDER BY symbol, b."window"'
    ordinal = asked.workspace.sessions.ordinal(asked.date)
    return {
        "symbol": {
            "condvest, PostgreSQL": asked.database(symbols=[asked.symbol], interval=INTERVAL),
            "condvest, published": asked.files(symbols=[asked.symbol], interval=INTERVAL),
            **asked.rivals(f"{bars} WHERE symbol = '{asked.symbol}' AND is_complete ORDER BY b.\"window\""),
        },
        "symbol, daily bars": {
            "condvest, PostgreSQL": asked.database(symbols=[asked.symbol], interval=1),
            "condvest, published": asked.files(symbols=[asked.symbol], interval=1),
            **asked.rivals(daily),
        },
        "session": {
            "condvest, PostgreSQL": asked.database(interval=1, start=asked.date, end=asked.date),
            "condvest, published": asked.files(interval=1, start=asked.date, end=asked.date),
            **asked.rivals(
                f"SELECT symbol, open, high, low, close, volume, vwap, trades FROM daily_bars {of_symbols} "
                f"WHERE ordinal = {ordinal} ORDER BY symbol"
            ),
        },
        "last bar of all": {
            "condvest, PostgreSQL": asked.database(interval=INTERVAL, start=asked.last_end),
            **asked.rivals(
                f'{bars} JOIN instruments USING (instrument_id) WHERE b."interval" = {INTERVAL} '
                f'AND b."window" = {asked.last_window} AND is_complete ORDER BY symbol'
            ),
        },
        "market, not stored": {"condvest, published": asked.files(interval=UNSTORED)},
        "market": {
            "condvest, published": asked.files(interval=INTERVAL),
            "condvest, published, as traded": asked.files(interval=INTERVAL, adjust="none"),
            "polars, the files": lambda: pl.read_parquet(asked.paths(f"bars_{INTERVAL}")),
            "polars, the same columns": lambda: same_columns(asked).collect(),
            "polars, the same table": same_table(asked),
            "condvest, PostgreSQL": asked.database(interval=INTERVAL),
            **asked.rivals(ordered),
        },
    }


def same_columns(asked):
    """Return the complete bars with their symbols, as the files have them."""
    bars, instruments = (pl.scan_parquet(asked.paths(name)) for name in (f"bars_{INTERVAL}", "instruments"))
    names = instruments.select("instrument_id", "symbol")
    return bars.filter("is_complete").join(names, on="instrument_id")


def same_table(asked):
    """Return what makes of the files in Polars what Condvest makes of them."""

    def work():
        prices = ("open", "high", "low", "close", "vwap")
        return (
            same_columns(asked)
            .sort("last_session")
            .join_asof(
                pl.scan_parquet(asked.paths("splits")).drop("split_from", "split_to").sort("ex_date"),
                left_on="last_session",
                right_on="ex_date",
                by="instrument_id",
                strategy="forward",
                allow_exact_matches=False,
                check_sortedness=False,
            )
            .with_columns(
                *(pl.col(name) * pl.col("price_factor").fill_null(1.0) for name in prices),
                pl.col("volume") * pl.col("volume_factor").fill_null(1.0),
            )
            .drop("instrument_id", "ex_date", "price_factor", "volume_factor")
            .sort("symbol", "window")
            .collect()
        )

    return work


def measured(group, work, options):
    """Check that all answer the same; yield a figure a contender."""
    answers, peaks = {}, {}
    for name, ask in work.items():
        answers[name], peaks[name] = peak_memory(ask)
    ours = next(iter(work))
    agree(group, answers, ours)
    for figure in figures(in_turns(work, options.repeats), peaks, len(answers[ours]), ours):
        yield Figure(**vars(figure) | {"name": f"{group}: {figure.name}"})


def agree(group, answers, ours):
    """Check that the numbers of rows agree, and that Polars' own table is Condvest's."""
    for name, answer in answers.items():
        if name == "polars, the files":
            continue
        assert len(answer) == len(answers[ours]), (group, name, len(answer), len(answers[ours]))
    same = answers.get("polars, the same table")
    if same is not None:
        table = pl.from_arrow(answers[ours])
        for column in ("symbol", "window", "open", "close", "volume", "trades", "last_session"):
            assert table[column].equals(same[column]), (group, column)


def published(workspace, place):
    """Yield what publishing costs: at first, with nothing changed, and with one session changed."""
    first = timed("publish: everything", workspace, place)
    yield first
    yield timed("publish: nothing changed", workspace, place, first)
    last = FIRST_ORDINAL + SESSIONS - 1
    with workspace.database.transaction() as connection:
        connection.execute("UPDATE daily_bars SET volume = volume + 1 WHERE ordinal = %s", (last,))
    yield timed("publish: one session changed", workspace, place, first)


def timed(name, workspace, place, first=None):
    start = dt.datetime.now(dt.UTC)
    summary, peak = peak_memory(lambda: publish(workspace.database, workspace.sessions, place, workspace.now))
    seconds = (dt.datetime.now(dt.UTC) - start).total_seconds()
    ratio = seconds / first.seconds if first else 1.0
    rows = summary.written_rows
    return Figure(name, rows, round(seconds, 3), round(seconds, 3), round(seconds, 3), round(ratio, 3), peak)


def cold(settings, symbol, options):
    """Return the figure of one symbol's history from a server that has just been started."""
    seconds = []
    for _ in range(options.repeats):
        with EmbeddedServer(settings.home).lease():
            start = dt.datetime.now(dt.UTC)
            table = condvest.bars(symbol, INTERVAL, settings=settings)
            seconds.append((dt.datetime.now(dt.UTC) - start).total_seconds())
    name = "symbol: condvest, PostgreSQL, cold"
    return next(
        Figure(**vars(figure) | {"name": name, "rows": len(table)})
        for figure in figures({name: seconds}, {}, len(table), name)
    )
