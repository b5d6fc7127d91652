"""A grouped answer becomes daily bars; what is wrong with a row stays with the row."""

import datetime as dt
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.clients.massive import parse
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.payloads import Payload

STORED = Path(__file__).parents[3] / "payloads" / "massive"
SESSION = dt.date(2020, 10, 14)
NOW = dt.datetime(2020, 10, 15, 12, tzinfo=dt.UTC)
CLOSE = 1602705600000  # 16:00 in New York on the session, as the vendor's schema has it
NAN = "NaN"


def payload(content, session=SESSION, last=None):
    return Payload(
        "massive",
        "daily_bars",
        content,
        "json",
        session,
        last or session,
        NOW,
        is_whole=True,
        name="/grouped",
    )


def stored(name):
    return parse(payload((STORED / name).read_bytes()))


def answer(*rows, **changes):
    head = {"adjusted": False, "queryCount": len(rows), "resultsCount": len(rows), "status": "OK"}
    return json.dumps(head | {"results": list(rows)} | changes).encode()


def row(**changes):
    return {"T": "AAPL", "v": 100, "vw": 10.25, "o": 10, "c": 10.5, "h": 11, "l": 9.5, "t": CLOSE} | changes


def plain(values):
    return [NAN if math.isnan(value) else value for value in values]


def test_good_rows_are_taken_as_they_stand():
    parsed = stored("grouped.json")
    rows = parsed.rows
    assert parsed.faults == {}
    assert rows.line.tolist() == [1, 2, 3, 4, 5]
    assert rows.symbol.tolist() == ["KIMpL", "KIMPL", "NAN", "TRUE", "BRK.B"]
    assert set(rows.session.tolist()) == {SESSION}
    assert rows.open.tolist() == [26.07, 24.5, 10.5, 3.0, 212.5]
    assert rows.high.tolist() == [26.25, 24.763, 10.5, 3.5, 214.0]
    assert rows.low.tolist() == [25.91, 22.65, 10.5, 2.75, 211.75]
    assert rows.close.tolist() == [25.9102, 23.4, 10.5, 3.25, 213.25]
    assert rows.volume.tolist() == [4369.0, 25933.6, 1.0, 2500000.0, 12345.0]
    assert plain(rows.vwap) == [26.0407, 23.493, NAN, NAN, 213.01]
    assert rows.trades.tolist() == [74, 1096, -1, -1, 900]


def test_the_source_keeps_the_rows_as_text():
    source = stored("grouped.json").source
    assert source.slice(1, 1).to_pylist() == [
        {
            "T": "KIMPL",
            "o": "24.5",
            "h": "24.763",
            "l": "22.65",
            "c": "23.4",
            "v": "25933.6",
            "vw": "23.493",
            "n": "1096",
            "t": "1602705600000",
            "otc": None,
        }
    ]


def test_each_odd_row_has_its_own_fault_and_the_good_ones_none():
    parsed = stored("grouped_odd.json")
    rows = parsed.rows
    assert len(rows) == 19
    assert {row + 1: what for row, what in parsed.faults.items()} == {
        2: "symbol: missing",
        3: "symbol: 7 is not text",
        4: "open: missing",
        5: "close: missing; volume: missing",
        6: "volume: '100' is not a number",
        7: "open: 'NaN' is not a number; high: '-Infinity' is not a number",
        8: "volume: True is not a number",
        9: "open: [10] is not a number",
        10: "trades: 7.5 is not a whole number of 0 or more",
        11: "trades: -1 is not a whole number of 0 or more",
        13: "t: 1602619200000 is on 2020-10-13 in America/New_York, not on 2020-10-14",
        14: "t: missing",
        15: "t: 99999999999999999999 is no instant in milliseconds",
        17: "symbol: holds half a surrogate pair",
        18: "trades: 99999999999999999999 is not a whole number of 0 or more",
        19: (
            "row: None is not an object; t: missing; symbol: missing; open: missing; high: missing; "
            "low: missing; close: missing; volume: missing"
        ),
    }
    assert rows.trades.tolist()[11] == 7
    assert rows.symbol.tolist()[15] == "\x00\x13\x02Z"
    assert rows.volume.tolist()[17] == math.inf  # for the rules of quality to refuse
    assert parsed.source["v"].to_pylist()[5] == "100"


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("v", True, "volume: True is not a number"),
        ("v", False, "volume: False is not a number"),
        ("vw", True, "vwap: True is not a number"),
        ("n", True, "trades: True is not a whole number of 0 or more"),
        ("n", False, "trades: False is not a whole number of 0 or more"),
        ("n", -1, "trades: -1 is not a whole number of 0 or more"),
        ("n", 2**63, "trades: 9223372036854775808 is not a whole number of 0 or more"),
        ("o", "1.5", "open: '1.5' is not a number"),
        ("t", True, "t: True is no instant in milliseconds"),
        ("T", "", "symbol: missing"),
        ("T", " \t", "symbol: missing"),
    ],
)
def test_one_value_among_plain_ones_is_a_fault_of_its_row(key, value, fault):
    """The other rows' values are plain, as in nearly all answers, and 0 and 1 are among them."""
    odd = row(T="C", n=5) | {key: value}
    parsed = parse(payload(answer(row(T="A", v=0, n=0), row(T="B", v=1, n=1), odd)))
    assert parsed.faults == {2: fault}
    assert parsed.rows.volume.tolist()[:2] == [0.0, 1.0]
    assert parsed.rows.trades.tolist()[:2] == [0, 1]
    assert parsed.rows.symbol.tolist()[:2] == ["A", "B"]


