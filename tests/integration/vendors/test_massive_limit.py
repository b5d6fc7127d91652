"""One rate limit, several processes: never more calls than the plan allows, whoever makes them."""

import multiprocessing
import os
import signal

import pytest

from condvest.batch_layer.shared.clients.rate_limit import Rate, RateLimit

CALLS, SECONDS = 5, 60.0
START = 1_000_000.0
# A fresh process: nothing of the test's own (locks, descriptors) is inherited.
FRESH = multiprocessing.get_context("spawn")


class SharedClock:
    """One clock for all processes. Whoever waits moves it on; it never goes back."""

    def __init__(self, shared):
        self._shared = shared
        self.told = None

    def __call__(self):
        with self._shared.get_lock():
            self.told = self._shared.value
        return self.told

    def sleep(self, seconds):
        wake = self.told + seconds
        with self._shared.get_lock():
            self._shared.value = max(self._shared.value, wake)


def make_calls(path, shared, count, results, all_ready):
    """Make calls and tell the instants at which the limit let them pass."""
    all_ready.wait(60)
    clock = SharedClock(shared)
    limit = RateLimit(path, Rate(CALLS, SECONDS), clock=clock, sleep=clock.sleep)
    for _ in range(count):
        limit.acquire()
        results.put((os.getpid(), clock.told))


def hold(path, is_held):
    """Keep the file locked until killed."""
    with RateLimit(path, Rate(CALLS, SECONDS))._state():
        is_held.set()
        signal.pause()


def test_two_processes_never_make_more_than_five_calls_in_any_minute(tmp_path):
    shared, results, all_ready = FRESH.Value("d", START), FRESH.Queue(), FRESH.Barrier(2)
    given = (tmp_path / "limit", shared, 300, results, all_ready)
    workers = [FRESH.Process(target=make_calls, args=given) for _ in range(2)]
    for worker in workers:
        worker.start()
    told = [results.get(timeout=60) for _ in range(600)]
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    times = sorted(time for _, time in told)
    assert len({pid for pid, _ in told}) == 2
    assert all(sixth - first >= SECONDS for first, sixth in zip(times, times[CALLS:], strict=False))
    # 600 calls are 120 windows full; not one is wasted.
    assert times[-1] - times[0] == 119 * SECONDS


def test_a_process_killed_in_the_middle_leaves_nothing_locked(tmp_path):
    is_held = FRESH.Event()
    worker = FRESH.Process(target=hold, args=(tmp_path / "limit", is_held))
    worker.start()
    assert is_held.wait(60)
    worker.kill()
    worker.join(60)
    limit = RateLimit(tmp_path / "limit", Rate(CALLS, SECONDS), sleep=pytest.fail)
    limit.acquire()
    assert limit.seconds_until_made(CALLS) > 0
