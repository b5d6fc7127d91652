"""A database that is built anew from the archive is the one that it was, row for row."""

import datetime as dt

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from condvest.batch_layer.fetching.check_archive import check_archive
from condvest.batch_layer.fetching.loading import loader
from condvest.batch_layer.processing.check_bars import check_bars
from tests.support.in_process import Program
from tests.support.payloads import BARS, bar, bars_payload, csv_of, dividend, split
from tests.support.strategies.market_events import any_loads
from tests.support.worlds.long_world import LongWorld, everything_in
from tests.support.worlds.playing import play

TWO_YEARS = 2 * 365 * 24 * 3600
lags = st.sampled_from([0, 0, 0, 1, 2, 5, TWO_YEARS, -TWO_YEARS])
histories = st.lists(st.tuples(lags, any_loads()), min_size=1, max_size=10)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=histories)
def test_a_rebuilt_database_is_the_same_row_for_row(lasting_world, history):
    """Every table, the bars too; and what was known when is told by the instants of the fetches.

    Payloads may have been fetched in another order than they were loaded, or by a clock that was wrong.
    """
    lasting_world.empty()
    for lasting_world.lag, what in history:
        play(lasting_world, what)
    lasting_world.resample()
    before = everything_in(lasting_world)
    assert list(check_archive(lasting_world.loader(), None, 0)) == []
    assert list(check_bars(lasting_world.workspace.database, lasting_world.sessions, None, 0)) == []
    if not lasting_world.archive.payloads:
        return
    lasting_world.rebuild()
    assert lasting_world.ask("SELECT load_id FROM loads WHERE loaded_at <> fetched_at") == []
    lasting_world.resample()
    assert everything_in(lasting_world) == before


@pytest.fixture
def long_world(workspace, sessions):
    """As ``lasting_world``, for one test alone."""
    world = LongWorld(workspace, sessions)
    yield world
    world.close()


def rebuilt(world):
    """Return what is held before and after a rebuild, the bars included."""
    world.resample()
    before = everything_in(world)
    world.rebuild()
    world.resample()
    return before, everything_in(world)


def test_a_b_a_ends_with_a(long_world):
    """The archive keeps A twice, though it has the same bytes."""
    a, b = ([bar("A", long_world.date(3), version)] for version in (0, 1))
    for rows in (a, b, a):
        long_world.bars(rows)
    before, after = rebuilt(long_world)
    assert after == before
    assert long_world.ask("SELECT close, load_id FROM daily_bars") == [(a[0]["close"], 3)]


def test_a_file_of_one_provider_comes_again_after_another_providers(long_world):
    """The newest payload of its own has the same bytes, but what it says is news once more."""
    a, b = ([bar("A", long_world.date(3), version)] for version in (0, 1))
    for provider, rows in (("file", a), ("mine", b), ("file", a)):
        long_world.bars(rows, provider=provider)
    before, after = rebuilt(long_world)
    assert after == before
    assert long_world.ask("SELECT close, load_id FROM daily_bars") == [(a[0]["close"], 3)]


def test_what_was_fetched_first_and_loaded_last_has_the_last_word_again(long_world):
    """Two imports at once: the second read its file later, and was the first to get hold of the lock."""
    a, b = ([bar("A", long_world.date(3), version)] for version in (0, 1))
    long_world.bars(b, provider="yours")
    long_world.lag = 60
    long_world.bars(a, provider="mine")
    before, after = rebuilt(long_world)
    assert after == before
    assert long_world.ask("SELECT close, load_id FROM daily_bars") == [(a[0]["close"], 2)]
    fetched = [at for (at,) in long_world.ask("SELECT fetched_at FROM loads ORDER BY load_id")]
    assert fetched[1] - fetched[0] == dt.timedelta(microseconds=1)


def test_a_clock_that_was_hours_ahead_moves_no_later_fetch(long_world):
    """What comes then keeps its own instant, or every load for years might be said to be of the future."""
    long_world.lag = -2 * 3600
    long_world.bars([bar("A", long_world.date(3))])
    long_world.lag = 0
    long_world.bars([bar("A", long_world.date(4))])
    ((first, second),) = long_world.ask("SELECT max(fetched_at), min(fetched_at) FROM loads")
    assert first - second == dt.timedelta(hours=2, seconds=-1)


