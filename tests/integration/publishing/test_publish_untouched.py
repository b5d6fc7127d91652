"""Publications that look only at parts in which something was stored are those that look at everything."""

from dataclasses import fields, replace
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from condvest.batch_layer.database.stores import touched
from condvest.batch_layer.processing import first_build
from condvest.batch_layer.processing.publishing import new_version, plan
from condvest.batch_layer.processing.publishing.publish import publish
from condvest.batch_layer.shared.clients.publish_targets.directory import DirectoryTarget
from condvest.batch_layer.shared.published.parts import DIVIDED, compacting_starts
from condvest.batch_layer.shared.published.versions import current_manifest
from tests.support.in_process import Program
from tests.support.publishing import correct, published
from tests.support.strategies.market_events import any_loads, bar_changes, shard_resamplings
from tests.support.worlds.playing import play

steps = st.lists(
    st.one_of(
        bar_changes(),
        any_loads(),
        shard_resamplings(),
        st.sampled_from(["rebuild", "build", "compact", "nothing"]).map(lambda kind: (kind,)),
        st.tuples(st.just("calendar"), st.integers(37, 60)),
        st.tuples(st.just("monthly"), st.sampled_from([1, 1_000])),
    ),
    min_size=2,
    max_size=6,
)


def compact(world):
    with world.workspace.database.transaction() as connection:
        touched.compact(connection, compacting_starts(world.sessions))


STEPS = {
    "rebuild": lambda world: world.rebuild() if world.archive.payloads else None,
    "build": lambda world: first_build.build(world.workspace.database, world.sessions),
    "compact": compact,
    "nothing": lambda _world: None,
}


def without_session(sessions, ordinal):
    """Return a calendar that lacks the date of an ordinal, so that all later dates move up."""
    at = ordinal - sessions.first_ordinal
    return replace(
        sessions,
        **{
            column.name: np.delete(getattr(sessions, column.name), at)
            for column in fields(sessions)
            if column.name != "first_ordinal"
        },
    )


def check_history(world, folder, history):
    """Publish after each step, upon the version before and from nothing: both name the same files."""
    world.empty()
    plan.MONTHLY = 1
    kept, numbers, calendar = DirectoryTarget(folder / "kept"), count(), world.sessions
    for kind, *details in history:
        if kind == "calendar":
            calendar = without_session(world.sessions, *details)
        elif kind == "monthly":
            [plan.MONTHLY] = details
        elif kind == "build":
            world.looking.execute("TRUNCATE closed_bars, open_bars")
            compare(world, kept, folder / str(next(numbers)), calendar)
            STEPS[kind](world)
        elif kind in STEPS:
            STEPS[kind](world)
        else:
            play(world, (kind, *details))
        compare(world, kept, folder / str(next(numbers)), calendar)


def compare(world, kept, place, calendar):
    """Resample and publish in both places, and compare."""
    world.resample()
    fresh = DirectoryTarget(place)
    for target in (kept, fresh):
        publish(world.workspace.database, calendar, target, world.workspace.now)
    own, full = ({**current_manifest(target).files} for target in (kept, fresh))
    for files in (own, full):
        del files["loads"]  # a load that changed nothing makes no version
    assert own == full
    check_counts(world)


def check_counts(world):
    """Compare what transactions said of the rows that they added with the rows that there are."""
    with world.workspace.database.transaction(read_only=True) as connection:
        known = touched.rows_of(connection, tuple(DIVIDED))
        unknown = connection.execute("SELECT count(*) FROM touched WHERE rows IS NULL").fetchone()
    counted = {name: world.looking.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in DIVIDED}
    assert (known, unknown) == (counted, (0,))


