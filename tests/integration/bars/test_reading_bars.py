"""Reading bars by the Python interface: the columns, the bounds, and what each argument does."""

import datetime as dt
import math
import threading
from dataclasses import replace

import polars as pl
import psycopg
import pyarrow as pa
import pytest

import condvest
from condvest import pool
from condvest.batch_layer.shared.errors import SchemaTooOld, UnknownSymbol, UsageError
from condvest.batch_layer.shared.settings import INTERVALS, DatabaseSettings, Settings
from condvest.serving_layer.queries.bars.bars_table import read_bars
from condvest.serving_layer.queries.bars.question import Question
from tests.support.naive.database import folded, rows_of
from tests.support.payloads import bar, split

COLUMNS = {
    "symbol": pa.string(),
    "interval": pa.int16(),
    "window": pa.int32(),
    "first_session": pa.date32(),
    "last_session": pa.date32(),
    "open": pa.float64(),
    "high": pa.float64(),
    "low": pa.float64(),
    "close": pa.float64(),
    "volume": pa.float64(),
    "vwap": pa.float64(),
    "trades": pa.int64(),
    "sessions": pa.int16(),
    "is_complete": pa.bool_(),
}


@pytest.fixture
def bars(sample):
    """``condvest.bars`` on the sample."""
    return lambda *asked, **more: condvest.bars(*asked, settings=sample.workspace.settings, **more)


@pytest.fixture
def own(world):
    """``condvest.bars`` on the test's own market."""
    return lambda *asked, **more: condvest.bars(*asked, settings=world.workspace.settings, **more)


def of(table, *names):
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


class TestTable:
    def test_columns_and_types_are_as_documented(self, bars):
        table = bars("FB", 5)
        assert dict(zip(table.schema.names, table.schema.types, strict=True)) == COLUMNS

    def test_an_answer_without_bars_has_the_same_columns(self, bars):
        table = bars("FB", end="2012-05-17", interval=1)
        assert len(table) == 0
        assert dict(zip(table.schema.names, table.schema.types, strict=True)) == COLUMNS

    def test_it_ascends_by_symbol_and_window(self, bars):
        table = bars(interval=34, include_open=True)
        keys = of(table, "symbol", "window")
        assert keys == sorted(keys)
        assert len(keys) == len(set(keys)) > 350
        assert set(table["symbol"].to_pylist()) == {"AAPL", "FB", "GOOG", "IBM", "MSFT"}

    def test_symbols_may_be_one_several_or_repeated(self, bars):
        one, two = bars("FB", 21), bars(["IBM", "FB", "IBM"], 21)
        assert one.equals(bars(["FB"], 21))
        assert two.filter(pa.compute.equal(two["symbol"], "FB")).equals(one)
        assert set(two["symbol"].to_pylist()) == {"FB", "IBM"}
        assert two["symbol"].to_pylist() == sorted(two["symbol"].to_pylist())

    def test_no_symbols_are_no_bars(self, bars):
        assert len(bars([], 21)) == 0

    def test_pandas_and_polars_take_it(self, bars):
        table = bars("AAPL", 13)
        frame, polar = table.to_pandas(), pl.from_arrow(table)
        assert list(frame.columns) == polar.columns == list(COLUMNS)
        assert frame["close"].tolist() == polar["close"].to_list() == table["close"].to_pylist()
        assert polar["last_session"].to_list() == table["last_session"].to_pylist()
        assert frame["vwap"].isna().all()
        assert polar["vwap"].is_null().all()

    def test_the_unknown_is_null(self, world, own):
        """vwap and trades of B are unknown in one session, so in its window; A has both."""
        known = {"open": 2, "high": 3, "low": 1, "close": 2, "volume": 10, "vwap": 2, "trades": 7}
        rows = [bar("A", world.date(at), **known) for at in range(3)]
        others = [{**row, "symbol": "B"} for row in rows]
        others[1] |= {"vwap": None, "trades": None}
        world.bars([*rows, *others])
        world.resample()
        table = own(interval=3)
        assert of(table, "symbol", "vwap", "trades") == [("A", 2.0, 21), ("B", None, None)]
        assert not any(math.isnan(value) for value in table["vwap"].drop_null().to_pylist())


