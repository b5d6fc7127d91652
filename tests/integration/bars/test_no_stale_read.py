"""Every read equals the full fold of the daily bars in its own snapshot, whatever waits to be resampled."""

import datetime as dt
from itertools import product
from pathlib import Path

import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from condvest.batch_layer.operations.publish import publish_all
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.settings import INTERVALS
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.queries.bars.bars_table import read_bars_from
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.sources.published import PublishedSource
from tests.support.naive.state import State, names_of, rows_read
from tests.support.payloads import bar, split
from tests.support.publishing import from_database
from tests.support.strategies.market_events import any_loads, bar_changes, dividend_loads, shard_resamplings
from tests.support.worlds.playing import play

events = st.one_of(bar_changes(), bar_changes(), any_loads(), shard_resamplings())
steps = st.lists(events, min_size=1, max_size=8)
changes = st.lists(st.one_of(events, dividend_loads()), min_size=1, max_size=3)


def check_reads(world):
    """Compare every stored interval, and one that is not stored, with the naive model."""
    names, state = names_of(world.looking), State.of(world.looking)
    for interval in (*INTERVALS, 4):
        for adjust in ("none", "splits"):
            table = from_database(world, interval=interval, adjust=adjust, include_open=True)
            assert rows_read(table) == state.bars(interval, adjust, names)
            # One symbol is read by another statement than the whole market. A symbol may pass from one
            # instrument to another, so the former one is asked for by its label.
            how = {"interval": interval, "adjust": adjust}
            table = from_database(world, **how, include_open=True, unique_symbols=True)
            for name in table["symbol"].unique().to_pylist():
                asked = {"symbols": [name], **how}
                own = table.filter(pc.equal(table["symbol"], name))
                assert from_database(world, **asked, include_open=True).equals(own)
                assert from_database(world, **asked).equals(own.filter(own["is_complete"]))


def check_served(world, backend):
    """Compare what a server reads, as `condvest serve` does, by each adjustment and anchor."""
    names, state = names_of(world.looking), State.of(world.looking)
    for adjust, anchor in product(("none", "splits", "total"), ("calendar", "listing")):
        asked = {"interval": 5, "adjust": adjust, "anchor": anchor, "include_open": True}
        expected = state.bars(5, adjust, names, listing=anchor == "listing")
        with backend.reading() as (source, _):
            assert rows_read(read_bars_from(source, Question(**asked))) == expected
        assert rows_read(from_database(world, **asked)) == expected


class Published:
    """What is published of a world, and what was to be read of it when it was."""

    def __init__(self, world, target):
        self.world, self.target = world, target
        self.publish()

    def publish(self):
        publish_all(self.world.workspace, Path(self.target.name))
        self.load = self.world.number("SELECT coalesce(max(load_id), 0) FROM loads")
        self.names, self.state = names_of(self.world.looking), State.of(self.world.looking)

    def check(self):
        """Compare with the state that it says it holds, whatever has been loaded since."""
        source = PublishedSource.open(self.target)
        assert source.manifest.through_load <= self.load
        for interval, adjust in product((1, 3, 13, 4), ("none", "splits", "total")):
            asked = Question(interval=interval, adjust=adjust, include_open=True)
            found = rows_read(read_bars_from(source, asked))
            assert found == self.state.bars(interval, adjust, self.names)


@settings(
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=steps)
def test_every_read_is_right_after_every_step(lasting_world, history):
    """Whatever is loaded, renamed or resampled, in any order: a reader sees at once what each step did."""
    lasting_world.empty()
    for step in history:
        play(lasting_world, step)
        check_reads(lasting_world)


@settings(
    max_examples=5,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=changes, again=st.integers(0, 2))
def test_every_reader_is_right_after_every_step(lasting_world, tmp_path_factory, history, again):
    """A server sees at once what each step did; a published version stays what it was until the next one."""
    world = lasting_world
    world.empty()
    world.bars([bar(symbol, world.date(at)) for symbol in "AB" for at in range(9)], whole=(0, 8))
    data = Published(world, DirectoryTarget(tmp_path_factory.mktemp("published")))
    backend = DatabaseBackend(world.workspace.settings)
    try:
        for at, step in enumerate(history):
            play(world, step)
            check_served(world, backend)
            data.check()
            if at == again:
                data.publish()
                data.check()
    finally:
        backend.close()


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
