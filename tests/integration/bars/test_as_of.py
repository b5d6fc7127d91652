"""What was known at an instant is what a reader got then: daily, resampled, adjusted, and metadata.

Symbols are not versioned (see docs/transactions.md), so nothing is renamed here.
"""

import datetime as dt
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import condvest
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.settings import INTERVALS
from condvest.serving_layer.queries.bars.bars_table import read_bars
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.queries.instruments import read_instruments
from tests.support.in_process import Program
from tests.support.naive.state import State, names_of, rows_read
from tests.support.payloads import bar, split
from tests.support.strategies.market_events import (
    dividend_loads,
    file_imports,
    listing_loads_without_figis,
    ordinals,
    repeats,
    split_loads,
    vendor_answers,
)
from tests.support.worlds.playing import play, play_all

histories = st.lists(
    st.one_of(
        file_imports(),
        file_imports(),
        vendor_answers(),
        split_loads(),
        dividend_loads(),
        listing_loads_without_figis(),
        repeats(),
    ),
    max_size=8,
)


def answer(world, **asked):
    table = read_bars(world.workspace.database, world.sessions, Question(**asked))
    return rows_read(table)


def metadata(world, as_of):
    """Return (instrument, field, value) of what `instruments` tells, null left out."""
    table = read_instruments(world.workspace, as_of=as_of)
    return [
        (row["instrument_id"], name, row[name])
        for row in sorted(table.to_pylist(), key=lambda row: row["instrument_id"])
        for name in ("active", "name")
        if row[name] is not None
    ]


def moment(world):
    """Return this instant by the database's clock, and all that is known at it."""
    return SimpleNamespace(at=world.number("SELECT clock_timestamp()"), state=State.of(world.looking))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    history=histories,
    n=st.sampled_from([1, 4, *INTERVALS]),
    adjust=st.sampled_from(["none", "splits", "total"]),
    anchor=st.sampled_from(["calendar", "calendar", "listing"]),
)
def test_at_every_instant_between_loads_the_answer_is_that_of_then(lasting_world, history, n, adjust, anchor):
    """By the naive model from what the tables held then, open bars with and without."""
    lasting_world.empty()
    moments = [moment(lasting_world)]
    for what in history:
        play(lasting_world, what)
        moments.append(moment(lasting_world))
    names = names_of(lasting_world.looking)
    for then in moments:
        asked = {"interval": n, "adjust": adjust, "anchor": anchor, "as_of": then.at}
        expected = then.state.bars(n, adjust, names, listing=anchor == "listing")
        assert answer(lasting_world, include_open=True, **asked) == expected
        assert answer(lasting_world, **asked) == [row for row in expected if row[-1]]
        told = [
            (one, name, value == "true" if name == "active" else value)
            for one, name, value in then.state.metadata
        ]
        assert metadata(lasting_world, then.at) == told


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=histories, n=st.sampled_from([1, 5, 6]), at=ordinals)
def test_the_present_is_an_instant_like_any_other(lasting_world, history, n, at):
    """Stored bars and folded ones, whole histories and parts of them, are told alike."""
    lasting_world.empty()
    play_all(lasting_world, history)
    lasting_world.resample()
    now = lasting_world.number("SELECT clock_timestamp()")
    for adjust in ("none", "splits", "total"):
        asked = {"interval": n, "adjust": adjust, "include_open": True, "start": lasting_world.date(at)}
        assert answer(lasting_world, as_of=now, **asked) == answer(lasting_world, **asked)


@pytest.fixture
def corrected(world):
    """A over 40 sessions; then session 20 is corrected, then a split is learned of, then 30 is withdrawn."""
    rows = [bar("A", world.date(at)) for at in range(40)]
    moments = [moment(world)]
    for load in (
        lambda: world.bars(rows, provider="massive", whole=(0, 39)),
        lambda: world.bars([bar("A", world.date(20), 1)], provider="massive", whole=(20, 20)),
        lambda: world.splits([split("A", world.date(25))]),
        lambda: world.bars([], provider="massive", whole=(30, 30)),
        lambda: world.bars(rows[:30] + rows[31:], provider="mine"),
    ):
        load()
        world.resample()
        moments.append(moment(world))
    return SimpleNamespace(world=world, moments=moments, rows=rows)


def test_before_everything_there_was_nothing(corrected):
    world, before = corrected.world, corrected.moments[0].at
    for interval in (1, *INTERVALS):
        assert answer(world, interval=interval, include_open=True, as_of=before) == []
    assert len(read_instruments(world.workspace, as_of=before)) == 0
    assert len(answer(world, interval=1, as_of=dt.datetime(1900, 1, 1, tzinfo=dt.UTC))) == 0


def test_a_load_counts_from_the_very_instant_at_which_it_was_stored(corrected):
    """A microsecond before, the one before it."""
    world, old = corrected.world, corrected.rows[20]["close"]
    new = bar("A", world.date(20), 1)["close"]
    (stored,) = world.ask("SELECT loaded_at FROM loads WHERE load_id = 2")[0]

    def close(at):
        asked = {"interval": 1, "adjust": "none", "start": world.date(20), "end": world.date(20)}
        ((found,),) = [row[5:6] for row in answer(world, as_of=at, **asked)]
        return found

    assert (close(stored - dt.timedelta(microseconds=1)), close(stored)) == (old, new)


def test_a_split_that_was_learned_of_later_was_not_known_before(corrected):
    """By hand: closes before session 25 halve once the split is known, with the split-adjusted view only."""
    world = corrected.world
    asked = {"interval": 1, "start": world.date(0), "end": world.date(0)}
    close = corrected.rows[0]["close"]
    for moment_, expected in zip(corrected.moments[1:4], (close, close, close / 2), strict=True):
        assert [row[5] for row in answer(world, as_of=moment_.at, **asked)] == [expected]


def test_an_instant_without_a_time_zone_is_refused(corrected):
    """It would be another instant on another machine; the command line takes it for UTC."""
    naive = dt.datetime(2024, 6, 3, 12)  # noqa: DTZ001  # that is the point
    workspace = corrected.world.workspace
    with pytest.raises(UsageError, match="2024-06-03 12:00:00 needs a time zone"):
        condvest.bars("A", as_of=naive, settings=workspace.settings)
    with pytest.raises(UsageError, match="needs a time zone"):
        read_instruments(workspace, as_of=naive)


def test_the_command_takes_an_instant_in_any_zone_or_a_date(corrected):
    """One instant in three spellings; a date is its end, and tomorrow is the present."""
    world = corrected.world
    program = Program(world.url, world.workspace.settings.home)
    shown = ("bars", "A", "--interval", "1", "--format", "csv", "--as-of")
    then = corrected.moments[1].at
    elsewhere = then.astimezone(dt.timezone(dt.timedelta(hours=-5)))
    texts = [then.isoformat(), then.replace(tzinfo=None).isoformat(), elsewhere.isoformat()]
    first, *others = [program.done(*shown, text).out for text in texts]
    assert others == [first, first]
    assert first.count("\n") == 1 + 40
    now = program.done(*shown[:-1]).out
    tomorrow = (then + dt.timedelta(days=1)).date().isoformat()
    yesterday = (then - dt.timedelta(days=1)).date().isoformat()
    assert program.done(*shown, tomorrow).out == now != first
    assert program.done(*shown, yesterday).out.count("\n") == 1
    refused = program(*shown, "last week")
    assert (refused.code, "expected an instant" in refused.err) == (2, True)