class TestBounds:
    """Both select on ``last_session``, and both are inclusive."""

    def test_start_and_end_are_inclusive(self, bars):
        everything = of(bars("IBM", 8), "first_session", "last_session")
        (_, begin), (_, end) = everything[10], everything[12]
        for start, stop in ((begin, end), (begin.isoformat(), end.isoformat())):
            assert of(bars("IBM", 8, start, stop), "first_session", "last_session") == everything[10:13]

    def test_a_day_off_either_way_leaves_the_outer_bars_out(self, bars):
        everything = of(bars("IBM", 8), "last_session")
        day = dt.timedelta(1)
        start, stop = everything[10][0] + day, everything[12][0] - day
        assert of(bars("IBM", 8, start, stop), "last_session") == everything[11:12]

    def test_a_window_that_begins_before_start_is_in_if_it_ends_in_time(self, bars):
        first, last = of(bars("IBM", 34), "first_session", "last_session")[5]
        assert of(bars("IBM", 34, last, last), "first_session") == [(first,)]

    @pytest.mark.parametrize("interval", [1, 4, 13])
    def test_bounds_need_be_no_sessions_nor_lie_within_the_calendar(self, bars, interval):
        """New Year's Day, a Sunday, and the ends of time."""
        everything = bars("MSFT", interval)
        assert bars("MSFT", interval, dt.date(1800, 1, 1), dt.date(2300, 1, 1)).equals(everything)
        some = bars("MSFT", interval, "2005-01-01", "2005-12-25")
        inside = [
            last
            for (last,) in of(everything, "last_session")
            if dt.date(2005, 1, 1) <= last <= dt.date(2005, 12, 25)
        ]
        assert [last for (last,) in of(some, "last_session")] == inside

    def test_they_select_the_same_bars_whatever_the_anchor(self, bars):
        everything = of(bars("FB", 5, anchor="listing"), "last_session")
        some = bars("FB", 5, everything[3][0], everything[6][0], anchor="listing")
        assert of(some, "last_session") == everything[3:7]


class TestOpenBars:
    def test_they_are_left_out_unless_asked_for(self, bars):
        """The sample's first session, 2000-03-01, begins no window of 34; its last, 2013-03-01, ends none."""
        closed, both = bars("IBM", 34), bars("IBM", 34, include_open=True)
        assert both.slice(1, len(closed)).equals(closed)
        assert closed["is_complete"].to_pylist() == [True] * len(closed)
        assert both["is_complete"].to_pylist() == [False, *[True] * len(closed), False]
        assert both["first_session"].to_pylist()[0] < dt.date(2000, 3, 1)
        assert both["last_session"].to_pylist()[-1] > dt.date(2013, 3, 1)

    def test_a_partial_session_leaves_its_bar_open(self, world, own):
        """An answer without rows: session 5 was asked for and is not complete, so window 1 of 3 is open."""
        world.bars([bar("A", world.date(at)) for at in range(5)], provider="massive", whole=(0, 5))
        world.resample()
        assert of(own("A", 3, include_open=True), "window", "is_complete") == [(0, True), (1, False)]
        assert of(own("A", 3), "window") == [(0,)]


