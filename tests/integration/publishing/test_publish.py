"""Published into a directory: the same answers as from the database, and files for any reader."""

import datetime as dt
from pathlib import Path

import duckdb
import polars as pl
import pytest

import condvest
from condvest.batch_layer.processing.publishing import part_files
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.settings import INTERVALS, Settings
from condvest.serving_layer.sources.published import PublishedSource
from tests.support.publishing import from_database, from_files, published


class TestSameAnswers:
    @pytest.mark.parametrize("interval", [1, 2, *INTERVALS, 100])
    @pytest.mark.parametrize("adjust", ["none", "splits", "total"])
    @pytest.mark.parametrize("anchor", ["calendar", "listing"])
    def test_of_the_sample_in_every_way_to_ask(self, sample, sample_target, interval, adjust, anchor):
        for more in (
            {},
            {"include_open": True},
            {"symbols": ["IBM", "FB"]},
            {"symbols": ["AAPL"], "start": dt.date(2005, 2, 1), "end": dt.date(2005, 3, 31)},
            {"start": dt.date(2012, 12, 20), "end": dt.date(2013, 1, 10)},
            {"end": dt.date(1999, 1, 1)},
            {"symbols": []},
        ):
            asked = {"interval": interval, "adjust": adjust, "anchor": anchor} | more
            assert from_files(sample_target, **asked).equals(from_database(sample, **asked)), asked

    @pytest.mark.parametrize("interval", [1, 3, 7, 34])
    @pytest.mark.parametrize("adjust", ["none", "splits", "total"])
    def test_of_a_market_with_open_windows_and_unknown_values(self, year_turn, target, interval, adjust):
        published(year_turn, target)
        for include_open in (False, True):
            asked = {"interval": interval, "adjust": adjust, "include_open": include_open}
            table = from_files(target, **asked)
            assert len(table) > 10
            assert table.equals(from_database(year_turn, **asked))

    @pytest.mark.parametrize("asked", [{}, {"symbols": ["B"]}, {"start": dt.date(2022, 3, 1)}])
    def test_of_files_with_many_row_groups(self, year_turn, target, monkeypatch, asked):
        """As of a whole market, whose instruments lie in one group or in two, and open bars in some."""
        monkeypatch.setattr(part_files, "ROW_GROUP", 50)
        published(year_turn, target)
        for interval in (1, 3):
            table = from_files(target, interval=interval, **asked)
            assert len(table) > 50
            assert table.equals(from_database(year_turn, interval=interval, **asked))

    def test_by_the_python_interface(self, sample, sample_target):
        settings = Settings(home=Path("/nowhere"), published_at=sample_target.name)
        table = condvest.bars("IBM", 13, source="published", settings=settings)
        assert table.equals(from_database(sample, symbols=["IBM"], interval=13))
        assert len(table) == 250

    def test_an_unknown_symbol_is_said_with_what_is_near(self, sample_target):
        with pytest.raises(condvest.CondvestError, match="carries the symbol AAPLE; did you mean AAPL"):
            from_files(sample_target, symbols=["AAPLE"])

    def test_of_a_database_that_is_empty(self, world, target):
        summary = published(world, target)
        assert (summary.version, summary.rows["daily_bars"]) == (1, 0)
        assert len(from_files(target)) == 0

    def test_a_symbol_stands_for_who_carried_it_last(self, year_turn, target):
        """B was renamed to Z in 2022, and A took the name B after a while."""
        ids = {symbol: year_turn.instrument(symbol) for symbol in "AB"}
        year_turn.looking.execute("DELETE FROM symbols WHERE symbol IN ('A', 'B')")
        for symbol, of, first, last in (
            ("B", "B", "-infinity", "2022-03-01"),
            ("Z", "B", "2022-03-02", "infinity"),
            ("A", "A", "-infinity", "2022-05-01"),
            ("B", "A", "2022-05-02", "infinity"),
        ):
            year_turn.looking.execute(
                "INSERT INTO symbols (symbol, valid_from, valid_to, instrument_id) VALUES (%s, %s, %s, %s)",
                (symbol, first, last, ids[of]),
            )
        published(year_turn, target)
        for symbol, closes in (("B", 10.0), ("A", 10.0), ("Z", 50.0)):
            table = from_files(target, symbols=[symbol], interval=1, adjust="none")
            assert table["close"][0].as_py() == closes
            assert table.equals(from_database(year_turn, symbols=[symbol], interval=1, adjust="none"))


class TestWhatItCannotAnswer:
    def test_what_was_known_before_anything_was_is_nothing(self, sample_target):
        settings = Settings(home=Path("/nowhere"), published_at=sample_target.name)
        past = condvest.bars(source="published", as_of="1970-01-01", include_open=True, settings=settings)
        assert len(past) == 0

    def test_a_source_that_there_is_not(self):
        with pytest.raises(UsageError, match="database, published or http"):
            condvest.bars(source="file", settings=Settings(home=Path("/nowhere")))


class TestPlainReaders:
    def test_polars_finds_bars_as_traded_by_instrument_and_window(self, sample, sample_target):
        files = PublishedSource.open(sample_target).files("bars_13")
        names = pl.read_parquet(PublishedSource.open(sample_target).files("instruments"))
        frame = pl.read_parquet(files).join(names.select("instrument_id", "symbol"), on="instrument_id")
        ours = pl.from_arrow(from_database(sample, interval=13, adjust="none", include_open=True))
        columns = ["symbol", "window", "first_session", "last_session", "open", "close", "volume", "vwap"]
        assert frame.sort("symbol", "window").select(columns).equals(ours.select(columns))

    def test_the_factors_of_the_splits_adjust_them(self, sample, sample_target):
        """AAPL's two splits of the sample; the factor of the first holds both."""
        source = PublishedSource.open(sample_target)
        splits, daily, names = (source.files(name) for name in ("splits", "daily_bars", "instruments"))
        found = duckdb.sql(
            f"SELECT session, close * coalesce(price_factor, 1) AS close FROM read_parquet({daily}) AS bars "
            f"ASOF LEFT JOIN read_parquet({splits}) AS splits "
            "ON bars.instrument_id = splits.instrument_id AND session < ex_date "
            f"JOIN read_parquet({names}) AS names ON names.instrument_id = bars.instrument_id "
            "WHERE symbol = 'AAPL' ORDER BY session"
        ).fetchall()
        ours = from_database(sample, symbols=["AAPL"], interval=1)
        assert found == list(zip(ours["last_session"].to_pylist(), ours["close"].to_pylist(), strict=True))

    def test_files_are_sorted_and_say_so(self, sample_target):
        for file in PublishedSource.open(sample_target).files("daily_bars"):
            frame = pl.read_parquet(file)
            assert frame.equals(frame.sort("instrument_id", "ordinal"))
            assert {one.year for one in frame["session"]} == {int(Path(file).name[:4])}
