"""Bars that hold the session under way: the live rows that count are folded with the daily bars, once each.

A live row counts if and only if there is no daily bar of its key and the ledger does not call its session
complete for the instrument's provider.
"""

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import condvest
from condvest.batch_layer.shared.errors import UsageError
from condvest.serving_layer.queries.bars.bars_table import LIVE_SCHEMA, SCHEMA, read_bars
from condvest.serving_layer.queries.bars.question import Question
from tests.support.naive import database as naive
from tests.support.naive import live as naive_live
from tests.support.payloads import bar, dividend, split
from tests.support.serving import served
from tests.support.strategies import market_events as events
from tests.support.worlds.playing import play

THROUGH = dt.datetime(1962, 2, 1, 17, 30, tzinfo=dt.UTC)
PRICES = {"open": 100.0, "high": 104.0, "low": 98.0, "close": 102.0, "volume": 10.0, "vwap": 101.0}


def put(world, symbol, ordinal, **values):
    row = {**PRICES, "instrument_id": world.instrument(symbol), "ordinal": ordinal, **values}
    naive_live.put_live(world.looking, [row], THROUGH)


def ask(world, **question):
    database, sessions = world.workspace.database, world.sessions
    return read_bars(database, sessions, Question(**{"include_live": True, **question}))


@pytest.fixture
def market(world):
    """Two instruments of a vendor over sessions 0 to 9, resampled."""
    rows = [bar(symbol, world.date(at)) for symbol in ("A", "B") for at in range(10)]
    world.bars(rows, provider="massive", whole=(0, 9))
    world.resample()
    return world


def test_a_live_row_is_folded_into_its_window(market):
    """Window 3 of 3 sessions has session 9; with session 10 live its high and close are known by hand."""
    put(market, "A", 10, high=1000.0, low=1.0, close=500.0)
    (before,) = ask(market, symbols=["A"], interval=3, include_live=False, include_open=True).to_pylist()[-1:]
    (after,) = ask(market, symbols=["A"], interval=3).to_pylist()[-1:]
    assert after["window"] == before["window"] == 3
    assert (after["open"], after["high"], after["low"], after["close"]) == (
        before["open"],
        1000.0,
        1.0,
        500.0,
    )
    assert (after["sessions"], after["is_complete"], after["is_live"]) == (2, False, True)
    assert after["data_through"] == THROUGH


def test_only_bars_that_hold_the_live_session_are_live(market):
    """B has no live row: its answer is what it is without, and complete bars stay complete."""
    put(market, "A", 10)
    table = ask(market, interval=5)
    live = [(row["symbol"], row["window"]) for row in table.to_pylist() if row["is_live"]]
    assert live == [("A", 2)]
    assert [row["data_through"] for row in table.to_pylist() if not row["is_live"]] == [None] * 4
    assert all(row["is_complete"] is not row["is_live"] for row in table.to_pylist())


def test_columns_appear_only_when_asked_for(market):
    assert ask(market, include_live=False).schema == SCHEMA
    assert ask(market).schema == LIVE_SCHEMA


def test_an_official_bar_takes_the_live_ones_place(market):
    """In the load's own commit; and a withdrawn bar of a complete session brings no live one back."""
    put(market, "A", 10, close=103.0)
    put(market, "B", 10)
    market.bars([bar("A", market.date(10), close=50.0, low=1.0)], provider="massive", whole=(10, 10))
    newest = {row["symbol"]: row for row in ask(market, interval=1, start=market.date(10)).to_pylist()}
    assert set(newest) == {"A"}
    assert (newest["A"]["close"], newest["A"]["is_live"]) == (50.0, False)
    market.bars([bar("B", market.date(10))], provider="massive", whole=(10, 10))
    rows = ask(market, interval=1, start=market.date(10)).to_pylist()
    assert [(row["symbol"], row["is_live"]) for row in rows] == [("B", False)]


def test_a_partial_session_keeps_live_rows_of_what_lacks_an_official_bar(market):
    """A file of one instrument completes no session of the vendor's; the other goes on being live."""
    put(market, "A", 10)
    put(market, "B", 10)
    market.bars([bar("A", market.date(10))], provider="file")
    rows = ask(market, interval=1, start=market.date(10)).to_pylist()
    assert [(row["symbol"], row["is_live"]) for row in rows] == [("A", False), ("B", True)]


def test_a_split_of_today_rescales_the_sessions_before_it(market):
    """2-for-1 with ex-date in session 10: session 9's 100 is 50 on the basis of the running bar."""
    nine = {"open": 100, "high": 104, "low": 98, "close": 100, "volume": 10, "vwap": 100}
    market.bars([bar("A", market.date(9), **nine)], provider="massive")
    market.splits([split("A", market.date(10))])
    market.resample()
    put(market, "A", 10, open=51.0, high=52.0, low=50.5, close=51.5, volume=5.0)
    (row,) = ask(market, symbols=["A"], interval=3, adjust="none").to_pylist()[-1:]
    assert (row["open"], row["high"], row["low"], row["close"]) == (50.0, 52.0, 49.0, 51.5)
    assert row["volume"] == 25.0
    without = ask(market, symbols=["A"], interval=3, adjust="none", include_live=False, include_open=True)
    assert without["open"].to_pylist()[-1] == 100.0


def test_a_live_row_of_an_unknown_instrument_is_nobodys(market):
    naive_live.put_live(market.looking, [{**PRICES, "instrument_id": 999, "ordinal": 10}], THROUGH)
    assert not any(ask(market, interval=1)["is_live"].to_pylist())


