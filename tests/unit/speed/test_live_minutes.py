"""Frames of minutes: what is read of them, and what may pass; many at once are as one after the other."""

import datetime as dt
import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from condvest.live.judging import judge
from condvest.speed_layer.core.following import Follower
from condvest.speed_layer.core.minutes import MinuteMessages, admitted
from condvest.speed_layer.core.provisional import bars_of
from condvest.speed_layer.core.snapshot import Snapshot
from condvest.speed_layer.core.state import MINUTE, NEVER
from condvest.speed_layer.feeds.massive.massive_minutes import Status, read_frames
from condvest.speed_layer.feeds.massive.massive_snapshot import read_snapshot
from tests.support.emulators.synthetic.sessions import new_york

SESSION = dt.date(2024, 3, 5)
OPENS = int(new_york(SESSION, 9, 30).timestamp()) * 1_000_000
LATER = OPENS + 400 * MINUTE


def minute(symbol="A", at=10, **values):
    """Return a message of the minute so many after the open."""
    start = (OPENS + at * MINUTE) // 1000
    whole = {"ev": "AM", "sym": symbol, "v": 10, "av": 500, "op": 10.0, "vw": 11.0, "o": 11.0, "c": 11.5}
    whole |= {"h": 12.0, "l": 10.5, "a": 11.2, "z": 5, "s": start, "e": start + 60_000, "dav": "500.25"}
    return whole | values


def read(*messages):
    return read_frames([json.dumps(messages).encode()], [LATER])


def follower(sessions):
    return Follower(sessions, sessions.ordinal(SESSION), judge)


def anchored(sessions, at=5, **day):
    """Return a follower that knows a snapshot of A, so many minutes after the open."""
    made = follower(sessions)
    values = {"o": 10.0, "h": 12.0, "l": 9.0, "c": 11.0, "v": 400, "vw": 10.5} | day
    rows = [{"ticker": "A", "day": values, "updated": (OPENS + at * MINUTE) * 1000}]
    body = json.dumps({"status": "OK", "count": 1, "tickers": rows}).encode()
    snapshot: Snapshot = read_snapshot(body, SESSION)
    made.take(snapshot, LATER)
    return made


def test_a_message_is_read_with_the_shares_of_the_date_and_their_fractions():
    messages = read(minute()).messages
    assert (messages.symbol[0], messages.start[0]) == ("A", OPENS + 10 * MINUTE)
    prices = [getattr(messages, name)[0] for name in ("open", "high", "low", "close")]
    assert prices == [11.0, 12.0, 10.5, 11.5]
    assert (messages.volume[0], messages.vwap[0], messages.official_open[0]) == (500.25, 11.2, 10.0)


def test_what_a_message_may_lack():
    """No decimal volume: the whole one; an official open of 0 or none: unknown."""
    lacking = minute(op=0, a=None)
    del lacking["dav"]
    messages = read(lacking).messages
    assert messages.volume[0] == 500.0
    assert math.isnan(messages.official_open[0])
    assert math.isnan(messages.vwap[0])


def test_statuses_and_other_events_share_frames_with_minutes():
    frames = read(
        {"ev": "status", "status": "success", "message": "subscribed to: AM.*"}, {"ev": "T"}, minute()
    )
    assert frames.statuses == [Status("success", "subscribed to: AM.*")]
    assert len(frames.messages) == 1
    assert frames.unreadable == []


def test_minutes_of_the_market_over_the_counter_are_left_out():
    assert len(read(minute(otc=True), minute(otc=False)).messages) == 1