@pytest.mark.parametrize(
    "lags",
    [
        (-TWO_YEARS, 0, 0),
        (TWO_YEARS, 0, 0),
        (0, TWO_YEARS, 0),
        (0, -TWO_YEARS, 0, -TWO_YEARS, TWO_YEARS, 0),
        (-3601, 0),
        (0, 3601),
    ],
)
def test_a_clock_that_was_wrong_does_not_decide_who_has_the_last_word(long_world, lags):
    """Seconds by which the clock was behind at each load of the same bar."""
    for version, long_world.lag in enumerate(lags):
        long_world.bars([bar("A", long_world.date(3), version)])
    kept = [key for (key,) in long_world.ask("SELECT archive_key FROM loads ORDER BY load_id")]
    assert list(long_world.archive.keys()) == kept
    before, after = rebuilt(long_world)
    assert after == before
    last = bar("A", long_world.date(3), len(lags) - 1)
    assert long_world.ask("SELECT close, load_id FROM daily_bars") == [(last["close"], len(lags))]


def test_what_an_earlier_version_kept_by_a_wrong_clock_is_named(long_world, monkeypatch):
    """Then the rebuild ends with the first; what is loaded from now on comes behind both."""
    with monkeypatch.context() as earlier:
        earlier.setattr(loader, "placed_after", lambda payload, _: payload)
        for version, years in enumerate((10, 0)):
            long_world.lag = -years * TWO_YEARS / 2
            long_world.bars([bar("A", long_world.date(3), version)], name=f"{version}.csv")
    (finding,) = check_archive(long_world.loader(), None, 0)
    assert finding.problem.startswith("load 2 (file/daily_bars/all/20240603T120002")
    assert "came after load 1 (file/daily_bars/all/2034" in finding.problem
    assert "after a rebuild, import 1.csv or fetch it again" in finding.problem
    long_world.bars([bar("A", long_world.date(3), 2)])
    assert len(list(check_archive(long_world.loader(), None, 0))) == 1
    long_world.rebuild()
    assert list(check_archive(long_world.loader(), None, 0)) == []
    last = bar("A", long_world.date(3), 2)
    assert long_world.ask("SELECT close, load_id FROM daily_bars") == [(last["close"], 3)]


def test_an_old_payload_of_the_archive_is_known_from_when_it_is_loaded(long_world):
    """Loads ascend with their instants: else what was known at one would be said wrong."""
    old = long_world.archive.keep(bars_payload([bar("A", long_world.date(3))]))
    long_world.bars([bar("A", long_world.date(4))], provider="mine")
    long_world.loader().load_archived(old)
    ((first, second),) = long_world.ask("SELECT min(loaded_at), max(loaded_at) FROM loads WHERE load_id < 3")
    assert first == second
    assert long_world.ask("SELECT load_id FROM loads WHERE fetched_at < loaded_at ORDER BY 1") == [(1,), (2,)]


def test_a_payload_that_was_archived_and_not_loaded_counts_when_it_is_loaded(long_world):
    """The database went away between the two; before the file came again, another was loaded."""
    a, b = ([bar("A", long_world.date(3), version)] for version in (0, 1))
    long_world.archive.keep(bars_payload(a))
    long_world.bars(b, provider="mine")
    long_world.bars(a)
    long_world.resample()
    names = ("daily_bars", "bars", "symbols")
    query = "SELECT instrument_id, ordinal, open, high, low, close FROM daily_bars"
    before = long_world.ask(query), {name: everything_in(long_world)[name] for name in names[1:]}
    long_world.rebuild()
    long_world.resample()
    assert (long_world.ask(query), {name: everything_in(long_world)[name] for name in names[1:]}) == before


