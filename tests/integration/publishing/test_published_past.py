"""What was known at any instant is told by the published files as by the database, after any history."""

import datetime as dt
import json
from functools import partial
from itertools import chain, product

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from condvest.batch_layer.database.stores import status
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.errors import CondvestError, UsageError
from condvest.batch_layer.shared.models.loads import EVERY_LOAD
from condvest.serving_layer.queries.actions import read_dividends, read_splits
from condvest.serving_layer.queries.bars.bars_table import read_bars_from
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.queries.history import published_history, read_history
from condvest.serving_layer.queries.reports.gaps import published_gaps, read_gaps
from condvest.serving_layer.queries.universe import read_universe
from condvest.serving_layer.sources.database import reading
from condvest.serving_layer.sources.published import PublishedSource
from condvest.serving_layer.sources.published_loaded import loaded_through
from condvest.serving_layer.sources.published_past import as_known
from tests.support.payloads import bar, split
from tests.support.publishing import published
from tests.support.strategies.open_transactions import histories_with_open_transactions
from tests.support.worlds.playing import play

QUESTIONS = [
    {"interval": 1, "include_open": True, "adjust": "none"},
    {"interval": 3, "include_open": True},
    {"interval": 4, "include_open": True, "anchor": "listing", "unique_symbols": True},
    {"interval": 5, "include_open": True, "adjust": "total"},
]


def answer(read, *asked):
    """Return the table, or what is refused and why."""
    try:
        return read(*asked)
    except CondvestError as error:
        return f"{type(error).__name__}: {error}"


def same(one, other):
    return one == other if isinstance(one, str) or isinstance(other, str) else one.equals(other)


def reads_of(world, instant):
    yield from (partial(_bars, Question(**asked, as_of=instant)) for asked in QUESTIONS)
    yield lambda source: read_splits(source, None, None, None)
    yield lambda source: read_dividends(source, None, None, None)
    yield lambda source: read_universe(source, world.date(3))


def _bars(question, source):
    return read_bars_from(source, question)


def check(world, place):
    """Compare what both sources say of each instant at which something was loaded, and of one before."""
    published(world, place)
    files = PublishedSource.open(place)
    assert loaded_through(files) == through(world, EVERY_LOAD)
    instants = [row[0] for row in world.ask("SELECT loaded_at FROM loads ORDER BY 1")]
    for instant in [instants[0] - dt.timedelta(seconds=1), *instants]:
        past = as_known(files, instant)
        assert loaded_through(files, past.known_by) == through(world, past.known_by)
        with reading(world.workspace.database, world.sessions, instant) as stored:
            for read in reads_of(world, instant):
                assert same(answer(read, past), answer(read, stored)), instant
    assert published_gaps(files, []).equals(read_gaps(world.workspace, []))
    for asked in product(("A", "B", "b"), (None, world.date(2))):
        stored = answer(read_history, world.workspace, *asked)
        assert same(answer(published_history, files, *asked), stored), asked


def through(world, known_by):
    """Return the last session of each provider, as the database tells it."""
    with world.workspace.database.transaction() as connection:
        last = status.loaded_through(connection, known_by)
    return {provider: world.sessions.session(ordinal).isoformat() for provider, ordinal in last.items()}


BOUNDED = settings(
    max_examples=2,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
HISTORIES = histories_with_open_transactions(7).map(
    lambda events: [event for event in events if event[0] not in ("begin", "commit", "roll back")]
)


def played(world, history, tmp_path_factory):
    world.empty()
    world.bars([bar(one, world.date(at)) for one in ("A", "B") for at in range(-1, 4)])
    for event in history:
        play(world, event)
    check(world, DirectoryTarget(tmp_path_factory.mktemp("published") / "here"))


@BOUNDED
@given(history=HISTORIES)
def test_the_past_is_told_as_by_the_database(lasting_world, tmp_path_factory, history):
    played(lasting_world, history, tmp_path_factory)


@pytest.mark.long
@settings(parent=BOUNDED, max_examples=200, phases=list(Phase))
@given(history=st.lists(HISTORIES, max_size=3).map(lambda parts: list(chain.from_iterable(parts))))
def test_the_past_is_told_as_by_the_database_for_long(lasting_world, tmp_path_factory, history):
    played(lasting_world, history, tmp_path_factory)


def test_corrections_of_several_years_over_several_publications(lasting_world, target):
    """Bars over a turn of the year, corrected, withdrawn and corrected again, and a split taken back."""
    world = lasting_world
    world.empty()
    at = range(248, 258)  # of 1962 and 1963
    assert {world.date(each).year for each in at} == {1962, 1963}
    world.bars([bar("A", world.date(each)) for each in at], provider="massive", whole=(at[0], at[-1]))
    check(world, target)
    world.splits([split("A", world.date(253), 1, 2)], provider="massive", whole=True)
    world.bars([bar("A", world.date(249), 1), bar("B", world.date(255))], provider="massive")
    check(world, target)
    world.bars([bar("A", world.date(each), 2) for each in at[1:]], provider="massive", whole=(at[0], at[-1]))
    world.splits([], provider="massive", whole=True)
    check(world, target)
    manifest = PublishedSource.open(target).manifest
    revisions = manifest.files["daily_bar_revisions"]
    assert [file.part for file in revisions] == ["1962", "1963"]
    assert sum(file.rows for file in revisions) == world.number("SELECT count(*) FROM daily_bar_revisions")
    assert sum(file.rows for file in revisions) >= 10


def test_a_load_that_changes_nothing_makes_no_version(lasting_world, target):
    world = lasting_world
    world.empty()
    rows = [bar("A", world.date(each)) for each in range(4)]
    world.bars(rows, provider="massive", whole=(0, 3))
    first = published(world, target)
    world.bars(rows[:3], provider="massive")
    assert world.number("SELECT count(*) FROM loads") == 2
    again = published(world, target)
    assert (first.is_new, again.is_new, again.version) == (True, False, 1)
    world.bars([bar("A", world.date(3), 1)], provider="massive")
    assert published(world, target).version == 2
    assert len(PublishedSource.open(target).small("loads")) == 3


def test_what_an_earlier_version_published_is_read_and_has_no_past(lasting_world, target, tmp_path):
    """Its manifest knows no data sets of the history."""
    world = lasting_world
    world.empty()
    world.bars([bar("A", world.date(each)) for each in range(4)])
    published(world, target)
    path = tmp_path / "published" / "manifest.json"
    document = json.loads(path.read_text())
    del document["history"], document["history_schema"]
    path.write_text(json.dumps(document))
    source = PublishedSource.open(target)
    question = Question(interval=1, include_open=True)
    with reading(world.workspace.database, world.sessions) as stored:
        assert read_bars_from(source, question).equals(read_bars_from(stored, question))
    assert len(published_gaps(source, [])) == 0
    for refused in (
        lambda: as_known(source, dt.datetime.now(dt.UTC)),
        lambda: published_history(source, "A", None),
    ):
        with pytest.raises(
            UsageError, match=r"version 1 of what is published has no history.*condvest publish"
        ):
            refused()
    assert published(world, target).version == 2
    assert as_known(PublishedSource.open(target), dt.datetime.now(dt.UTC)) is not None
