"""A call ends by itself before Lambda ends it."""

import signal
import threading

import pytest

from condvest.batch_layer.fetching.lambda_functions.deadline import Deadline
from condvest.batch_layer.shared.errors import OutOfTime


class Context:
    aws_request_id = "a"

    def __init__(self, seconds):
        self.seconds = seconds

    def get_remaining_time_in_millis(self):
        return int(self.seconds * 1000)


def test_a_step_may_begin_as_long_as_half_a_minute_is_left():
    context = Context(300)
    deadline = Deadline(context)
    assert (deadline.has_time(), deadline.budget) == (True, 270)
    context.seconds = 31
    assert deadline.has_time()
    context.seconds = 30
    assert (deadline.has_time(), deadline.budget) == (False, 0)


def test_of_a_short_time_a_quarter_is_kept():
    context = Context(8)
    deadline = Deadline(context)
    assert deadline.budget == 6
    context.seconds = 2
    assert not deadline.has_time()


def test_no_wait_begins_that_leaves_no_time():
    with pytest.raises(OutOfTime, match="left alone for 61 s, 60 s are left"):
        Deadline(Context(60)).sleep(61)
    Deadline(Context(60)).sleep(0)


def test_what_does_not_return_is_broken_off():
    """0.06 s of time: the wait below would last for ever."""
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(OutOfTime, match="time is over"), Deadline(Context(0.06)).enforced():
        threading.Event().wait()
    assert signal.getsignal(signal.SIGALRM) is before


def test_nothing_is_broken_off_after_the_block():
    with Deadline(Context(0.05)).enforced():
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
