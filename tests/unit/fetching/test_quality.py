"""The quality rules: each broken alone, their order, duplicates, and what holds for any rows."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from condvest.batch_layer.fetching.quality import (
    RULES,
    judge_bars,
    looks_partial,
    rules,
    spelling_twins,
)
from condvest.batch_layer.fetching.quality.rules import LARGEST, MOST_TRADES
from condvest.batch_layer.shared.clients.files import parse
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.batch_layer.shared.models.given.payloads import Payload
from tests.support.judged import DATES, FIRST_ORDINAL, LAST_CLOSED, SESSIONS, codes
from tests.support.strategies.candidate_bars import candidate_bars

GOOD = {
    "symbol": "AAPL",
    "session": "2024-01-03",
    "open": 10.0,
    "high": 12.0,
    "low": 9.0,
    "close": 11.0,
    "volume": 100.0,
    "vwap": 10.5,
    "trades": 7,
}


def bars(*changes):
    """One row a dict of changes to GOOD."""
    rows = [{**GOOD, **change} for change in changes]
    return BarRows(
        line=np.arange(2, len(rows) + 2),
        symbol=np.array([row["symbol"] for row in rows], dtype=object),
        session=np.array([row["session"] for row in rows], dtype="datetime64[D]"),
        trades=np.array([row["trades"] for row in rows], dtype=np.int64),
        **{
            name: np.array([row[name] for row in rows], dtype=np.float64)
            for name in ("open", "high", "low", "close", "volume", "vwap")
        },
    )


def judge(rows, faults=None, bounds=None):
    return judge_bars(rows, faults or {}, SESSIONS, LAST_CLOSED, bounds)


def test_a_good_row_passes_with_its_ordinal():
    verdict = judge(bars({}, {"symbol": "KIMpL", "vwap": np.nan, "trades": -1, "volume": 0}))
    assert verdict.passed.tolist() == [True, True]
    assert verdict.ordinal.tolist() == [101, 101]
    assert verdict.ordinal.dtype == np.int32
    assert verdict.code.dtype == np.int8
    assert (dict(verdict.reasons), verdict.duplicates, verdict.refused()) == ({}, 0, {})


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        ({"symbol": ""}, "bad_symbol", "'' 2024-01-03: symbol: empty"),
        ({"symbol": "A B"}, "bad_symbol", "'A B' 2024-01-03: symbol holds white space"),
        ({"symbol": "A\n"}, "bad_symbol", "'A\\n' 2024-01-03: symbol holds white space"),
        ({"symbol": "A\x07"}, "bad_symbol", "not printable ASCII"),
        ({"symbol": "\x00\xff\ud800"}, "bad_symbol", "not printable ASCII"),
        ({"symbol": "Ä"}, "bad_symbol", "not printable ASCII"),
        ({"symbol": "A" * 33}, "bad_symbol", "33 characters, longer than 32"),
        ({"symbol": "A" * 300}, "bad_symbol", "300 characters"),
        ({"session": "NaT"}, "missing_value", "AAPL: session: missing"),
        ({"open": np.nan}, "not_finite", "AAPL 2024-01-03: open nan is not finite"),
        ({"high": np.inf}, "not_finite", "high inf is not finite"),
        ({"volume": np.nan}, "not_finite", "volume nan is not finite"),
        ({"volume": -np.inf}, "not_finite", "volume -inf"),
        ({"high": 1e308}, "beyond_bounds", "high 1e+308 is above 1e+15"),
        ({"volume": 1e16}, "beyond_bounds", "volume 1e+16 is above 1e+15"),
        ({"vwap": 1e300}, "beyond_bounds", "vwap 1e+300 is above"),
        ({"trades": 999_999_999_999_999_999}, "beyond_bounds", "trades 999999999999999999 above"),
        ({"low": 0.0}, "price_not_positive", "low 0.0 is not above 0"),
        ({"close": -11.0}, "price_not_positive", "close -11.0 is not above 0"),
        ({"high": 8.0}, "high_below_low", "AAPL 2024-01-03: high 8.0 below low 9.0"),
        ({"open": 8.99}, "open_outside_range", "open 8.99 outside low 9.0..high 12.0"),
        ({"open": 12.5}, "open_outside_range", "open 12.5 outside"),
        ({"close": 8.0}, "close_outside_range", "close 8.0 outside low 9.0..high 12.0"),
        ({"close": 13.0}, "close_outside_range", "close 13.0 outside"),
        ({"volume": -1.0}, "negative_volume", "volume -1.0 below 0"),
        ({"vwap": 0.0}, "vwap_not_positive", "vwap 0.0 is not"),
        ({"vwap": -2.0}, "vwap_not_positive", "vwap -2.0 is not"),
        ({"vwap": np.inf}, "vwap_not_positive", "vwap inf is not"),
        ({"trades": -2}, "negative_trades", "trades -2 below 0"),
        ({"session": "2023-12-29"}, "before_calendar", "first session, 2024-01-02"),
        ({"session": "2024-01-06"}, "not_a_session", "AAPL 2024-01-06: the exchange held no session"),
        ({"session": "2024-01-11"}, "future_session", "after the last closed session, 2024-01-10"),
        ({"session": "2030-01-05"}, "future_session", "after the last closed session, 2024-01-10"),
    ],
)
def test_each_rule_refuses_its_row_and_leaves_the_others(change, code, reason):
    verdict = judge(bars({"symbol": "IBM"}, change, {"symbol": "MSFT"}))
    assert codes(verdict) == ["passed", code, "passed"]
    assert verdict.passed.tolist() == [True, False, True]
    assert list(verdict.reasons) == [1]
    assert reason in verdict.reasons[1]
    assert verdict.refused() == {code: 1}
    assert verdict.duplicates == 0


@pytest.mark.parametrize(
    ("change", "passes"),
    [
        ({"open": np.nextafter(12.0, 13)}, True),
        ({"close": np.nextafter(9.0, 8)}, True),
        ({"open": 12.0 * (1 + 0.9e-12)}, True),
        ({"open": 12.0 * (1 + 1.1e-12)}, False),
        ({"close": 9.0 * (1 - 1.1e-12)}, False),
        ({"open": 11.0, "close": 11.0, "low": 11.0, "high": np.nextafter(11.0, 10)}, True),
        ({"open": np.float64(np.nextafter(np.float32(12), np.float32(13)))}, False),  # those of a float32
    ],
)
def test_a_price_may_cross_its_range_by_the_last_bits_of_a_double(change, passes):
    assert judge(bars(change)).passed.tolist() == [passes]


@pytest.mark.parametrize(
    "change",
    [
        {"open": 9.0},
        {"open": 12.0},
        {"close": 9.0},
        {"close": 12.0},
        {"open": 5.0, "high": 5.0, "low": 5.0, "close": 5.0},
        {"volume": 0.0},
        {"volume": 0.5},
        {"trades": 0},
        {"vwap": 1e-9},
        {"session": "2024-01-02"},
        {"session": "2024-01-10"},
        {"symbol": "A" * 32},
        {"symbol": "BRK.B"},
        {"symbol": "BF/A"},
    ],
)
def test_what_lies_on_a_bound_passes(change):
    assert judge(bars(change)).passed.tolist() == [True]


def test_a_fault_of_the_parser_is_malformed_and_a_missing_cell_a_missing_value():
    faults = {0: "open: 'x' is not a number; low: missing", 1: "low: missing; close: missing"}
    verdict = judge(bars({"open": np.nan}, {"low": np.nan}, {"symbol": "IBM"}), faults)
    assert codes(verdict) == ["malformed", "missing_value", "passed"]
    assert verdict.reasons[0] == f"AAPL 2024-01-03: {faults[0]}"


def test_files_and_rules_agree_on_what_is_missing():
    """From text to verdict: an empty cell, a wrong one, a NaN, and a good row."""
    content = (
        "symbol,session,open,high,low,close,volume\n"
        "A,2024-01-03,,1,1,1,1\n"
        "B,2024-01-03,x,1,1,1,1\n"
        "C,2024-01-03,nan,1,1,1,1\n"
        "D,2024-01-03,1,1,1,1,1\n"
        ",2024-01-03,1,1,1,1,1\n"
    )
    now = dt.datetime(2024, 1, 10, 23, tzinfo=dt.UTC)
    parsed = parse(
        Payload("f", "daily_bars", content.encode(), "csv", None, None, now, is_whole=False, name="f")
    )
    verdict = judge(parsed.rows, parsed.faults)
    assert codes(verdict) == ["missing_value", "malformed", "not_finite", "passed", "missing_value"]


def test_the_first_broken_rule_of_the_table_counts():
    """Every pair of these rows' faults stands in the order of RULES."""
    changes = [
        {"symbol": "A B"},
        {"open": np.inf},
        {"low": -1.0},
        {"high": 8.0},
        {"volume": -1.0},
        {"trades": -2},
        {"session": "2024-01-06"},
    ]
    expected = [
        "bad_symbol",
        "not_finite",
        "price_not_positive",
        "high_below_low",
        "negative_volume",
        "negative_trades",
        "not_a_session",
    ]
    assert [code for code in RULES if code in expected] == expected
    for earlier in range(len(changes)):
        for later in range(earlier + 1, len(changes)):
            verdict = judge(bars({**changes[later], **changes[earlier]}))
            assert codes(verdict) == [expected[earlier]]


