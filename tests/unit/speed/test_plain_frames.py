"""Frames that are read by their types: to the same as those that are looked at closely, and to the bit."""

import json
import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from condvest.speed_layer.feeds.massive import massive_minutes
from condvest.speed_layer.feeds.massive.massive_minutes import read_frames
from condvest.speed_layer.feeds.massive.massive_typed import PlainMinutes

PLAIN = {
    "ev": "AM", "sym": "BRK.B", "v": 10, "av": 500, "op": 10.0, "vw": 11.0, "o": 11.0, "c": 11.5, "h": 12.0,
    "l": 10.5, "a": 11.2, "z": 5, "s": 1_709_650_800_000, "e": 1_709_650_860_000, "dav": "500.25",
}  # fmt: skip
COLUMNS = [
    "symbol", "start", "received", "open", "high", "low", "close", "official_open", "volume", "vwap",
]  # fmt: skip
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
    st.sampled_from(["500.5", "-1", " 7", "inf", "", "A B", "AAPL", [], {}, 1_709_650_800_001, 0]),
)
ABSENT = object()
events = st.builds(
    lambda changed: {key: value for key, value in (PLAIN | changed).items() if value is not ABSENT},
    st.dictionaries(st.sampled_from([*PLAIN, "otc", "other"]), st.one_of(ODD, st.just(ABSENT)), max_size=2),
)
STATUS = {"ev": "status", "status": "success", "message": "subscribed to: AM.*"}
frames = st.lists(st.one_of(events, st.just(PLAIN), st.just(STATUS), st.none()), max_size=4).map(
    lambda each: json.dumps(each).encode()
)


def closely(frames_, received):
    """Read frames without a look at types."""
    with mock.patch.object(massive_minutes, "_typed", return_value=None):
        return read_frames(frames_, received)


def same(left, right):
    """Say whether two readings are one; NaN is NaN."""
    assert (left.faults, left.statuses, left.unreadable) == (right.faults, right.statuses, right.unreadable)
    for name in COLUMNS:
        mine, other = getattr(left.messages, name), getattr(right.messages, name)
        assert mine.dtype == other.dtype
        if mine.dtype == object:
            assert mine.tolist() == other.tolist()
        else:
            np.testing.assert_array_equal(mine, other)


@settings(max_examples=150)
@given(given_frames=st.lists(frames, max_size=5))
def test_whoever_reads_a_frame_reads_the_same(given_frames):
    received = list(range(len(given_frames)))
    same(read_frames(given_frames, received), closely(given_frames, received))


@settings(max_examples=150)
@given(
    at=st.integers(0, 400),
    gone=st.integers(0, 3),
    put=st.sampled_from([b"", b"\xff", b'"', b"9", b"e", b"]", b"\0"]),
)
def test_a_spoilt_frame_gives_no_other_minute(at, gone, put):
    """Of spoilt bytes the values are read that they say, or nothing."""
    frame = json.dumps([PLAIN, PLAIN | {"sym": "A"}]).encode()
    spoilt = frame[:at] + put + frame[at + gone :]
    quick, close = read_frames([spoilt], [0]), closely([spoilt], [0])
    if close.unreadable and not quick.unreadable:  # spoilt in a value that nobody uses
        close = closely([frame], [0])
    same(quick, close)


@settings(max_examples=150)
@given(
    st.one_of(st.floats(0, 1e9), st.decimals(0, 10**6, places=12))
    .map(str)
    .filter(lambda text: "E-" not in text)
)
@example("0.1")
@example("123456.789012345678901234567890")
@example("1.7976931348623157e308")
@example("9007199254740993")
@example("5e-324")
def test_a_price_is_the_number_that_its_digits_are_nearest_to(digits):
    """As by Python's own reader, which rounds to the nearest."""
    frame = json.dumps([PLAIN]).replace("11.5", digits).encode()
    plain = PlainMinutes()
    assert plain.add(frame) == 1
    assert plain.numbers["c"][0] == float(digits)


@pytest.mark.parametrize(
    "changed",
    [
        {"ev": "A"},
        {"c": "11.5"},
        {"c": True},
        {"c": None},
        {"sym": "A B"},
        {"sym": ""},
        {"otc": True},
        {"dav": "x"},
    ],
)
def test_what_is_not_plain_is_left_whole(changed):
    """A frame of which one minute deviates adds nothing."""
    plain = PlainMinutes()
    assert plain.add(json.dumps([PLAIN]).encode()) == 1
    assert plain.add(json.dumps([PLAIN, PLAIN | changed]).encode()) is None
    assert (plain.symbol, len(plain.volume), len(plain.numbers["c"])) == (["BRK.B"], 1, 1)


@pytest.mark.parametrize(
    "changed",
    [
        ('"c": 11.5', '"c": 1.0, "c": 11.5'),
        ('"c": 11.5', '"c": null, "c": 11.5'),
        ('"BRK.B"', r'"BRK\ud800"'),
        ('"BRK.B"', r'"BRK\u0000"'),
        ('"BRK.B"', r'"BRK\u002eB"'),
        ('"c": 11.5', '"c": 11.5e400'),
        ('"c": 11.5', '"c": NaN'),
        ('"c": 11.5', '"c": -0.0'),
        ('"c": 11.5', '"c": 011.5'),
        ('"s": 1709650800000', '"s": 1709650800000.0'),
        ('"s": 1709650800000', '"s": 9223372036854775808000'),
        ("[{", "[[{"),
        ("}]", "}]]"),
        ("}]", "}] "),
        ("[{", "\ufeff[{"),
    ],
)
def test_what_json_allows_and_what_it_does_not(changed):
    frame = json.dumps([PLAIN]).replace(*changed).encode("utf-8", "surrogatepass")
    same(read_frames([frame], [0]), closely([frame], [0]))


def test_volumes_without_their_decimals_and_no_official_open():
    lacking = {key: value for key, value in PLAIN.items() if key not in ("dav", "op", "a")}
    plain = PlainMinutes()
    assert plain.add(json.dumps([lacking, lacking]).encode()) == 2
    assert plain.volume.tolist() == [500.0, 500.0]
    assert all(map(math.isnan, plain.numbers["op"]))


def test_without_the_library_frames_are_read_all_the_same(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "condvest.speed_layer.feeds.massive.massive_typed", None)
    massive_minutes._typed.cache_clear()
    try:
        assert massive_minutes._typed() is None
        assert read_frames([json.dumps([PLAIN]).encode()], [0]).messages.close.tolist() == [11.5]
    finally:
        massive_minutes._typed.cache_clear()
