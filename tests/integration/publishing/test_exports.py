"""Exports for zipline, Lean and qlib, read back by the documents of their formats.

In test_export_peers.py zipline and qlib themselves read them; Lean needs .NET and Docker.
"""

import datetime as dt
import json
import math
from fractions import Fraction

import numpy as np
import pytest

import condvest
from condvest.batch_layer.database.stores.identity.ownership import write_spans
from condvest.batch_layer.shared.errors import UnknownSymbol, UsageError
from condvest.batch_layer.shared.models.instruments.symbols import SymbolSpan
from condvest.serving_layer.exports.export import KINDS, export
from condvest.serving_layer.exports.folder import new_folder
from condvest.serving_layer.exports.names import FileNames
from tests.support import export_readers as read
from tests.support.payloads import dividend, split
from tests.support.publishing import quote


@pytest.fixture(scope="module")
def exported(sample, tmp_path_factory):
    """The sample in each format."""
    place = tmp_path_factory.mktemp("exports")
    return {
        kind: export(sample.workspace, kind, place / kind, symbols=["AAPL", "IBM", "FB"]) for kind in KINDS
    }


def daily(sample, symbol, **how):
    return condvest.bars(symbol, interval=1, settings=sample.workspace.settings, **how)


@pytest.mark.parametrize("symbol", ["AAPL", "IBM", "FB"])
def test_zipline_adjusts_to_the_prices_of_python(sample, exported, symbol):
    rows = read.zipline_prices(exported["zipline"].destination, symbol)
    bars = daily(sample, symbol)
    assert [row[0] for row in rows] == bars["last_session"].to_pylist()
    assert np.allclose([row[1] for row in rows], bars["close"].to_numpy(), rtol=1e-15, atol=0)
    paid = condvest.dividends(symbol, settings=sample.workspace.settings).to_pylist()
    assert [(row[0], row[2]) for row in rows if row[2]] == [
        (each["ex_date"], each["cash_amount"]) for each in paid
    ]


@pytest.mark.parametrize("symbol", ["AAPL", "IBM", "FB"])
def test_qlib_has_adjusted_prices_and_their_factor(sample, exported, symbol):
    place = exported["qlib"].destination
    bars, raw = daily(sample, symbol), daily(sample, symbol, adjust="none")
    days = bars["last_session"].to_pylist()
    for field in ("open", "high", "low", "close", "volume"):
        values = read.qlib_values(place, symbol, field)
        assert list(values) == days
        assert np.array_equal(np.array([*values.values()], "<f4"), bars[field].to_numpy().astype("<f4"))
    close, factor = (read.qlib_values(place, symbol, field) for field in ("close", "factor"))
    traded = [close[day] / factor[day] for day in days]
    assert np.allclose(traded, raw["close"].to_numpy(), rtol=2e-7, atol=0)
    change = read.qlib_values(place, symbol, "change")
    assert list(change) == days[1:]
    assert math.isclose(change[days[1]], close[days[1]] / close[days[0]] - 1, rel_tol=1e-5)
    assert read.qlib_instruments(place)[symbol] == (days[0], days[-1])


def test_lean_has_the_prices_as_traded_and_its_factors_give_the_adjusted_ones(sample, exported):
    place = exported["lean"].destination
    for symbol in ("AAPL", "IBM", "FB"):
        bars, raw = daily(sample, symbol), daily(sample, symbol, adjust="none")
        days = bars["last_session"].to_pylist()
        history = read.lean_zip(place, symbol.lower())
        assert list(history) == days
        assert np.allclose([bar[3] for bar in history.values()], raw["close"].to_numpy(), rtol=0, atol=5e-5)
        assert [bar[4] for bar in history.values()] == raw["volume"].to_pylist()
        splits = [read.lean_factors(place, symbol.lower(), day)[1] for day in days]
        assert np.allclose(raw["close"].to_numpy() * splits, bars["close"].to_numpy(), rtol=1e-14, atol=0)
        assert read.lean_ticker(place, symbol.lower(), days[0]) == symbol.lower()
        assert read.lean_ticker(place, symbol.lower(), dt.date(2050, 12, 31)) == symbol.lower()