class TestFolding:
    @pytest.mark.parametrize("interval", [1, 2, 7, 34, 100])
    @pytest.mark.parametrize("anchor", ["calendar", "listing"])
    def test_any_interval_and_anchor_equals_the_naive_model(self, sample, bars, interval, anchor):
        """GOOG and FB were listed within the sample, so that their anchors differ."""
        prices = ("open", "high", "low", "close", "volume", "vwap", "trades")
        daily = rows_of(
            sample.looking,
            f"SELECT instrument_id, ordinal, {', '.join(prices)} FROM daily_bars JOIN symbols USING "
            "(instrument_id) WHERE symbol IN ('GOOG', 'FB') ORDER BY instrument_id, ordinal",
            ("instrument_id", "ordinal", *prices),
        )
        ids = sorted({row["instrument_id"] for row in daily})
        end = sample.sessions.ordinal(dt.date(2013, 3, 1))
        complete = {(one, ordinal) for one in ids for ordinal in range(end + 1)}
        found = {}
        for one in ids:
            rows = [row for row in daily if row["instrument_id"] == one]
            first = rows[0]["ordinal"] if anchor == "listing" else 0
            shifted = [{**row, "ordinal": row["ordinal"] - first} for row in rows]
            done = {(one, ordinal - first) for _, ordinal in complete}
            found[one] = folded(shifted, interval, [], done, dict.fromkeys(ids, end - first))
        names = ("window", *prices, "sessions", "is_complete")
        for one in ids:
            symbol = sample.ask("SELECT symbol FROM symbols WHERE instrument_id = %s", one)[0][0]
            table = bars(symbol, interval, anchor=anchor, include_open=True, adjust="none")
            assert of(table, *names) == [tuple(row[name] for name in names) for row in found[one]]

    @pytest.mark.parametrize("interval", INTERVALS)
    def test_a_stored_bar_is_what_folding_gives(self, bars, interval):
        """Bars of one session, put together here, are those that are stored."""
        daily = bars("FB", 1, adjust="none").to_pylist()
        for stored in bars("FB", interval, adjust="none").to_pylist():
            inside = [
                row
                for row in daily
                if stored["first_session"] <= row["last_session"] <= stored["last_session"]
            ]
            assert len(inside) == stored["sessions"]
            assert stored["open"] == inside[0]["open"]
            assert stored["high"] == max(row["high"] for row in inside)
            assert stored["low"] == min(row["low"] for row in inside)
            assert stored["close"] == inside[-1]["close"]
            assert stored["volume"] == sum(row["volume"] for row in inside)

    def test_a_listing_window_begins_with_the_first_daily_bar(self, bars):
        table = bars("FB", 13, anchor="listing")
        assert of(table, "window", "first_session", "sessions")[0] == (0, dt.date(2012, 5, 18), 13)


class TestAdjusting:
    def test_none_gives_each_windows_own_basis_and_splits_todays(self, bars):
        """Before 2000-06-21 AAPL's prices are divided by four, its volume multiplied."""
        span = {"start": "2000-03-01", "end": "2000-06-16"}
        plain, adjusted = (bars("AAPL", 13, adjust=how, **span) for how in ("none", "splits"))
        assert len(plain) == 5  # the window of 2000-02-28 begins before the sample: it is not complete
        for name in ("open", "high", "low", "close"):
            assert adjusted[name].to_pylist() == [value / 4 for value in plain[name].to_pylist()]
        assert adjusted["volume"].to_pylist() == [value * 4 for value in plain["volume"].to_pylist()]

    def test_a_split_that_is_still_to_come_adjusts_nothing(self, world, own):
        """By its ex-date it lies behind the last loaded session; the day it is loaded it counts."""
        row = bar("A", world.date(0))
        world.bars([row])
        world.splits([split("A", world.date(6), 1, 2)])
        world.resample()
        assert own("A", 1)["close"].to_pylist() == [row["close"]]
        world.bars([bar("A", world.date(6))])
        world.resample()
        assert own("A", 1)["close"].to_pylist()[0] == row["close"] / 2
        assert own("A", 1, adjust="none")["close"].to_pylist()[0] == row["close"]

    def test_a_reverse_split_multiplies(self, world, own):
        row = bar("A", world.date(0), volume=1000)
        world.bars([row, bar("A", world.date(3))])
        world.splits([split("A", world.date(3), 10, 1)])
        world.resample()
        table = own("A", 3, include_open=True)
        assert of(table, "close", "volume")[0] == (row["close"] * 10, 100.0)


