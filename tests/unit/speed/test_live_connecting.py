"""What the end of a connection means, when the next is made, and whether an open one gives what it should."""

import numpy as np
import pytest

from condvest.speed_layer.core.connecting import Ending, Redial, of_close, of_status
from condvest.speed_layer.core.liveness import Watch
from condvest.speed_layer.core.phases import Hours
from condvest.speed_layer.core.state import MINUTE
from condvest.speed_layer.feeds.inbox import Inbox

SECOND = 1_000_000
LOST = Ending("lost", "closed 1006", "")
CAPPED = Ending("capped", "max_connections", "")
OPENS, CLOSES = 600 * MINUTE, 990 * MINUTE
HOURS = Hours(OPENS, CLOSES)


@pytest.mark.parametrize(
    ("status", "message", "meaning"),
    [
        ("auth_failed", "authentication failed", "refused"),
        ("auth_failed", "Your plan doesn't include websocket access.", "unplanned"),
        ("auth_timeout", "authentication timed out", "lost"),
        ("max_connections", "Maximum number of websocket connections exceeded. ", "capped"),
        ("error", "not authorized", "unplanned"),
        ("error", "something else", None),
        ("success", "subscribed to: AM.*", None),
    ],
)
def test_what_a_status_means(status, message, meaning):
    ending = of_status(status, message)
    assert (ending.meaning if ending else None) == meaning


def test_what_a_close_means():
    """1000 is an outage as well; 1008 is the cap even without its status; a status before it says more."""
    assert of_close(1000, "", None).meaning == "lost"
    assert of_close(1008, "", None).meaning == "capped"
    assert of_close(1006, "", CAPPED) is CAPPED


def test_the_waits_double_and_begin_anew_only_after_a_minute_of_data():
    redial = Redial(jitter=lambda: 1.0)
    assert [redial.wait(LOST, 0) // SECOND for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert redial.wait(LOST, 59 * SECOND) == 60 * SECOND
    assert redial.wait(LOST, 60 * SECOND) == 1 * SECOND


def test_a_capped_connection_waits_a_minute_and_then_longer():
    redial = Redial(jitter=lambda: 1.0)
    assert [redial.wait(CAPPED, 0) // SECOND for _ in range(6)] == [60, 120, 240, 480, 900, 900]


def watched(counts, first=OPENS):
    """Return a watch over minutes with so many messages each, from the first on."""
    watch = Watch(HOURS, first)
    for number, count in enumerate(counts):
        start = first + number * MINUTE
        watch.came(np.full(count, start), start + MINUTE + SECOND)
    return watch


def test_a_trickle_shows_in_two_minutes_of_a_fifth_of_the_median():
    assert not watched([100, 100, 100, 10, 100]).trickles()
    assert not watched([100, 100, 100, 10]).trickles()  # the last may not be whole
    watch = watched([100, 100, 100, 10, 10, 10])
    assert watch.trickles()
    assert watch.good_through == OPENS + 3 * MINUTE


def test_a_few_symbols_and_the_hours_before_the_open_are_quiet_by_right():
    assert not watched([5, 5, 5, 0, 1, 1, 1, 1]).trickles()
    assert not watched([100, 100, 1, 1, 1, 1], first=OPENS - 60 * MINUTE).trickles()


def test_late_minutes_count_for_their_own():
    watch = watched([100, 100, 100])
    watch.came(np.full(90, OPENS), OPENS + 3 * MINUTE)
    watch.came(np.full(10, OPENS + 3 * MINUTE), OPENS + 4 * MINUTE)
    watch.came(np.full(10, OPENS + 4 * MINUTE), OPENS + 5 * MINUTE)
    watch.came(np.full(10, OPENS + 5 * MINUTE), OPENS + 6 * MINUTE)
    assert watch.trickles()


@pytest.mark.parametrize(
    ("now", "delay", "patience"),
    [
        (OPENS + 10 * MINUTE, 0, 90),
        (OPENS - 10 * MINUTE, 0, 600),
        (OPENS + 10 * MINUTE, 15 * MINUTE, 600),
        (CLOSES + 10 * MINUTE, 15 * MINUTE, 90),
        (CLOSES + 10 * MINUTE, 0, 600),
    ],
)
def test_a_mute_connection_is_given_up_sooner_in_regular_hours_by_the_clock_of_the_data(now, delay, patience):
    assert Watch(HOURS, now).mute_at(now, delay) == now + patience * SECOND


def test_a_full_inbox_drops_frames_and_counts_them():
    inbox = Inbox(most=10)
    for frame in (b"12345", b"67890", b"x"):
        inbox.put(frame, 1)
    got = inbox.taken()
    assert (got.frames, got.lost) == ([b"12345", b"67890"], 1)
    inbox.put(b"y", 2)
    assert inbox.taken().frames == [b"y"]


def test_an_inbox_wakes_who_waits():
    inbox = Inbox()
    inbox.opened()
    inbox.wait(0)
    assert inbox.is_news()
    assert inbox.taken().is_open
    assert not inbox.is_news()
    inbox.ended(LOST)
    inbox.wait(1000)
    assert inbox.taken().ending is LOST