def test_leans_factors_are_those_that_lean_ships_for_apple(exported):
    """Dates and ratios of QuantConnect/Lean, Data/equity/usa/factor_files/aapl.csv."""
    rows = read.lean_rows(exported["lean"].destination / "equity/usa/factor_files/aapl.csv")
    theirs = {
        "20120808": 0.9311149 / 0.9351125,
        "20121106": 0.9351125 / 0.9393839,
        "20130206": 0.9393839 / 0.9448594,
    }
    factor = {row[0]: float(row[1]) for row in rows}
    assert [row[0] for row in rows] == ["20000301", "20000620", "20050225", *theirs, "20501231"]
    ends = [*list(theirs)[1:], "20501231"]
    for day, following in zip(theirs, ends, strict=True):
        assert math.isclose(factor[day] / factor[following], theirs[day], abs_tol=1e-6)
    assert [float(row[2]) for row in rows] == [0.25, 0.25, 0.5, 1, 1, 1, 1]


@pytest.fixture
def small(world):
    """A halts at session 5; a 1-for-3 split falls into the halt and a dividend with it; B.B has neither."""
    closes = [10.0 + at for at in range(12)]
    world.bars([quote("A", world.date(at), closes[at], volume=1000) for at in range(12) if at != 5])
    world.bars([quote("B.B", world.date(at), 3.0, volume=7) for at in range(12)])
    world.splits([split("A", world.date(5), 1, 3)])
    world.dividends([dividend("A", world.date(5), 0.6), dividend("A", world.date(0), 9.0)])
    world.resample()
    return world


def test_what_falls_into_a_halt_stands_on_the_next_bar(small, tmp_path):
    """By hand: the split and 0.60 a new share of session 5 reach session 6; session 0 has no bar before."""
    place = tmp_path / "zipline"
    export(small.workspace, "zipline", place)
    lines = (place / "daily/A.csv").read_text().splitlines()
    assert lines[0].replace('"', "") == "date,open,high,low,close,volume,dividend,split"
    day = [small.date(at).isoformat() for at in range(12)]
    assert lines[1] == f"{day[0]},10,11,9,10,1000,0,1"
    assert lines[6:8] == [f"{day[5]},0,0,0,0,0,0,1", f"{day[6]},16,17,15,16,1000,0.6,3"]
    assert [line.split(",")[0] for line in lines[1:]] == day
    place = tmp_path / "lean"
    export(small.workspace, "lean", place, symbols=["A"])
    rows = read.lean_rows(place / "equity/usa/factor_files/a.csv")
    ratio = float(1 - Fraction("0.6") * 3 / 14)  # the close before is 14, of an old share
    assert [row[0] for row in rows] == ["19620102", small.date(4).strftime("%Y%m%d"), "20501231"]
    assert [math.isclose(float(row[1]), want) for row, want in zip(rows, (ratio, ratio, 1), strict=True)]
    assert [float(row[2]) for row in rows] == pytest.approx([1 / 3, 1 / 3, 1], rel=1e-15)
    assert [row[3] for row in rows] == ["10", "14", "0"]


def test_a_dot_in_a_symbol_would_end_it_in_zipline(small, tmp_path):
    export(small.workspace, "zipline", tmp_path / "zipline")
    assert sorted(file.name for file in (tmp_path / "zipline/daily").iterdir()) == ["A.csv", "B_B.csv"]
    names = (tmp_path / "zipline/condvest-symbols.csv").read_text().splitlines()
    assert names == [
        "name,instrument_id,symbol",
        f"A,{small.instrument('A')},A",
        f"B_B,{small.instrument('B.B')},B.B",
    ]