def test_a_session_that_the_same_bytes_complete_later_is_complete_again(long_world):
    """10 rows look cut short beside five sessions of 30; nearer to twenty of 10 they do not."""
    many, few = [f"S{number}" for number in range(30)], [f"S{number}" for number in range(10)]

    def answer(ordinals, symbols):
        rows = [bar(symbol, long_world.date(at)) for at in ordinals for symbol in symbols]
        return long_world.bars(rows, provider="massive", whole=(ordinals[0], ordinals[-1]))

    answer(range(5), many)
    assert answer(range(200, 201), few).partial == (long_world.date(200),)
    # More than a year from the five, so that these are not compared with them.
    answer(range(260, 280), few)
    done = answer(range(200, 201), few)
    assert (done.altered, done.partial) == (0, ())
    assert long_world.ledger("massive")[200] == "complete"
    before, after = rebuilt(long_world)
    assert after == before


def test_what_could_not_be_read_is_passed_over_again_and_said(url, tmp_path, sessions):
    """By the command: a file without prices, one with a refused row, and a correction."""
    condvest = Program(url, tmp_path)
    files = {"bad.csv": b"no,prices\n1,2\n"}
    for name, version, broken in (("one.csv", 0, {"high": 0.01}), ("two.csv", 1, {})):
        rows = [bar("A", sessions.session(at), version) for at in range(30)]
        files[name] = csv_of(BARS, [*rows, bar("B", sessions.session(2), **broken)])
    for name, content in files.items():
        tmp_path.joinpath(name).write_bytes(content)
    condvest.done("import", *(tmp_path / name for name in files), code=1)
    shown = ("bars", "--interval", "5", "--include-open", "--format", "csv")
    before = condvest.done(*shown).out
    again = condvest("rebuild", "--from-archive")
    assert again.code == 2
    assert "the database holds loads already" in again.err
    assert "another CONDVEST_DATABASE_URL" in again.err
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "TRUNCATE loads, daily_bars, daily_bar_revisions, closed_bars, open_bars, symbols "
            "RESTART IDENTITY CASCADE"
        )
    report = condvest.done("rebuild", "--from-archive", "--json", code=3).json
    assert (report["inserted"], report["changed"], report["refused"]) == (31, 30, {"high_below_low": 1})
    assert condvest.done(*shown).out == before
    assert before.count("\n") == 1 + 6 + 1


def test_an_archive_without_payloads_is_named(url, tmp_path):
    ran = Program(url, tmp_path)("rebuild", "--from-archive")
    assert (ran.code, ran.err) == (2, "error: the archive is empty: there is nothing to rebuild from\n")


@pytest.mark.parametrize("kind", ["bars", "splits", "dividends"])
def test_what_is_known_no_more_stays_with_the_company_that_a_rename_sets_apart(long_world, kind):
    """B was given something on session 20 and lost it; then it is told that B was A from session 10 on."""
    long_world.bars([bar("B", long_world.date(3))])
    gave = {
        "bars": lambda rows: long_world.bars(
            [bar("C", long_world.date(20)), *(bar("B", long_world.date(20)) for _ in rows)],
            provider="sample",
            whole=(20, 20),
        ),
        "splits": lambda rows: long_world.splits(
            [split("B", long_world.date(20), 1, 2) for _ in rows], provider="sample", whole=True
        ),
        "dividends": lambda rows: long_world.dividends(
            [dividend("B", long_world.date(20), 0.5) for _ in rows],
            provider="sample",
            asked=(long_world.date(0), long_world.date(30)),
        ),
    }[kind]
    gave([1])
    gave([])
    table = {"bars": "daily_bar_revisions", "splits": "split_revisions", "dividends": "dividend_revisions"}
    last = f"(SELECT instrument_id FROM {table[kind]})"
    before = long_world.ask(f"SELECT symbol FROM symbols WHERE instrument_id = {last}")
    play(long_world, ("stated", {(10, "B"): "A"}))
    after = long_world.ask(
        f"SELECT symbol, valid_from > '1962-01-10' FROM symbols WHERE instrument_id = {last} ORDER BY 1"
    )
    assert (before, after) == ([("B",)], [("B", True)])
    assert list(check_archive(long_world.loader(), None, 0)) == []
    stored, anew = rebuilt(long_world)
    assert anew == stored
