"""A bar is complete if and only if every session of its window has been loaded in full."""

import pytest
from hypothesis import HealthCheck, given, settings

from condvest.batch_layer.database.migration_files import migrations
from tests.support.payloads import bar
from tests.support.publishing import from_database
from tests.support.strategies.market_events import bar_histories
from tests.support.worlds.playing import play_all


def market(world, first, last, symbols="AB"):
    return [bar(symbol, world.date(at)) for symbol in symbols for at in range(first, last + 1)]


def complete(world, interval=5, symbol="A"):
    """Return window to is_complete, of a symbol's stored bars."""
    world.resample()
    table = from_database(world, symbols=[symbol], interval=interval, include_open=True)
    return dict(zip(table["window"].to_pylist(), table["is_complete"].to_pylist(), strict=True))


def load(world, first, last, provider="massive", **how):
    world.bars(market(world, first, last, **how), provider=provider, whole=(first, last))


def test_the_first_window_and_the_last_are_not_if_they_are_cut(world):
    """Sessions 2 to 11 are loaded: window 1 (5 to 9) is whole, 0 and 2 are not."""
    load(world, 2, 11)
    assert complete(world) == {0: False, 1: True, 2: False}


def test_a_window_over_a_missing_session_is_not_until_it_is_loaded(world):
    """Session 7 is loaded last, so that window 1 turns complete though no bar of A is in that answer."""
    load(world, 0, 6)
    load(world, 8, 14)
    assert complete(world) == {0: True, 1: False, 2: True}
    load(world, 7, 7, symbols="B")
    assert complete(world) == {0: True, 1: True, 2: True}
    assert complete(world, symbol="B") == {0: True, 1: True, 2: True}


def test_a_halt_is_no_lack(world):
    """A does not trade in sessions 3 to 8, of which B's bars tell that they were loaded."""
    rows = [row for row in market(world, 0, 14) if row["symbol"] == "B"]
    world.bars(
        [*market(world, 0, 2, "A"), *market(world, 9, 14, "A"), *rows], provider="massive", whole=(0, 14)
    )
    assert complete(world) == {0: True, 1: True, 2: True}


def test_the_sessions_of_a_window_may_come_from_several_providers(world):
    """Two providers load 0 to 2 and 3 to 4; only A is supplied by both."""
    load(world, 0, 2, symbols="AB")
    load(world, 3, 4, provider="sample", symbols="A")
    assert complete(world) == {0: True}
    assert complete(world, symbol="B") == {0: False}


def test_incomplete_bars_are_left_out_unless_asked_for(world):
    load(world, 2, 11)
    world.resample()
    for interval in (5, 4):
        table = from_database(world, symbols=["A"], interval=interval)
        assert table["is_complete"].to_pylist() == [True] * {5: 1, 4: 2}[interval]


@pytest.mark.parametrize("anchor", ["calendar", "listing"])
def test_windows_from_the_listing_begin_whole(world, anchor):
    load(world, 2, 11)
    table = from_database(world, symbols=["A"], interval=5, anchor=anchor)
    assert len(table) == {"calendar": 1, "listing": 2}[anchor]


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=bar_histories())
def test_the_migration_gives_the_bars_of_before_what_resampling_gives_them(lasting_world, history):
    """Before it a bar was complete if its last session was."""
    lasting_world.empty()
    play_all(lasting_world, history)
    lasting_world.resample()
    lasting_world.looking.execute(
        "UPDATE closed_bars AS bars SET is_complete = EXISTS (SELECT FROM ledger "
        "JOIN instrument_providers AS supplied USING (provider_id) "
        "WHERE status = 'complete' AND supplied.instrument_id = bars.instrument_id "
        'AND ordinal = "window" * "interval" + "interval" - 1)'
    )
    (migration,) = [each for each in migrations() if each.name == "complete_means_whole"]
    # The table had another name then; what are open bars now it leaves as they are.
    lasting_world.looking.execute(migration.sql.replace("UPDATE bars ", "UPDATE closed_bars AS bars "))
    assert lasting_world.differences() == []