UNPROVOKED = {"suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
EVERYTHING = [
    ("answer", "massive", 0, 20, 0, 1.0, 1),
    ("import", "file", {("A", -3): 1, ("A", 1): 1}),
    ("build",),
    ("compact",),
    ("calendar", 40),
    ("nothing",),
    ("rebuild",),
    ("stated", {(3, "A"): "b"}),
    ("answer", "massive", 2, 4, 1, 0.3, 2),
    ("monthly", 1_000),
    ("answer", "massive", 3, 5, 1, 0.3, 3),
    ("monthly", 1),
]
"""A market, a correction and an earlier year, a first build, and so on: each kind of step at least once."""


@pytest.fixture(autouse=True)
def division(monkeypatch):
    """Let a history begin with the newest year by month, and leave the limit as it was."""
    monkeypatch.setattr(plan, "MONTHLY", 1)


def test_after_each_kind_of_step_the_files_are_those_of_a_full_publication(
    lasting_world, tmp_path, monkeypatch
):
    monkeypatch.setattr(touched, "MANY", 0)
    check_history(lasting_world, tmp_path, EVERYTHING)


@settings(max_examples=3, **UNPROVOKED)
@given(history=steps)
def test_after_every_step_the_files_are_those_of_a_full_publication(lasting_world, tmp_path_factory, history):
    check_history(lasting_world, tmp_path_factory.mktemp("published"), history)


@pytest.mark.long
@settings(max_examples=60, **UNPROVOKED)
@given(history=steps)
def test_of_many_histories_after_every_step(lasting_world, tmp_path_factory, history):
    check_history(lasting_world, tmp_path_factory.mktemp("published"), history)


class TestWhatNobodyAnnounced:
    """Rows that were altered by SQL, around Condvest."""

    @pytest.mark.parametrize(
        "table", ["daily_bars", "daily_bars_1", "closed_bars", "closed_bars_13", "open_bars"]
    )
    def test_is_published_anew(self, year_turn, target, table):
        published(year_turn, target)
        assert altered(year_turn, table) > 0
        summary = published(year_turn, target)
        assert (summary.checked, summary.is_new, summary.unrecorded) == (False, True, [])
        assert published(year_turn, target, check=True).is_new is False

    @pytest.mark.parametrize("table", ["daily_bars", "daily_bar_revisions", "closed_bars_13"])
    def test_is_found_by_a_check_though_no_trigger_saw_it(self, year_turn, target, table):
        correct(year_turn, 1)
        published(year_turn, target)
        assert altered(year_turn, table, unseen=True) > 0
        assert published(year_turn, target).is_new is False
        summary = published(year_turn, target, check=True)
        assert (summary.checked, summary.is_new) == (True, True)
        assert {part.split(" of ")[0] for part in summary.unrecorded} == {table.removeprefix("closed_")}
        assert published(year_turn, target, check=True).unrecorded == []

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE symbols SET symbol = symbol || 'X' WHERE symbol = 'A'",
            "DELETE FROM instrument_providers WHERE instrument_id = 1",
            "UPDATE splits SET split_to = 5 WHERE instrument_id = 1",
            "INSERT INTO split_revisions VALUES (1, '2021-12-01', 1, 2, 1, 2)",
            "UPDATE dividends SET cash_amount = 0.125",
            "INSERT INTO dividend_revisions VALUES (1, '2021-12-01', 0.5, 1, 2)",
            "UPDATE ledger SET status = 'partial', completed_by = NULL",
            "TRUNCATE splits",
        ],
    )
    def test_of_the_small_tables_is_published_anew(self, year_turn, target, statement):
        published(year_turn, target)
        assert published(year_turn, target).is_new is False
        year_turn.looking.execute(statement)
        assert published(year_turn, target).is_new is True
        assert published(year_turn, target, check=True).is_new is False

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_is_recorded_though_a_part_of_the_transaction_was_taken_back(self, year_turn, target, when):
        published(year_turn, target)
        with year_turn.workspace.database.transaction() as connection:
            for part in ("before", "after"):
                with connection.transaction(force_rollback=part != when):
                    connection.execute("UPDATE symbols SET symbol = symbol || 'X' WHERE symbol = 'A'")
        assert published(year_turn, target).is_new is True

    @pytest.mark.parametrize("table", ["daily_bars", "closed_bars_13", "closed_bars", "open_bars"])
    def test_is_counted_anew(self, year_turn, target, table):
        """Until somebody publishes by every question, from then on by the record."""
        published(year_turn, target)
        key = {"daily_bars": "ordinal", "open_bars": "window_3"}.get(table, "sessions")
        year_turn.looking.execute(f"DELETE FROM {table} WHERE instrument_id = 1 AND {key} > 3")
        for _ in range(2):
            with year_turn.workspace.database.transaction(read_only=True) as connection:
                known = touched.rows_of(connection, tuple(DIVIDED))
            for name, number in known.items():
                assert (number,) == year_turn.looking.execute(f"SELECT count(*) FROM {name}").fetchone()
            published(year_turn, target)
        check_counts(year_turn)

    def test_is_said_by_the_command(self, url, tmp_path, year_turn):
        program = Program(url, tmp_path)
        program.done("publish")
        altered(year_turn, "closed_bars_13", unseen=True)
        assert "nothing new" in program.done("publish").err
        said = program.done("publish", "--check").err
        assert "warning: rows of bars_13 of 2022 were changed, and not by Condvest" in said

    def test_is_found_by_the_version_that_is_checked_by_itself(self, year_turn, target, monkeypatch):
        """Here the third after one that was; what changed by itself lies in 2022, the corrections in 2021."""
        monkeypatch.setattr(new_version, "CHECK_EVERY", 3)
        done = [published(year_turn, target)]
        altered(year_turn, "closed_bars_13", unseen=True)
        for number in range(4):
            correct(year_turn, number)
            done.append(published(year_turn, target))
        assert [summary.checked for summary in done] == [True, False, False, True, False]
        assert [bool(summary.unrecorded) for summary in done] == [False, False, False, True, False]

    def test_is_not_looked_for_again_and_again_if_nothing_is_loaded(self, year_turn, target, monkeypatch):
        monkeypatch.setattr(new_version, "CHECK_EVERY", 1)
        published(year_turn, target)
        assert published(year_turn, target).checked is False


def altered(world, table, *, unseen=False):
    """Raise the volume of the rows of a year; return how many."""
    if table == "open_bars":
        return world.looking.execute("UPDATE open_bars SET volume_5 = volume_5 + 1").rowcount
    if unseen:
        world.looking.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    key = '"window" * "interval"' if table.startswith("closed_bars") else "ordinal"
    changed = world.looking.execute(
        f"UPDATE {table} SET volume = volume + 1 WHERE {key} > %s AND {key} < %s",
        [world.sessions.ordinals_on_or_after(np.array([date], "datetime64[D]"))[0].item() for date in WITHIN],
    ).rowcount
    if unseen:
        world.looking.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    return changed


WITHIN = ("2021-10-01", "2022-11-01")
