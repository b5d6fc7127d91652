"""What fixes the windows: the calendar, or an instrument's listing; and how little a correction touches."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from condvest.batch_layer.shared.settings import INTERVALS
from condvest.serving_layer.queries.bars.bars_table import read_bars
from condvest.serving_layer.queries.bars.question import Question
from tests.support.in_process import Program
from tests.support.naive.state import State, names_of, rows_read
from tests.support.payloads import BARS, bar, csv_of
from tests.support.strategies.market_events import dividend_loads, file_imports, split_loads, vendor_answers
from tests.support.worlds.playing import play_all

histories = st.lists(
    st.one_of(file_imports(), file_imports(), vendor_answers(), split_loads(), dividend_loads()),
    min_size=1,
    max_size=6,
)


def answer(world, **asked):
    question = Question(include_open=True, **asked)
    return rows_read(read_bars(world.workspace.database, world.sessions, question))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=histories, n=st.one_of(st.sampled_from(INTERVALS), st.integers(1, 60)))
def test_windows_from_the_listing_are_those_of_the_naive_model(lasting_world, history, n):
    """Of several instruments that begin apart, adjusted in every way."""
    lasting_world.empty()
    play_all(lasting_world, history)
    lasting_world.resample()
    state, names = State.of(lasting_world.looking), names_of(lasting_world.looking)
    for adjust in ("none", "splits", "total"):
        expected = state.bars(n, adjust, names, listing=True)
        assert answer(lasting_world, interval=n, adjust=adjust, anchor="listing") == expected
        assert answer(lasting_world, interval=n, adjust=adjust) == state.bars(n, adjust, names)


@pytest.mark.parametrize("interval", [*INTERVALS, 7, 20])
def test_dropping_old_history_changes_no_later_window_of_the_calendar(world, interval):
    """Sessions 0 to 99 are let go, of one instrument all of the first 150; a listing's windows do move."""
    world.bars([bar(symbol, world.date(at)) for symbol in ("A", "B") for at in range(200)])
    world.resample()
    before = {how: answer(world, interval=interval, anchor=how) for how in ("calendar", "listing")}
    dropped = "DELETE FROM daily_bars WHERE ordinal < CASE instrument_id WHEN %s THEN 150 ELSE 100 END"
    world.looking.execute(dropped, (world.instrument("B"),))
    world.resample(full=True)
    after = {how: answer(world, interval=interval, anchor=how) for how in ("calendar", "listing")}
    kept = {"A": 100, "B": 150}
    later = [row for row in before["calendar"] if row[1] * interval >= kept[row[0]]]
    assert [row for row in after["calendar"] if row[1] * interval >= kept[row[0]]] == later
    assert len(later) >= 4
    assert after["listing"] != before["listing"]


def test_a_correction_among_many_bars_recomputes_six_windows_and_says_so(world, tmp_path):
    """Of 60,000 daily bars one changes; it lies in one window of each interval."""
    names = [f"S{number}" for number in range(60)]
    world.bars([bar(name, world.date(at)) for name in names for at in range(1000)])
    world.resample()
    condvest = Program(world.url, world.workspace.settings.home)
    file = tmp_path / "correction.csv"
    file.write_bytes(csv_of(BARS, [bar("S30", world.date(500), 1)]))
    before = world.ask("SELECT t::text FROM bars t ORDER BY 1")
    ran = condvest.done("import", file)
    assert f"{file}: 1 daily bars: 0 inserted, 1 changed, 0 unchanged\n" in ran.err
    assert "resampled 6 windows: 0 bars inserted, 6 changed, 0 removed, 0 unchanged\n" in ran.err
    after = world.ask("SELECT t::text FROM bars t ORDER BY 1")
    assert len(set(before) - set(after)) == len(set(after) - set(before)) == 6
    file.write_bytes(csv_of(BARS, [bar("S30", world.date(500), 2)]))
    assert condvest.done("import", file, "--json").json["resampled"] == {
        "windows": {str(interval): 1 for interval in INTERVALS},
        "inserted": 0,
        "changed": 6,
        "removed": 0,
        "unchanged": 0,
    }