def test_what_passes_can_be_summed_over_the_longest_bar():
    """The trades of 32,767 sessions fit an int64, and their turnover a float64."""
    assert MOST_TRADES * 32_767 < 2**63
    assert np.isfinite(np.float64(LARGEST) * LARGEST * 32_767)
    row = {"high": LARGEST, "volume": LARGEST, "vwap": LARGEST, "trades": MOST_TRADES}
    assert judge(bars(row)).passed.tolist() == [True]


def test_more_refused_rows_than_are_kept(monkeypatch):
    monkeypatch.setattr(rules, "MAX_REFUSED_ROWS", 3)
    good = [{"symbol": f"S{number}"} for number in range(5)]
    bad = [{"symbol": "A B"}, {"open": np.inf}, {"trades": -2}]
    assert judge(bars(*good, *bad)).passed.sum() == 5
    with pytest.raises(InputError, match=r"4 of 9 rows break a rule, the last of them 'not_a_session'"):
        judge(bars(*good, *bad, {"session": "2024-01-06"}))


def test_a_row_outside_what_was_asked_for():
    rows = bars({"session": "2024-01-02"}, {"session": "2024-01-03"}, {"session": "2024-01-05"})
    verdict = judge(rows, bounds=(dt.date(2024, 1, 3), dt.date(2024, 1, 4)))
    assert codes(verdict) == ["outside_payload", "passed", "outside_payload"]
    assert verdict.reasons[0] == "AAPL 2024-01-02: outside the sessions asked for, 2024-01-03..2024-01-04"