class TestRefusals:
    def test_an_unknown_symbol_is_named_with_those_near_it(self, bars):
        with pytest.raises(UnknownSymbol, match=r"AAPLE.*did you mean AAPL"):
            bars("AAPLE")
        with pytest.raises(UnknownSymbol, match=r"aapl.*AAPL"):
            bars(["IBM", "aapl"])

    def test_a_symbol_like_no_other_is_named_alone(self, bars):
        with pytest.raises(UnknownSymbol, match=r"symbol ZZZZZZ$"):
            bars("ZZZZZZ")

    @pytest.mark.parametrize(
        ("asked", "named"),
        [
            ({"interval": 0}, "interval 0"),
            ({"interval": -3}, "interval -3"),
            ({"interval": 253}, "interval 253"),
            ({"adjust": "dividends"}, "adjust 'dividends'"),
            ({"anchor": "first"}, "anchor 'first'"),
            ({"start": "2005-01-02", "end": "2005-01-01"}, "start 2005-01-02"),
        ],
    )
    def test_an_argument_that_means_nothing_is_named(self, bars, asked, named):
        with pytest.raises(UsageError, match=named):
            bars("IBM", **asked)

    def test_reading_makes_no_schema(self, server, tmp_path):
        """An empty database stays so, and the error says how to fill it."""
        url = server.empty_database()
        with pytest.raises(SchemaTooOld, match="condvest db migrate"):
            condvest.bars("IBM", settings=Settings(home=tmp_path, database=DatabaseSettings(url=url)))
        server.drop(url)


def test_settings_come_from_the_environment_if_none_are_given(sample, monkeypatch):
    monkeypatch.setenv("CONDVEST_DATABASE_URL", sample.url)
    assert len(condvest.bars("FB", 34)) == 5


def test_the_first_window_of_the_calendar_can_be_read(world, sessions):
    """Its first sessions lie before the calendar, which begins on 1926-01-02; its last is known."""
    days = [dt.date(1926, 1, 2), dt.date(1926, 1, 4)]
    world.bars([bar("OLD", day) for day in days])
    world.resample()
    question = Question(["OLD"], 34, include_open=True)
    (first,) = read_bars(world.workspace.database, sessions, question)["first_session"].to_pylist()
    assert first == days[0]


class TestConnected:
    @pytest.fixture
    def opened(self, monkeypatch):
        """Every connection that is opened; none is kept from before."""
        pool.close_idle()
        made, connect = [], psycopg.connect

        def counted(*arguments, **options):
            made.append(connect(*arguments, **options))
            return made[-1]

        monkeypatch.setattr(psycopg, "connect", counted)
        return made

    def test_the_database_is_opened_once_for_a_block_and_closed_after_it(self, sample, opened):
        settings = sample.workspace.settings
        expected = [condvest.bars(symbol, 13, settings=settings) for symbol in ("IBM", "FB")]
        assert (len(opened), opened[0].closed) == (1, False)
        with condvest.connected(settings):
            assert [condvest.bars(symbol, 13, settings=settings) for symbol in ("IBM", "FB")] == expected
            assert (len(opened), opened[-1].closed) == (2, False)
        assert opened[-1].closed
        condvest.bars("FB", 13, settings=settings)
        assert len(opened) == 2

    def test_what_is_stored_meanwhile_is_seen(self, own, world):
        world.bars([bar("A", world.date(0))])
        with condvest.connected(world.workspace.settings):
            assert len(own("A", 1)) == 1
            world.bars([bar("A", world.date(1))])
            assert len(own("A", 1)) == 2

    def test_other_settings_and_other_threads_open_their_own(self, sample, opened, tmp_path):
        settings = sample.workspace.settings
        with condvest.connected(settings):
            condvest.bars("FB", 13, settings=replace(settings, home=tmp_path / "other"))
            assert len(opened) == 2
            thread = threading.Thread(target=lambda: condvest.bars("FB", 13, settings=settings))
            thread.start()
            thread.join()
            assert len(opened) == 3