@pytest.mark.parametrize("frame", [b'[{"ev":"AM"', b"{}", b"[1]", b"\xff\xfe", b""])
def test_a_frame_that_is_none_leaves_the_others_alone(frame):
    frames = read_frames([frame, json.dumps([minute()]).encode()], [LATER, LATER])
    assert len(frames.messages) == 1
    assert len(frames.unreadable) == 1


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"h": None}, "missing_value"),
        ({"c": "11.5"}, "malformed"),
        ({"s": 1_709_650_801_000}, "malformed"),
        ({"s": None}, "malformed"),
        ({"sym": "A B"}, "bad_symbol"),
        ({"h": 10.0}, "high_below_low"),
        ({"l": -1.0}, "price_not_positive"),
        ({"h": 1e300}, "beyond_bounds"),
        ({"dav": "-3"}, "negative_volume"),
        ({"av": None, "dav": None}, "missing_value"),
        ({"dav": "many"}, "malformed"),
        ({"s": (OPENS // 1000) - 86_400_000}, "other_session"),
        ({"s": (LATER + 180 * MINUTE) // 1000 // 60_000 * 60_000}, "future"),
    ],
)
def test_a_message_that_breaks_a_rule_is_kept_with_its_reason_and_never_used(sessions, values, code):
    made = anchored(sessions)
    frames = read(minute(**values), minute("A", at=11))
    assert made.take_minutes(frames.messages, frames.faults) == 1
    step = made.step()
    assert [(row.code, row.symbol) for row in step.refused] == [(code, values.get("sym", "A"))]
    assert step.bars.high.tolist() == [12.0]


def test_minutes_before_the_first_snapshot_make_no_row(sessions):
    """What was traded before them is not known."""
    made = follower(sessions)
    frames = read(minute())
    made.take_minutes(frames.messages, frames.faults)
    assert made.step() is None


def test_the_bar_runs_on_between_two_snapshots(sessions):
    """Snapshot at 9:35, minutes after it; a minute before it tells nothing."""
    made = anchored(sessions)
    frames = read(
        minute(at=4, h=99.0, dav="450"), minute(at=10, h=13.0), minute(at=11, l=8.0, c=8.5, dav="700")
    )
    made.take_minutes(frames.messages, frames.faults)
    bars = made.step().bars
    assert [getattr(bars, name)[0] for name in ("open", "high", "low", "close", "volume")] == [
        10.0,
        13.0,
        8.0,
        8.5,
        700.0,
    ]
    assert bars.data_through[0] == OPENS + 12 * MINUTE


def test_a_symbol_that_no_snapshot_knew_is_within_its_official_open(sessions):
    """Its first minute was lost: the open at 20 is a trade of the session all the same."""
    made = anchored(sessions)
    frames = read(minute("NEW", op=20.0))
    made.take_minutes(frames.messages, frames.faults)
    bars = made.step().bars
    row = [made.symbols[slot] for slot in bars.slot].index("NEW")
    assert [getattr(bars, name)[row] for name in ("open", "high", "low", "close")] == [20.0, 20.0, 10.5, 11.5]


def test_a_snapshot_that_denies_what_was_known_is_counted(sessions):
    made = anchored(sessions)
    frames = read(minute(at=10, h=15.0))
    made.take_minutes(frames.messages, frames.faults)
    later = anchored(sessions, at=20)
    step = made.take(_again(at=20), LATER)
    assert step.drifted == 1
    assert bars_of(made.state).high.tolist() == bars_of(later.state).high.tolist()


def test_a_snapshot_mends_a_minute_that_is_later_than_the_rows_own_last_trade(sessions):
    """A's last trade came within the minute whose volume was told twice over; the market traded on."""
    made = anchored(sessions)
    frames = read(minute(at=10, h=99.0, dav="1200"))
    made.take_minutes(frames.messages, frames.faults)
    day = {"o": 10.0, "h": 12.0, "l": 9.0, "c": 11.0, "v": 600, "vw": 10.5}
    instants = {"A": OPENS + 10 * MINUTE + 1, "B": OPENS + 13 * MINUTE}
    rows = [{"ticker": symbol, "day": day, "updated": at * 1000} for symbol, at in instants.items()]
    made.take(read_snapshot(json.dumps({"status": "OK", "tickers": rows}).encode(), SESSION), LATER)
    bars = bars_of(made.state)
    assert (bars.high[0], bars.volume[0], bars.data_through[0]) == (12.0, 600.0, OPENS + 12 * MINUTE)


def _again(at):
    values = {"o": 10.0, "h": 12.0, "l": 9.0, "c": 11.0, "v": 600, "vw": 10.5}
    rows = [{"ticker": "A", "day": values, "updated": (OPENS + at * MINUTE) * 1000}]
    return read_snapshot(json.dumps({"status": "OK", "tickers": rows}).encode(), SESSION)


prices = st.sampled_from([-1.0, 0.0, 9.0, 10.0, 11.0, 1e15, 2e15, math.nan, math.inf])
rows = st.tuples(
    st.sampled_from(["A", "B", "", "a b"]), prices, prices, prices, prices, prices, st.integers(-3, 3)
)


@settings(max_examples=60)
@given(given_rows=st.lists(rows, max_size=8), known=st.sets(st.sampled_from(["A", "B"])))
def test_what_the_quick_look_lets_pass_no_rule_refuses(sessions, given_rows, known):
    """Columns are looked at as a whole; row by row, by the rules alone, it comes to the same."""
    columns = list(zip(*given_rows, strict=True)) if given_rows else [()] * 7
    start = np.array([OPENS + at * MINUTE for at in columns[6]], dtype=np.int64)
    floats = [np.array(column, dtype=np.float64) for column in columns[1:6]]
    unknown = np.full(len(start), math.nan)
    symbols = np.array(columns[0], dtype=object)
    messages = MinuteMessages(
        symbols, start, np.full(len(start), LATER), *floats[:4], unknown, floats[4], unknown
    )
    ordinal = sessions.ordinal(SESSION)

    def judged(bars, faults):
        return judge(bars, faults, sessions, ordinal)

    is_known = np.array([symbol in known for symbol in columns[0]], dtype=np.bool_)
    passed, reasons = admitted(messages, {}, SESSION, is_known, judged)
    is_new = np.zeros(1, dtype=np.bool_)
    each = [
        admitted(messages.take(np.array([row])), {}, SESSION, is_new, judged) for row in range(len(messages))
    ]
    assert passed.tolist() == [bool(one[0][0]) for one in each]
    assert {row: reason[0] for row, reason in reasons.items()} == {
        row: one[1][0][0] for row, one in enumerate(each) if one[1]
    }


messages = st.lists(
    st.tuples(st.sampled_from("AB"), st.integers(-2, 12), st.integers(9, 13), st.integers(1, 999)),
    max_size=12,
)


@settings(max_examples=60)
@given(given_messages=messages, cuts=st.sets(st.integers(0, 12)))
def test_how_messages_are_grouped_changes_nothing(sessions, given_messages, cuts):
    whole, parts = anchored(sessions), anchored(sessions)
    events = [
        minute(symbol, at, o=price, h=price, l=price, c=price, dav=str(volume))
        for symbol, at, price, volume in given_messages
    ]
    frames = read(*events)
    whole.take_minutes(frames.messages, frames.faults)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(events)), len(events)]
    for start, end in itertools.pairwise(bounds):
        frames = read(*events[start:end])
        parts.take_minutes(frames.messages, frames.faults)
        parts.step()
    left, right = bars_of(whole.state), bars_of(parts.state)
    for name in ("open", "high", "low", "close", "volume", "data_through"):
        assert getattr(left, name).tolist() == getattr(right, name).tolist()


def test_an_unknown_instant_is_shown_as_none():
    assert read(minute(s=None)).messages.shown(0)["start"] is None
    assert read(minute(s=None)).messages.start[0] == NEVER