def test_identical_rows_pass_once_and_are_counted():
    unknown = {"vwap": np.nan, "trades": -1}
    verdict = judge(bars(unknown, {"symbol": "IBM"}, unknown, unknown))
    assert verdict.passed.tolist() == [True, True, False, False]
    assert codes(verdict) == ["passed"] * 4
    assert verdict.duplicates == 2
    assert verdict.refused() == {}


@pytest.mark.parametrize("change", [{"close": 11.5}, {"volume": 101.0}, {"vwap": np.nan}, {"trades": 8}])
def test_rows_that_contradict_each_other_are_all_refused(change):
    verdict = judge(bars({}, {"symbol": "IBM"}, change, {}))
    assert codes(verdict) == ["conflicting_duplicate", "passed"] + ["conflicting_duplicate"] * 2
    assert verdict.duplicates == 0
    assert sorted(verdict.reasons) == [0, 2, 3]


def test_a_row_that_is_bad_by_itself_contradicts_nobody():
    verdict = judge(bars({}, {"close": -1.0}))
    assert codes(verdict) == ["passed", "price_not_positive"]


def test_the_same_symbol_on_another_session_or_in_another_case_is_no_duplicate():
    assert judge(bars({}, {"session": "2024-01-04"}, {"symbol": "AAPl"})).passed.all()