def test_white_space_around_a_symbol_is_none_of_it():
    """Whichever it is."""
    parsed = parse(payload(answer(row(T="A"), row(T=" B\u00a0"), row(T="C\n"))))
    assert parsed.rows.symbol.tolist() == ["A", "B", "C"]
    assert parsed.faults == {}


def test_a_stamp_of_either_end_is_the_sessions():
    """The schema says the END of the window, other endpoints give the START: both are read."""
    assert parse(payload(answer(row(t=1602648000000), row(t=1602705600000)))).faults == {}


@pytest.mark.parametrize(
    ("session", "stamp"),
    [
        (dt.date(2024, 3, 8), 1709931600000),  # Friday before the clocks go forward, 16:00 EST = 21:00 UTC
        (dt.date(2024, 3, 11), 1710187200000),  # Monday after, 16:00 EDT = 20:00 UTC
        (dt.date(2024, 11, 1), 1730491200000),
        (dt.date(2024, 11, 4), 1730754000000),
        (dt.date(2024, 11, 4), 1730696400000),  # midnight there, 05:00 UTC
    ],
)
def test_daylight_saving_moves_no_session(session, stamp):
    assert parse(payload(answer(row(t=stamp)), session)).faults == {}


def test_another_sessions_answer_is_refused_with_both_dates():
    body = (STORED / "grouped.json").read_bytes()
    with pytest.raises(InputError, match=r"/grouped: the bars of 2020-10-14 in the place of .* 2020-10-15"):
        parse(payload(body, dt.date(2020, 10, 15)))


def test_an_empty_session_has_no_rows_and_no_fault():
    parsed = parse(payload(b'{"adjusted":false,"queryCount":0,"resultsCount":0,"status":"OK"}'))
    assert len(parsed.rows) == 0
    assert parsed.rows.trades.dtype == "int64"
    assert parsed.source.num_rows == 0


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "an empty body"),
        (b"  \n", "an empty body"),
        (b"{}", "an empty object"),
        (b"[]", "a JSON list in the place of an object"),
        (b"null", "a JSON NoneType in the place of an object"),
        (b"<html><title>Bad Gateway</title></html>", "an HTML page in the place of JSON: <html>"),
        (b"Service Unavailable", "no JSON: Service Unavailable"),
        (b'{"status":"OK","results":[{"T":"A"', "JSON that is cut off or broken after 34 bytes"),
        (b"[" * 100_000, "JSON that is cut off or broken after 100,000 bytes"),
        (b'{"status":"OK","n":' + b"9" * 5000 + b"}", "cut off or broken"),
        (b"\xff\xfe\x00", "no JSON"),
        (
            b'{"status":"ERROR","error":"Something\\nwent wrong"}',
            "200 with status ERROR: Something went wrong",
        ),
        (b'{"results":[]}', "200 with status None"),
        (answer(row(), results=None), "counts 1 results and has none"),
        (answer(row(), resultsCount=2), "counts 2 results and has 1"),
        (answer(row(), results={"T": "A"}), "results that are no list"),
        (answer(row(), adjusted=True), "prices adjusted for later splits"),
    ],
)
def test_what_is_no_grouped_answer_is_refused_with_what_is_there(body, what):
    with pytest.raises(InputError, match="/grouped: ") as caught:
        parse(payload(body))
    assert what in str(caught.value)
    assert len(str(caught.value)) < 450


def test_a_delayed_plan_says_delayed_and_is_read():
    assert len(parse(payload(answer(row(), status="DELAYED"))).rows) == 1


def test_a_payload_without_its_session_is_refused():
    with pytest.raises(InputError, match="of one session, which the payload does not name"):
        parse(payload(answer(row()), SESSION, SESSION + dt.timedelta(1)))


cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
)
odd_rows = st.dictionaries(st.sampled_from(["T", "o", "h", "l", "c", "v", "vw", "n", "otc", "x"]), cells)


@given(st.lists(st.one_of(odd_rows, cells), max_size=8))
def test_no_value_of_any_row_is_more_than_a_fault_of_that_row(odd):
    """Whatever stands in the rows, the good row among them is read, and each row is there once."""
    parsed = parse(payload(answer(row(), *odd)))
    assert parsed.rows.line.tolist() == list(range(1, len(odd) + 2))
    assert 0 not in parsed.faults
    assert (parsed.rows.symbol[0], parsed.rows.close[0]) == ("AAPL", 10.5)
    assert parsed.source.num_rows == len(parsed.rows)
    for place, value in enumerate(odd, start=1):
        has_all = isinstance(value, dict) and {"T", "o", "h", "l", "c", "v"} <= set(value)
        assert has_all or place in parsed.faults
