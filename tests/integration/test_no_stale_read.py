"""Every read equals the full fold of the daily bars in its own snapshot, whatever waits to be resampled."""

import datetime as dt

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch_layer.shared.settings import INTERVALS
from tests.support.naive.state import State, names_of, rows_read
from tests.support.payloads import bar, split
from tests.support.publishing import from_database
from tests.support.strategies.market_events import bar_changes, shard_resamplings
from tests.support.worlds.playing import play

steps = st.lists(st.one_of(bar_changes(), bar_changes(), shard_resamplings()), min_size=1, max_size=8)


def check_reads(world):
    """Compare every stored interval, and one that is not stored, with the naive model."""
    names, state = names_of(world.looking), State.of(world.looking)
    for interval in (*INTERVALS, 4):
        for adjust in ("none", "splits"):
            table = from_database(world, interval=interval, adjust=adjust, include_open=True)
            assert rows_read(table) == state.bars(interval, adjust, names)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=steps)
def test_every_read_is_right_after_every_step(lasting_world, history):
    """Loads, corrections, splits and shards in any order: a reader sees at once what each of them did."""
    lasting_world.empty()
    for step in history:
        play(lasting_world, step)
        check_reads(lasting_world)


@pytest.fixture
def loaded(world):
    """Sessions 0 to 9 of two instruments, resampled; sessions 10 to 19, and a correction of 6, are not."""
    for first, last in ((0, 9), (10, 19)):
        rows = [bar(symbol, world.date(at)) for symbol in "AB" for at in range(first, last + 1)]
        world.bars(rows, provider="massive", whole=(first, last))
        if last == 9:
            world.resample()
    world.bars([bar("A", world.date(6), high=777.0)], provider="massive")
    return world


def test_what_was_loaded_and_not_resampled_is_read(loaded):
    """Windows 0 to 3 of interval 5: the stored 1 is old, 2 and 3 are not stored at all."""
    asked = {"symbols": ["A"], "interval": 5}
    before = from_database(loaded, **asked)
    assert before["window"].to_pylist() == [0, 1, 2, 3]
    assert before["high"].to_pylist()[1] == 777.0
    assert before["sessions"].to_pylist() == [5, 5, 5, 5]
    loaded.resample()
    assert from_database(loaded, **asked).equals(before)


def test_only_the_windows_asked_for_are_folded(loaded):
    """Bounds, symbols and completeness hold for folded windows as for stored ones."""
    session = loaded.date
    asked = {"symbols": ["B"], "interval": 3, "start": session(11), "end": session(20)}
    before = from_database(loaded, **asked)
    assert before["last_session"].to_pylist() == [session(11), session(14), session(17)]
    assert from_database(loaded, **asked, include_open=True)["is_complete"].to_pylist() == [True] * 3 + [
        False
    ]
    loaded.resample()
    assert from_database(loaded, **asked).equals(before)


def test_withdrawn_bars_are_gone_at_once(loaded):
    """The vendor takes back all of B's sessions 10 to 19; the bars of A stay in the order of symbols."""
    loaded.resample()
    loaded.bars([bar("A", loaded.date(at)) for at in range(10, 20)], provider="massive", whole=(10, 19))
    table = from_database(loaded, interval=5)
    assert table["symbol"].to_pylist() == ["A"] * 4 + ["B"] * 2


def test_a_split_adjusts_at_once(loaded):
    """A 2-for-1 split in the midst of window 2 of interval 5 (10 to 14), before any resampling."""
    loaded.resample()
    before = from_database(loaded, symbols=["A"], interval=5)
    loaded.splits([split("A", loaded.date(12), 1, 2)])
    after = from_database(loaded, symbols=["A"], interval=5)
    halved = [close / 2 for close in before["close"].to_pylist()[:2]]
    assert after["close"].to_pylist() == [*halved, *before["close"].to_pylist()[2:]]
    assert isinstance(after["last_session"].to_pylist()[0], dt.date)
    loaded.resample()
    assert from_database(loaded, symbols=["A"], interval=5).equals(after)
