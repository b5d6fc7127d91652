"""Reading Massive's snapshots, and which are refused as a whole."""

import datetime as dt
import json

import numpy as np
import pytest

from condvest.batch_layer.shared.errors import InputError
from condvest.speed_layer.core.guards import Seen, refusal
from condvest.speed_layer.core.phases import SECOND, Hours
from condvest.speed_layer.core.state import NEVER
from condvest.speed_layer.feeds.massive.massive_snapshot import read_snapshot

SESSION = dt.date(2026, 7, 28)
NOON = 1785254400 * SECOND
"""2026-07-28 12:00 in New York."""

ZEROS = dict.fromkeys("ohlcv", 0) | {"vw": 0}
DAY = {"o": 10.0, "h": 12.0, "l": 9.5, "c": 11.0, "v": 500, "vw": 10.75}


def body(*tickers, **more):
    return json.dumps({"status": "OK", "count": len(tickers), "tickers": list(tickers), **more}).encode()


def ticker(symbol="A", day=DAY, updated=NOON * 1000, **more):
    return {"ticker": symbol, "day": day, "updated": updated, **more}


def test_a_row_is_the_days_bar_so_far():
    snapshot = read_snapshot(body(ticker("BRK.A", lastTrade={"p": 11.25, "t": NOON * 1000})), SESSION)
    rows = snapshot.rows
    assert (rows.symbol[0], rows.open[0], rows.high[0], rows.low[0], rows.close[0]) == (
        "BRK.A",
        10,
        12,
        9.5,
        11,
    )
    assert (rows.volume[0], rows.vwap[0], rows.session[0]) == (500, 10.75, np.datetime64(SESSION))
    assert (snapshot.updated[0], snapshot.last_price[0], snapshot.last_at[0]) == (NOON, 11.25, NOON)
    assert snapshot.seen() == Seen(NOON, 1, 1)


def test_zeros_are_none():
    """Before the first regular trade; and so is a day that is absent or null."""
    snapshot = read_snapshot(
        body(ticker("A", ZEROS), ticker("B", None), {"ticker": "C"}, ticker("D")), SESSION
    )
    assert snapshot.has_bar.tolist() == [False, False, False, True]
    assert snapshot.updated.tolist() == [NOON, NOON, NEVER, NOON]


@pytest.mark.parametrize("unit", [1 / SECOND, 1 / 1000, 1, 1000])
def test_an_instant_is_read_in_any_unit(unit):
    """Seconds, milliseconds, microseconds, nanoseconds: one service gives several."""
    assert read_snapshot(body(ticker(updated=int(NOON * unit))), SESSION).updated[0] == NOON


def test_fractions_of_shares_are_taken_from_the_decimal_text():
    assert read_snapshot(body(ticker(day={**DAY, "dv": "500.25"})), SESSION).rows.volume[0] == 500.25


def test_what_is_wrong_with_a_row_is_a_fault_of_the_row():
    odd = [ticker(day={**DAY, "c": "11"}), ticker(day={**DAY, "dv": "many"}), ticker(day=7), 8]
    missing = {name: value for name, value in DAY.items() if name != "h"}
    snapshot = read_snapshot(body(*odd, ticker(day=missing)), SESSION)
    assert sorted(snapshot.faults) == [0, 1, 2, 3, 4]
    assert snapshot.faults[4] == "high: missing"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty body"),
        (b"[]", "a JSON list"),
        (b'{"status":"ERROR","error":"no"}', "'ERROR': no"),
        (b'{"status":"OK"}', "none"),
        (body(ticker(), count=2), "counts 2 tickers and has 1"),
    ],
)
def test_what_is_no_snapshot_is_refused(content, said):
    with pytest.raises(InputError, match=said):
        read_snapshot(content, SESSION)


GOOD = Seen(NOON, 100, 80)
LATER = NOON + 900 * SECOND


def code(new, last=None, expected=0, received=LATER):
    found = refusal(new, last, expected, SESSION, received)
    return found and found.code


def test_a_snapshot_of_the_session_is_taken_whatever_its_delay():
    assert code(GOOD, expected=100) is None
    assert code(GOOD, last=GOOD) is None
    assert code(GOOD, received=LATER + 3 * 3600 * SECOND) is None


def test_a_snapshot_of_another_session_is_refused():
    """Yesterday's, which stands there until the morning; and one that names no instant."""
    assert code(Seen(NOON - 86400 * SECOND, 100, 100)) == "other_session"
    assert code(Seen(NEVER, 100, 0)) == "other_session"


def test_an_older_snapshot_is_refused():
    assert code(Seen(NOON - 1, 100, 80), last=GOOD) == "stale"


def test_data_of_the_future_are_refused():
    """By more than two minutes: then this machine's clock is wrong, not the vendor's."""
    assert code(GOOD, received=NOON - 120 * SECOND) is None
    assert code(GOOD, received=NOON - 121 * SECOND) == "future"


def test_a_part_of_the_market_is_refused():
    assert code(Seen(NOON, 80, 10), expected=100) is None
    assert code(Seen(NOON, 79, 10), expected=100) == "partial"
    assert code(Seen(NOON, 79, 79), last=GOOD) == "partial"
    assert code(Seen(NOON, 100, 63), last=GOOD) == "partial"
    assert code(Seen(NOON, 100, 64), last=GOOD) is None


def test_of_few_tickers_nothing_is_said():
    assert code(Seen(NOON, 5, 0), expected=19) is None


def test_the_phase_is_the_calendars(sessions):
    """An early close (2023-11-24, 13:00) is closing at 13:00; the clock is that of the data."""
    hours = Hours.of(sessions, sessions.ordinal(dt.date(2023, 11, 24)))
    at = [
        dt.datetime(2023, 11, 24, hour, minute, tzinfo=dt.UTC)
        for hour, minute in ((14, 29), (14, 30), (17, 59), (18, 0))
    ]
    assert [hours.phase(int(one.timestamp()) * SECOND) for one in at] == ["pre", "open", "open", "closing"]
