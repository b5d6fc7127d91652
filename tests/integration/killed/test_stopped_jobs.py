"""A job that is stopped resamples what it has stored; where it cannot, it says so, and others what waits."""

import pytest

from condvest.batch_layer.operations import nightly, screening
from condvest.batch_layer.operations.import_files import import_files
from condvest.batch_layer.operations.report import recorded
from condvest.batch_layer.shared.errors import DatabaseUnavailable
from tests.support.in_process import Program
from tests.support.payloads import BARS, bar, csv_of


@pytest.fixture
def condvest(world):
    return Program(world.url, world.workspace.settings.home)


def stopping(error, after=1):
    """Return what is called after each load, and raises when so many are stored."""
    seen = []

    def on_load(*_):
        seen.append(1)
        if len(seen) == after:
            raise error

    return on_load


def backfilled(world, error):
    with world.workspace.ingest("sample") as ingest:
        sessions = ingest.due.covered()[:60]
        nightly.backfill(world.workspace, ingest, sessions, on_load=stopping(error))


def nightly_run(world, error):
    nightly.run(world.workspace, "sample", on_wait=pytest.fail, on_load=stopping(error))


def imported(world, error):
    path = world.workspace.settings.home / "A.csv"
    path.write_bytes(csv_of(BARS, [bar("A", world.date(at)) for at in range(30)]))
    import_files(
        world.workspace, [(path, "daily_bars"), (path, "daily_bars")], "file", on_file=stopping(error)
    )


def waiting(world):
    return world.number("SELECT count(*) FROM changes")


@pytest.mark.parametrize("job", [backfilled, nightly_run, imported])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), DatabaseUnavailable("the database is away")])
def test_what_a_job_stored_before_it_was_stopped_is_resampled(world, job, error):
    error = type(error)(*error.args)  # of this test alone: it gets notes
    with pytest.raises(type(error)) as stopped:
        job(world, error)
    assert stopped.value is error
    assert stopped.value.__notes__[0].startswith("the loaded rows are resampled: ")
    assert world.number("SELECT count(*) FROM daily_bars") > 0
    assert waiting(world) == 0
    assert world.differences() == []


def test_a_job_that_stored_nothing_says_nothing(world):
    with pytest.raises(KeyboardInterrupt) as stopped, world.workspace.ingest("sample") as ingest:
        nightly.backfill(world.workspace, ingest, _Stopping())
    assert not hasattr(stopped.value, "__notes__")


class _Stopping(list):
    """Sessions that nobody gets to ask for."""

    def __iter__(self):
        raise KeyboardInterrupt


@pytest.mark.parametrize("why", [KeyboardInterrupt(), DatabaseUnavailable("the disk is full")])
def test_a_resampling_that_is_stopped_too_leaves_it_to_the_next_run(world, condvest, monkeypatch, why):
    """The first Ctrl-C ends the load, the second the resampling; `status` and `verify` name what waits."""

    def stopped_too(*_, **__):
        raise why

    with monkeypatch.context() as patched:
        patched.setattr(screening, "resample", stopped_too)
        with pytest.raises(KeyboardInterrupt) as stopped:
            imported(world, KeyboardInterrupt())
    (note,) = stopped.value.__notes__
    assert note.startswith("the loaded rows are not resampled yet")
    assert ("the disk is full" in note) == isinstance(why, DatabaseUnavailable)

    # Ordinals 0 to 29: 10 windows of 3, 6 of 5, 4 of 8, 3 of 13, 2 of 21, 1 of 34, and one instrument.
    expected = {
        "instruments": 1,
        "sessions": 30,
        "first": "1962-01-02",
        "last": "1962-02-12",
        "windows": {"3": 10, "5": 6, "8": 4, "13": 3, "21": 2, "34": 1},
    }
    assert condvest.done("status", "--json").json["waiting"] == expected
    words = (
        "30 sessions (1962-01-02 to 1962-02-12) of 1 instruments; "
        "windows: 10 of 3, 6 of 5, 4 of 8, 3 of 13, 2 of 21, 1 of 34"
    )
    assert words in condvest.done("status").out
    checked = condvest.done("verify")
    assert f"not compared, because not resampled yet: {words}" in checked.err
    assert "daily bars and the other bars agree" in checked.err
    assert condvest.done("verify", "--json").json == {"findings": [], "waiting": expected}

    condvest.done("resample")
    assert condvest.done("status", "--json").json["waiting"] is None
    assert condvest.done("verify", "--json").json == {"findings": []}
    assert "archive, daily bars and bars agree" in condvest.done("verify").err


def test_a_job_that_fails_by_an_error_of_the_program_has_an_end(world):
    with pytest.raises(ZeroDivisionError), recorded(world.workspace, "run --provider sample"):
        1 / 0  # noqa: B018  # the error
    (run,) = world.ask("SELECT exit_code, finished_at IS NOT NULL, summary->>'error' FROM runs")
    assert run == (1, True, "ZeroDivisionError: division by zero")
