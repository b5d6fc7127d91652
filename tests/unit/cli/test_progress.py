"""What a log says of a command's progress, how much is said, and what a log file gets (acceptance 12)."""

import logging

import pytest

from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.batch_layer.shared.utils.retry import tell_of_wait
from condvest.cli.output import messages
from condvest.cli.output.progress import Countdown, Lines


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def verbosity():
    yield messages.configure
    messages.configure(is_quiet=False, is_verbose=False, path=None)


def test_acceptance_12_a_line_a_minute_counts_sessions_and_the_time_left(clock):
    said = []
    lines = Lines("backfill of massive, in sessions", said.append, clock)
    countdown = Countdown(lines, 499, 12.0 * 499, clock)
    for done in range(1, 38):
        clock.now = 13.0 * done
        countdown.loaded(LoadSummary("x", "massive", "daily_bars"))
        countdown.loaded(LoadSummary("x", "massive", "splits"))
    lines.tick()
    # 462 sessions are left, of 13 seconds each: 6006 seconds.
    assert said == ["backfill of massive, in sessions, 37 of 499, 1:40:06 to go, after 8 min"]


def test_a_line_comes_though_nothing_moves(clock):
    said = []
    lines = Lines("yahoo", said.append, clock)
    clock.now = 61.0
    lines.tick()
    lines.update(note="yahoo/chart/AAPL")
    clock.now = 121.0
    lines.tick()
    assert said == ["yahoo, after 1 min", "yahoo, yahoo/chart/AAPL, after 2 min"]


def test_quiet_leaves_errors_and_alarms(verbosity, capsys):
    verbosity(is_quiet=True, is_verbose=False, path=None)
    messages.message("resampled nothing")
    messages.message("  refused: x 1 (1 new)", is_alarm=True)
    messages.message("error: away")
    messages.detail("an answer")
    assert capsys.readouterr().err == "  refused: x 1 (1 new)\nerror: away\n"


def test_a_log_file_gets_all_with_instant_and_level_whatever_is_said(verbosity, tmp_path, capsys):
    path = tmp_path / "condvest.log"
    path.write_text("a line of before\n")
    verbosity(is_quiet=True, is_verbose=False, path=path)
    messages.message("done")
    messages.message("check A", is_alarm=True)
    messages.message("error: \x1b[2J")
    messages.detail("an answer")
    before, *lines = path.read_text().splitlines()
    assert before == "a line of before"
    assert [line.split(" ", 1)[1] for line in lines] == [
        "INFO done",
        "WARNING check A",
        r"ERROR error: \x1b[2J",
        "DEBUG an answer",
    ]
    assert all(line[10] == "T" and line[19:25] == "+00:00" for line in lines)
    assert capsys.readouterr().err.count("\n") == 2


def test_acceptance_12_long_waits_for_a_vendor_are_told_and_short_ones_only_in_detail(verbosity, capsys):
    verbosity(is_quiet=False, is_verbose=False, path=None)
    tell_of_wait(ValueError("Yahoo answered 503"), 10.0)
    tell_of_wait(ValueError("Yahoo answered 503"), 0.4)
    assert capsys.readouterr().err == "Yahoo answered 503; asking again in 10 s\n"
    verbosity(is_quiet=False, is_verbose=True, path=None)
    tell_of_wait(ValueError("Yahoo answered 503"), 0.4)
    assert capsys.readouterr().err.endswith("Yahoo answered 503; asking again in 0 s\n")
    assert logging.getLogger("condvest.batch_layer").handlers