def test_no_rows():
    verdict = judge(bars())
    assert (len(verdict.passed), verdict.duplicates, verdict.refused()) == (0, 0, {})


def test_nothing_has_closed_yet():
    verdict = judge_bars(bars({}), {}, SESSIONS, FIRST_ORDINAL - 1)
    assert codes(verdict) == ["future_session"]


@pytest.mark.parametrize(
    ("rows", "recent", "partial"),
    [
        (79, [100] * 20, True),
        (80, [100] * 20, False),
        (0, [100] * 5, True),
        (0, [100] * 4, False),
        (0, [], False),
        (3, [5] * 20, False),
        (0, [19] * 20, False),
        (15, [20] * 20, True),
        (12_000, [12_400, 12_500, 12_450, 300, 12_500], False),
        (9_000, [12_400, 12_500, 12_450, 300, 12_500], True),
        (95, [1000] * 50 + [100] * 20, False),
        (790, [100] * 50 + [1000] * 20, True),
    ],
)
def test_a_session_far_below_the_recent_ones_looks_partial(rows, recent, partial):
    assert looks_partial(rows, recent) is partial


def test_symbols_that_differ_by_case_only():
    assert spelling_twins(["KIMpL", "AAPL", "aapl", "IBM"], ["KIMPL", "IBM", "MSFT", "msft"]) == {
        "AAPL": ("aapl",),
        "KIMpL": ("KIMPL",),
        "aapl": ("AAPL",),
    }
    assert spelling_twins(["A", "A"], ["A"]) == {}
    assert spelling_twins(["BRK/B", "BRKB"], ["BRK.B"]) == {"BRK/B": ("BRK.B",)}


@given(candidate_bars(DATES), st.sets(st.integers(0, 11)), st.none() | st.just((DATES[1], DATES[5])))
@settings(max_examples=300, deadline=None)
def test_every_row_passes_is_refused_with_a_reason_or_is_a_counted_copy(changes, faulty, bounds):
    faults = {row: "open: 'x' is not a number" for row in faulty if row < len(changes)}
    rows = bars(*changes)
    verdict = judge(rows, faults, bounds)
    refused = verdict.code != 0
    assert not (verdict.passed & refused).any()
    assert sorted(verdict.reasons) == np.flatnonzero(refused).tolist()
    assert verdict.passed.sum() + refused.sum() + verdict.duplicates == len(rows)
    assert sum(verdict.refused().values()) == refused.sum()
    keys = set()
    for row in np.flatnonzero(verdict.passed).tolist():
        bar = changes[row]
        assert row not in faults
        assert 0 < bar["low"] <= bar["high"] < np.inf
        assert bar["open"] == 0 or bar["low"] <= bar["open"] <= bar["high"]  # 0: unknown, and kept as NULL
        assert bar["low"] <= bar["close"] <= bar["high"]
        assert bar["volume"] >= 0
        assert not bar["vwap"] <= 0
        assert bar["trades"] >= -1
        assert dt.date.fromisoformat(bar["session"]) in DATES[:7]
        assert verdict.ordinal[row] == FIRST_ORDINAL + DATES.index(dt.date.fromisoformat(bar["session"]))
        keys.add((bar["symbol"], bar["session"]))
    assert len(keys) == verdict.passed.sum()


@given(
    candidate_bars(DATES).flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(range(len(rows)))))
)
@settings(max_examples=300, deadline=None)
def test_the_order_of_rows_does_not_decide_which_pass(changes_and_order):
    changes, order = changes_and_order
    straight, shuffled = judge(bars(*changes)), judge(bars(*(changes[row] for row in order)))
    assert straight.code[order].tolist() == shuffled.code.tolist()
    assert straight.duplicates == shuffled.duplicates

    def loaded(rows, verdict):
        return sorted(
            str(sorted(row.items())) for row, passes in zip(rows, verdict.passed, strict=True) if passes
        )

    assert loaded(changes, straight) == loaded([changes[row] for row in order], shuffled)