def test_bounds_choose_sessions_and_a_later_dividend_counts(small, tmp_path):
    done = export(small.workspace, "qlib", tmp_path / "qlib", start=small.date(3), end=small.date(7))
    assert (done.first_session, done.last_session) == (small.date(3), small.date(7))
    assert (done.instruments, done.rows) == (2, 9)
    assert list(read.qlib_values(tmp_path / "qlib", "A", "close")) == [small.date(at) for at in (3, 4, 6, 7)]


def test_lean_finds_each_company_by_the_ticker_of_the_day(world, tmp_path):
    """OLD becomes X on session 10, when a fund that was X has ended."""
    world.bars([quote("X", world.date(at), 5.0 + at, volume=1) for at in range(10)])
    world.bars([quote("OLD", world.date(at), 90.0 + at, volume=1) for at in range(10)])
    fund, company = world.instrument("X"), world.instrument("OLD")
    taken = world.date(10)
    with world.workspace.database.transaction() as connection:
        spans = {
            fund: [SymbolSpan("X", last=taken - dt.timedelta(1))],
            company: [SymbolSpan("OLD", last=taken - dt.timedelta(1)), SymbolSpan("X", first=taken)],
        }
        write_spans(connection, spans, world.sessions)
    world.bars([quote("X", world.date(at), 90.0 + at, volume=1) for at in range(10, 30)])
    world.resample()
    place = tmp_path / "lean"
    export(world.workspace, "lean", place)
    days = [world.date(at) for at in range(30)]
    of_company = read.lean_history(place, "x", days)
    assert [row[:2] for row in of_company] == [(world.date(at), 90.0 + at) for at in range(30)]
    of_fund = read.lean_history(place, "x.1", days)
    assert [row[:2] for row in of_fund] == [(world.date(at), 5.0 + at) for at in range(10)]
    assert read.lean_ticker(place, "x.1", world.date(10)) is None  # it ended with its last bar
    assert len(read.lean_zip(place, "old")) == 10
    assert len(read.lean_zip(place, "x")) == 30


def test_lean_finds_nothing_of_another_company_under_a_ticker_that_was_taken_lately(world, tmp_path):
    """The fund that was X ends in session 9, and five sessions later X is OLD's: neither has the other's."""
    world.bars([quote("X", world.date(at), 5.0 + at, volume=1) for at in range(10)])
    world.bars([quote("OLD", world.date(at), 90.0 + at, volume=1) for at in range(5)])
    fund, company = world.instrument("X"), world.instrument("OLD")
    with world.workspace.database.transaction() as connection:
        spans = {
            fund: [SymbolSpan("X", last=world.date(9))],
            company: [SymbolSpan("OLD", last=world.date(4)), SymbolSpan("X", first=world.date(14))],
        }
        write_spans(connection, spans, world.sessions)
    world.bars([quote("X", world.date(at), 90.0 + at, volume=1) for at in range(14, 17)])
    world.resample()
    place = tmp_path / "lean"
    export(world.workspace, "lean", place)
    days = [world.date(at) for at in range(17)]
    of_company, of_fund = (read.lean_history(place, name, days) for name in ("x", "x.1"))
    assert [row[:2] for row in of_company] == [(world.date(at), 90.0 + at) for at in (*range(5), 14, 15, 16)]
    assert [row[:2] for row in of_fund] == [(world.date(at), 5.0 + at) for at in range(10)]


def test_lean_finds_two_symbols_that_differ_in_case_alone(world, tmp_path):
    world.bars([quote("ABp", world.date(at), 5.0 + at, volume=1) for at in range(3)])
    world.bars([quote("ABP", world.date(at), 90.0 + at, volume=1) for at in range(3)])
    world.resample()
    place = tmp_path / "lean"
    export(world.workspace, "lean", place)
    days = [world.date(at) for at in range(3)]
    closes = {name: [row[1] for row in read.lean_history(place, name, days)] for name in ("abp", "abp_")}
    assert closes == {"abp": [90.0, 91.0, 92.0], "abp_": [5.0, 6.0, 7.0]}


