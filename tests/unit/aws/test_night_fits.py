"""What a night asks of the vendor fits into the time that Lambda gives, at the rate of the free plan.

The rate limit and the deadline are the real ones, the clock is not; a call takes half a second.
"""

import re
from pathlib import Path

import pytest

from condvest.batch_layer.fetching.lambda_functions import deadline
from condvest.batch_layer.fetching.lambda_functions.deadline import Deadline
from condvest.batch_layer.shared.clients.massive.provider import RATES, RENAMES_A_NIGHT
from condvest.batch_layer.shared.clients.rate_limit import RateLimit
from condvest.batch_layer.shared.errors import OutOfTime

FUNCTIONS = Path(__file__).parents[3] / "batch_layer/infrastructure/modules/fetching/main.tf"

LISTED, DELISTED = 13, 25
"""Pages of 1,000 tickers: 12,500 are listed; of the delisted 18,375 had no FIGI alone, in 2023."""

ACTIONS = 2
A_CALL = 0.5


class Clock:
    """Seconds that pass only when somebody waits or calls; what Lambda tells of its time."""

    aws_request_id = "a"

    def __init__(self, timeout):
        self.now = 1e9
        self._until = self.now + timeout

    def wait(self, seconds):
        self.now += seconds

    def get_remaining_time_in_millis(self):
        return int((self._until - self.now) * 1000)


def timeout_of(function):
    """Return the seconds that the Terraform gives a fetcher."""
    return int(re.search(rf"\b{function} = (\d+)", FUNCTIONS.read_text())[1])


def calls_that_fit(timeout, plan, folder, monkeypatch):
    """Return how many calls can be made one after the other before there is no time for another."""
    clock = Clock(timeout)
    monkeypatch.setattr(deadline.time, "sleep", clock.wait)
    left = Deadline(clock)
    limit = RateLimit(folder / "limit", RATES[plan], clock=lambda: clock.now, sleep=left.sleep)
    calls = 0
    while left.has_time():
        try:
            limit.acquire()
        except OutOfTime:
            break
        clock.wait(A_CALL)
        calls += 1
    return calls


@pytest.mark.parametrize("plan", ["basic", "paid"])
def test_a_night_of_metadata_fits(tmp_path, monkeypatch, plan):
    """And with half as many pages more: some ten years' growth of the delisted."""
    wanted = (LISTED + DELISTED) * 3 // 2 + ACTIONS + RENAMES_A_NIGHT["basic"]
    assert wanted == 64
    assert calls_that_fit(timeout_of("daily_meta_fetcher"), plan, tmp_path, monkeypatch) >= wanted


def test_in_five_minutes_it_did_not(tmp_path, monkeypatch):
    assert calls_that_fit(300, "basic", tmp_path, monkeypatch) == 25


def test_the_sessions_of_a_night_fit(tmp_path, monkeypatch):
    """The ten newest, where the archive lacks all of them."""
    assert calls_that_fit(timeout_of("daily_ohlcv_fetcher"), "basic", tmp_path, monkeypatch) >= 10
