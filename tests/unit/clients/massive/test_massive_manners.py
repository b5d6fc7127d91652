"""The retries' budget and the rate limit, on a clock that moves only when somebody waits."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.clients.massive import RATES
from condvest.batch_layer.shared.clients.rate_limit import Rate, RateLimit
from condvest.batch_layer.shared.errors import SettingsError
from condvest.batch_layer.shared.utils.retry import RetriesSpent, Retry

START = 1_700_000_000.0


class Clock:
    """Seconds since the epoch; waiting moves it on."""

    def __init__(self, now=START):
        self.now = now
        self.waits = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.waits.append(seconds)
        self.now += seconds


class Passing(Exception):
    pass


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "limits" / "key"


def limit_of(path, clock, calls=5, seconds=60.0):
    return RateLimit(path, Rate(calls, seconds), clock=clock, sleep=clock.sleep)


def most_in_any_window(times, seconds):
    return max(sum(start <= time < start + seconds for time in times) for start in times)


# Retries -------------------------------------------------------------------------------------------


def failing(times, error=Passing):
    calls = []

    def call():
        calls.append(1)
        if len(calls) <= times:
            raise error(f"failure {len(calls)}")
        return len(calls)

    return call


def test_a_call_that_fails_twice_is_made_three_times(clock):
    assert Retry(sleep=clock.sleep, draw=lambda: 0.0).call(failing(2), Passing) == 3
    assert clock.waits == [0.25, 0.5]


def test_the_waits_double_to_the_longest_and_end_with_the_attempts(clock):
    """The docstring's sum, drawn at its upper end: 0.5 + 1 + ... + 32 + 60 + 60 = 183.5."""
    with pytest.raises(RetriesSpent, match="10 calls over 184 s of waiting") as caught:
        Retry(sleep=clock.sleep, draw=lambda: 1.0).call(failing(99), Passing)
    assert clock.waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert str(caught.value.__cause__) == "failure 10"


def test_a_failure_may_ask_for_a_longer_wait_within_the_budget(clock):
    retry = Retry(sleep=clock.sleep, budget=100.0)
    with pytest.raises(RetriesSpent) as caught:
        retry.call(failing(99), Passing, asked=lambda _: 30.0)
    assert clock.waits == [30.0, 30.0, 30.0]
    assert (caught.value.attempts, caught.value.waited) == (4, 90.0)


def test_a_wait_beyond_the_budget_does_not_begin(clock):
    with pytest.raises(RetriesSpent) as caught:
        Retry(sleep=clock.sleep).call(failing(1), Passing, asked=lambda _: 86_400.0)
    assert (caught.value.attempts, clock.waits) == (1, [])


def test_another_error_goes_through_at_once(clock):
    with pytest.raises(KeyError):
        Retry(sleep=clock.sleep).call(failing(1, KeyError), Passing)
    assert clock.waits == []


# Rate limit ----------------------------------------------------------------------------------------


def test_the_plans_rates_stay_below_what_the_vendor_allows():
    assert RATES["basic"].calls == 5
    assert RATES["basic"].seconds > 60
    assert RATES["paid"].calls / RATES["paid"].seconds < 100


def test_the_sixth_call_waits_for_the_first_to_leave_the_window(path, clock):
    limit = limit_of(path, clock)
    for _ in range(5):
        limit.acquire()
        clock.now += 1
    assert limit.seconds_until_made(1) == 55.0
    limit.acquire()
    assert clock.waits == [55.0]
    limit.acquire()
    assert clock.waits == [55.0, 1.0]


@given(st.lists(st.floats(0, 100), max_size=40), st.integers(1, 6))
def test_no_window_ever_holds_more_calls_than_the_rate(tmp_path_factory, pauses, calls):
    clock = Clock()
    limit = limit_of(tmp_path_factory.mktemp("limits") / "key", clock, calls)
    times = []
    for pause in pauses:
        clock.now += pause
        limit.acquire()
        times.append(clock.now)
    assert not times or most_in_any_window(times, 60.0) <= calls


@given(st.integers(0, 7), st.integers(1, 40), st.floats(0, 70))
def test_the_time_foretold_is_the_time_it_takes(tmp_path_factory, before, calls, pause):
    clock = Clock()
    limit = limit_of(tmp_path_factory.mktemp("limits") / "key", clock)
    for _ in range(before):
        limit.acquire()
        clock.now += 3
    clock.now += pause
    start, foretold = clock.now, limit.seconds_until_made(calls)
    for _ in range(calls):
        limit.acquire()
    assert clock.now - start == pytest.approx(foretold, abs=1e-4)


def test_nothing_to_do_takes_no_time(path, clock):
    assert limit_of(path, clock).seconds_until_made(0) == 0.0


def test_a_push_keeps_everybody_waiting(path, clock):
    limit_of(path, clock).push(20.0)
    limit_of(path, clock).acquire()
    assert clock.waits == [20.0]


def test_a_push_without_a_time_lasts_one_window_and_none_lasts_for_ever(path, clock):
    limit = limit_of(path, clock)
    limit.push()
    assert limit.seconds_until_made(1) == 60.0
    limit.push(10.0)
    assert limit.seconds_until_made(1) == 60.0
    limit.push(1e9)
    assert limit.seconds_until_made(1) == 600.0


def test_a_new_process_sees_the_calls_of_an_ended_one(path, clock):
    for _ in range(5):
        limit_of(path, clock).acquire()
    assert limit_of(path, clock).seconds_until_made(1) == 60.0


def test_a_clock_set_back_costs_one_window_at_most(path, clock):
    """The file is from the future: a year, or ten seconds."""
    for back in (31_536_000.0, 10.0):
        limit = limit_of(path, clock)
        for _ in range(5):
            limit.acquire()
        clock.now -= back
        clock.waits.clear()
        limit.acquire()
        assert sum(clock.waits) <= 60.0


def test_a_block_from_the_far_future_costs_one_window(path, clock):
    path.parent.mkdir()
    path.write_bytes(struct.pack("<2d", clock.now + 1e8, clock.now + 1e8))
    limit_of(path, clock).acquire()
    assert clock.waits == [60.0]


@pytest.mark.parametrize("content", [b"\0" * 13, b"garbage", struct.pack("<2d", float("nan"), 1.0)])
def test_a_damaged_file_counts_as_a_window_just_used_up(path, clock, content):
    path.parent.mkdir()
    path.write_bytes(content)
    limit = limit_of(path, clock)
    limit.acquire()
    assert clock.waits == [60.0]
    assert limit_of(path, clock).seconds_until_made(1) == 0.0


def test_the_file_does_not_grow_and_is_the_owners(path, clock):
    limit = limit_of(path, clock)
    for _ in range(50):
        limit.acquire()
    assert path.stat().st_size == 48
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_files_name_does_not_give_the_key_away(tmp_path):
    RateLimit.for_key(tmp_path, "s3cret", Rate(5, 60)).acquire()
    RateLimit.for_key(tmp_path, "another", Rate(5, 60)).acquire()
    names = [file.name for file in tmp_path.iterdir()]
    assert len(names) == 2
    assert not any("s3cret" in name for name in names)


def test_a_file_that_cannot_be_written_is_named(tmp_path, clock):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="CONDVEST_HOME"):
        limit_of(tmp_path / "file" / "key", clock).acquire()