def test_what_leans_format_cannot_say_is_told(world, tmp_path):
    world.bars([quote("A", world.date(at), 10.0, volume=1) for at in range(4)])
    world.bars(
        [{**quote("N", world.date(at), 5.0, volume=1), "open": 0.0} for at in range(1)]
        + [quote("N", world.date(1), 5.0, volume=1)]
    )
    world.dividends([dividend("A", world.date(2), 11.0)])
    world.resample()
    done = export(world.workspace, "lean", tmp_path / "lean")
    assert len(done.notes) == 2
    assert "a dividend of 11 on a close of 10 has no factor" in done.notes[0]
    assert done.notes[1] == "N: 1 daily bars without a known open were left out"


def test_names_never_meet_where_case_does_not_count():
    names = FileNames("-")
    given = [
        names.name_of(symbol, at) for at, symbol in enumerate(["ABCP", "ABCp", "BRK.B", "BRK/B", "NA", "con"])
    ]
    assert given == ["ABCP", "ABCp_1", "BRK_B", "BRK_B_3", "NA_", "con_"]


class TestFolder:
    """The folder is there only when it is whole."""

    def test_an_earlier_export_is_replaced_and_nothing_else_is_left(self, small, tmp_path):
        for symbols in (["A"], ["B.B"]):
            export(small.workspace, "qlib", tmp_path / "out", symbols=symbols)
        assert [file.name for file in tmp_path.iterdir()] == ["out"]
        assert list(read.qlib_instruments(tmp_path / "out")) == ["B.B"]
        marker = json.loads((tmp_path / "out/condvest-export.json").read_text())
        assert (marker["format"], marker["instruments"], marker["rows"]) == ("qlib", 1, 12)

    @pytest.mark.parametrize("content", ["notes.txt", "condvest-export.json"])
    def test_a_folder_of_others_is_refused(self, small, tmp_path, content):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / content).write_text('{"format": "other"}')
        with pytest.raises(UsageError, match="holds"):
            export(small.workspace, "qlib", tmp_path / "out")
        assert [file.name for file in tmp_path.rglob("*")] == ["out", content]

    def test_an_export_of_another_kind_a_file_and_a_link_are_refused(self, small, tmp_path):
        export(small.workspace, "qlib", tmp_path / "out")
        with pytest.raises(UsageError, match="holds an export for qlib"):
            export(small.workspace, "lean", tmp_path / "out")
        (tmp_path / "file").write_text("")
        (tmp_path / "link").symlink_to(tmp_path / "out")
        for name in ("file", "link"):
            with pytest.raises(UsageError, match="is no folder"):
                export(small.workspace, "qlib", tmp_path / name)

    @pytest.mark.parametrize("kind", KINDS)
    def test_one_that_is_stopped_leaves_what_was(self, small, tmp_path, kind):
        export(small.workspace, kind, tmp_path / "out", symbols=["A"])
        before = {file: file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()}

        def stop(done, _):
            if done == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            export(small.workspace, kind, tmp_path / "out", on_progress=stop)
        assert {file: file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()} == before
        assert [file.name for file in tmp_path.iterdir()] == ["out"]

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_same_data_give_the_same_bytes(self, small, tmp_path, kind):
        seen = []
        for _ in range(2):
            export(small.workspace, kind, tmp_path / "out")
            seen.append({file: file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()})
        assert seen[0] == seen[1]

    def test_a_disk_that_refuses_is_said(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(UsageError, match="cannot be written"), new_folder(tmp_path / "file/out", "qlib"):
            pass

    def test_nothing_to_export_is_said(self, small, tmp_path):
        with pytest.raises(UnknownSymbol):
            export(small.workspace, "qlib", tmp_path / "out", symbols=["NOBODY"])
        with pytest.raises(UsageError, match="no daily bar lies within the bounds"):
            export(small.workspace, "qlib", tmp_path / "out", end=dt.date(1961, 1, 1))
        assert list(tmp_path.iterdir()) == []

    def test_progress_counts_instruments(self, small, tmp_path):
        told = []
        export(small.workspace, "qlib", tmp_path / "out", on_progress=lambda *at: told.append(at))
        assert told == [(1, 2), (2, 2)]