def test_the_past_has_no_session_under_way():
    with pytest.raises(UsageError, match="include_live"):
        Question(include_live=True, as_of=dt.datetime(2024, 1, 1, tzinfo=dt.UTC))


def test_a_live_row_gives_the_prices_that_the_same_official_bar_will_give(market):
    """At every interval, anchor and adjustment, with a split and a dividend on the very session."""
    market.splits([split("A", market.date(10))])
    market.dividends([dividend("A", market.date(10), 0.5), dividend("B", market.date(9), 0.25)])
    market.resample()
    row = {**PRICES, "trades": None}
    for symbol in ("A", "B"):
        put(market, symbol, 10, **PRICES)
    asked = [
        {"interval": interval, "anchor": anchor, "adjust": adjust, "include_open": True}
        for interval in (1, 2, 3, 13)
        for anchor in ("calendar", "listing")
        for adjust in ("none", "splits", "total")
    ]
    live = [ask(market, **question) for question in asked]
    official = [bar(symbol, market.date(10), **row) for symbol in ("A", "B")]
    market.bars(official, provider="massive", whole=(10, 10))
    market.resample()
    prices = [name for name in SCHEMA.names if name != "is_complete"]
    for question, before in zip(asked, live, strict=True):
        assert any(before["is_live"].to_pylist())
        assert before.select(prices).equals(ask(market, **question).select(prices)), question


def test_over_http_the_answer_is_the_databases_and_moves_with_the_live_row(market):
    """A client asks by the entity tag of the answer before, and gets a new one when a row has moved."""
    settings = market.workspace.settings
    with served(settings) as address:
        for close in (103.0, 104.0):
            put(market, "A", 10, close=close)
            over_http = condvest.bars(interval=3, include_live=True, source=address)
            assert over_http.equals(condvest.bars(interval=3, include_live=True, settings=settings))
            assert over_http["close"].to_pylist()[3] == close
        assert "is_live" not in condvest.bars("A", interval=3, source=address).column_names
        page = httpx.get(
            f"{address}/v1/bars", params={"interval": 3, "live": "true", "limit": 1, "format": "json"}
        )
        put(market, "A", 10, close=103.5)
        following = httpx.get(httpx.URL(address).join(page.json()["next"]))
        assert (following.status_code, following.json()["type"].rpartition("/")[2]) == (410, "gone")


def test_no_reader_sees_a_session_twice_or_a_bar_jump_back_while_it_becomes_official(market):
    """Two readers, of A and of all, loop while live rows rise tick by tick and the official load commits."""
    settings = market.workspace.settings
    put(market, "A", 10, close=100.5, high=101.0, open=100.0)
    is_over = threading.Event()

    def watch(symbols):
        seen = []
        while True:
            ended = is_over.is_set()
            (row,) = condvest.bars(
                symbols,
                interval=1,
                start=market.date(10),
                include_open=True,
                include_live=True,
                settings=settings,
            ).to_pylist()
            seen.append((not row["is_live"], row["close"]))
            if ended:
                return seen

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(watch, symbols) for symbols in ("A", None)]
        for tick in range(20):
            put(market, "A", 10, close=100.5 + tick / 10, high=110.0, open=100.0)
        market.bars(
            [bar("A", market.date(10), open=100.0, high=110.0, low=90.0, close=105.0)],
            provider="massive",
            whole=(10, 10),
        )
        is_over.set()
        for reader in readers:
            seen = reader.result()
            assert seen == sorted(seen)
            assert seen[-1] == (True, 105.0)


live_rows = st.tuples(
    st.just("live"),
    st.dictionaries(
        st.tuples(events.symbols, events.crowded_ordinals), st.integers(0, 2), min_size=1, max_size=3
    ),
)
histories = st.lists(
    st.one_of(
        live_rows,
        live_rows,
        events.file_imports(),
        events.vendor_answers(),
        events.split_loads(),
        st.just(("resample", frozenset(range(64)), False)),
    ),
    min_size=2,
    max_size=8,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=histories)
def test_at_every_moment_bars_are_the_full_fold_of_daily_bars_and_live_rows_that_count(
    lasting_world, history
):
    """Live rows, loads, corrections, withdrawals and splits in any order: no session enters twice."""
    world = lasting_world
    world.empty()
    for event in history:
        if event[0] != "live":
            play(world, event)
        else:
            known = dict(world.ask("SELECT symbol, min(instrument_id) FROM symbols GROUP BY 1"))
            rows = [
                {**bar(symbol, at, version), "instrument_id": known[symbol], "ordinal": at}
                for (symbol, at), version in event[1].items()
                if symbol in known
            ]
            naive_live.put_live(world.looking, rows, THROUGH)
        if not world.number("SELECT count(*) FROM instrument_providers"):
            continue
        for interval in naive_live.ASKED:
            answered = ask(world, interval=interval, adjust="none", include_open=True).to_pylist()
            names = dict(world.ask("SELECT instrument_id, symbol FROM symbols"))
            wanted = naive_live.recomputed(world.looking, interval)
            wanted.sort(key=lambda row: (names[row["instrument_id"]], row["window"]))
            columns = [*(name for name in naive.BAR if name != "instrument_id"), "is_live"]
            assert [{name: row[name] for name in columns} for row in answered] == [
                {name: row[name] for name in columns} for row in wanted
            ]
