"""Whether a database is fresh, by a clock that the tests set (acceptance 2 of users.md)."""

import datetime as dt
from dataclasses import replace

import pytest

from condvest.batch_layer.operations.report import recorded
from condvest.batch_layer.shared.errors import SettingsError, Terminated, UsageError, VendorUnavailable
from condvest.serving_layer.queries.reports.freshness import not_fresh
from condvest.serving_layer.queries.reports.runs import read_runs
from condvest.serving_layer.queries.reports.status import read_status
from tests.support.in_process import Program
from tests.support.payloads import bar

MONDAY = dt.date(2024, 5, 13)


def evening(date):
    """An instant after the close of a date in New York."""
    return dt.datetime(date.year, date.month, date.day, 23, tzinfo=dt.UTC)


@pytest.fixture
def weeks(world):
    """Massive's sessions from 2024-05-06 to Monday 2024-05-13, whole."""
    first, last = map(world.sessions.ordinal, (dt.date(2024, 5, 6), MONDAY))
    for ordinal in range(first, last + 1):
        world.bars([bar("A", world.date(ordinal))], whole=(ordinal, ordinal), provider="massive")
    return world


def state_at(world, now):
    workspace = replace(world.workspace, now=now)
    return read_status(workspace), now


def test_acceptance_2_a_clock_a_week_later_says_5_behind(weeks):
    state, now = state_at(weeks, evening(MONDAY))
    assert [entry["behind"] for entry in state["providers"]] == [0]
    assert not_fresh(state, now, 0) == []
    state, now = state_at(weeks, evening(dt.date(2024, 5, 20)))
    assert (state["closed"], [entry["behind"] for entry in state["providers"]]) == ("2024-05-20", [5])
    assert not_fresh(state, now, 5) == []
    assert not_fresh(state, now, 4) == [
        (
            "massive is 5 sessions behind: its last is 2024-05-13, the exchange closed 2024-05-20; "
            "run: condvest run --provider massive"
        )
    ]


def test_a_calendar_that_ended_before_today_hides_nothing(weeks):
    """Two years without a run: the stored calendar ends, the exchange went on."""
    last = weeks.sessions.date[-1].item()
    state, now = state_at(weeks, evening(last + dt.timedelta(days=400)))
    (entry,) = state["providers"]
    closed_of_stored = int((weeks.sessions.date > MONDAY).sum())
    assert 270 < entry["behind"] - closed_of_stored < 285  # 400 days have some 276 sessions
    assert not_fresh(state, now, 5)[0].startswith("massive is ")


def test_a_session_cut_short_is_not_fresh(weeks):
    after = weeks.sessions.ordinal(MONDAY) + 1
    weeks.bars([], whole=(after, after), provider="massive")
    state, now = state_at(weeks, evening(weeks.date(after)))
    assert not_fresh(state, now, 1) == ["massive has 1 partial sessions; see: condvest gaps"]
    assert not_fresh(state, now, 0)[0].startswith("massive is 1 sessions behind")


def test_what_ends_by_itself_does_not_count_as_fresh(world):
    state, now = state_at(world, evening(MONDAY))
    assert not_fresh(state, now, 9) == [
        "no provider with new sessions is loaded (nothing is loaded); begin with condvest run --provider NAME"
    ]
    world.bars([bar("A", MONDAY)], provider="sample")
    state, now = state_at(world, evening(MONDAY))
    assert [entry["behind"] for entry in state["providers"]] == [None]
    assert "only sample, which ends by itself" in not_fresh(state, now, 9)[0]


def test_imported_files_are_checked_where_nobody_is_asked_or_by_name(weeks):
    now = evening(dt.date(2024, 5, 20))
    weeks.bars([bar("B", dt.date(2024, 5, 1))], provider="file")
    state, _ = state_at(weeks, now)
    assert [reason.split()[0] for reason in not_fresh(state, now, 1)] == ["massive"]
    assert [reason.split()[0] for reason in not_fresh(state, now, 1, ["file"])] == ["file"]
    assert not_fresh(state, now, 99, ["nobody"]) == ["nobody: nothing is loaded"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (VendorUnavailable("away"), 1),
        (UsageError("no such provider"), 2),
        (SettingsError("not a number"), 2),
        (KeyboardInterrupt(), 1),
        (Terminated(), 1),
        (ZeroDivisionError("a fault of the program"), 1),
    ],
)
def test_a_run_that_fails_is_recorded_with_the_code_of_the_command(weeks, error, code):
    with pytest.raises(type(error)), recorded(weeks.workspace, "run --provider massive"):
        raise error
    (run,) = read_runs(weeks.workspace, 1).to_pylist()
    assert (run["command"], run["exit_code"]) == ("run --provider massive", code)
    assert run["failure"]
    state, now = state_at(weeks, evening(MONDAY))
    assert f"ended with exit code {code}; see: condvest runs" in not_fresh(state, now, 1)[0]


def test_on_batch_a_stop_by_sigterm_is_recorded_as_it_exits(weeks, monkeypatch):
    monkeypatch.setenv("CONDVEST_BATCH", "1")
    with pytest.raises(Terminated), recorded(weeks.workspace, "resample"):
        raise Terminated
    assert read_runs(weeks.workspace, 1)["exit_code"].to_pylist() == [143]


def test_a_run_that_was_killed_a_day_ago_is_not_fresh(weeks):
    began = evening(MONDAY)
    weeks.looking.execute("INSERT INTO runs (command, started_at) VALUES ('run', %s)", (began,))
    state, now = state_at(weeks, began + dt.timedelta(hours=3))
    assert not_fresh(state, now, 1) == []
    state, now = state_at(weeks, began + dt.timedelta(hours=25))
    assert "was killed" in not_fresh(state, now, 2)[0]


def test_a_provider_is_checked_or_refused(world, url, tmp_path):
    world.bars([bar("A", world.date(0))])
    refused = Program(url, tmp_path)("status", "--provider", "yahoo")
    assert (refused.code, "--provider names what --check looks at" in refused.err) == (2, True)
