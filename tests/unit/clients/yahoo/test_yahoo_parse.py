"""Yahoo's chart answers, written by hand, into rows as traded."""

import copy
import dataclasses
import datetime as dt
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.clients.yahoo import parse
from condvest.batch_layer.shared.clients.yahoo.chart import ForeignExchange, RefusedChart
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.payloads import Payload

LATER = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)

# 2024-03-07 and -08 in winter time, -11 and -12 in summer time: 14:30 and 13:30 UTC.
STAMPS = [1709821800, 1709908200, 1710163800, 1710250200]
SESSIONS = ["2024-03-07", "2024-03-08", "2024-03-11", "2024-03-12"]
SPLIT = {"date": 1710163800, "numerator": 3.0, "denominator": 2.0, "splitRatio": "3:2"}


def chart(**changes):
    """A 3-for-2 split on 2024-03-11: a price of 30.03 before it is told as 20.02."""
    quote = {
        "open": [20.0, 20.02, 20.0, 21.0],
        "high": [20.0, 20.04, 20.5, 21.0],
        "low": [19.98, 20.0, 19.5, 21.0],
        "close": [20.0, 20.02, 20.25, 21.0],
        "volume": [1500, 3000, 2100, 7],
    }
    result = {
        "meta": {
            "symbol": "HAND",
            "exchangeTimezoneName": "America/New_York",
            "regularMarketTime": 1710273600,  # 16:00 on 2024-03-12
            "currentTradingPeriod": {"regular": {"start": 1710250200, "end": 1710273600}},
        },
        "timestamp": STAMPS,
        "events": {
            "splits": {"1710163800": SPLIT},
            "dividends": {
                "1709908200": {"amount": 0.5, "date": 1709908200},
                "1710250200": {"amount": 0.26, "date": 1710250200},
            },
        },
        "indicators": {"quote": [quote]},
    }
    result = copy.deepcopy(result)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = result
        for one in parents:
            place = place[int(one) if one.isdecimal() else one]
        place[last] = value
    return {"chart": {"result": [result], "error": None}}


def payload(answer, dataset="daily_bars", first="2024-03-07", last="2024-03-12", fetched_at=LATER):
    return Payload(
        provider="yahoo",
        dataset=dataset,
        content=answer if isinstance(answer, bytes) else json.dumps(answer).encode(),
        media="json",
        first_session=dt.date.fromisoformat(first),
        last_session=dt.date.fromisoformat(last),
        fetched_at=fetched_at,
        is_whole=False,
        name="yahoo/chart/HAND",
    )


def parsed(dataset="daily_bars", **changes):
    return parse(payload(chart(**changes), dataset))


def test_bars_are_as_traded_on_the_exchanges_dates():
    """Before the 3-for-2 split prices are half as much again, and there were two shares for each three."""
    rows = parsed().rows
    assert [str(session) for session in rows.session] == SESSIONS
    assert rows.symbol.tolist() == ["HAND"] * 4
    assert rows.line.tolist() == [1, 2, 3, 4]
    assert rows.open.tolist() == [30.0, 30.03, 20.0, 21.0]
    assert rows.high.tolist() == [30.0, 30.06, 20.5, 21.0]
    assert rows.low.tolist() == [29.97, 30.0, 19.5, 21.0]
    assert rows.close.tolist() == [30.0, 30.03, 20.25, 21.0]
    assert rows.volume.tolist() == [1000, 2000, 2100, 7]
    assert np.isnan(rows.vwap).all()
    assert rows.trades.tolist() == [-1] * 4


def test_dividends_are_as_paid():
    """0.50 on today's shares was 0.75 on a share of before the split."""
    rows = parsed("dividends").rows
    assert [str(date) for date in rows.ex_date] == ["2024-03-08", "2024-03-12"]
    assert rows.cash_amount.tolist() == [0.75, 0.26]
    assert rows.symbol.tolist() == ["HAND", "HAND"]


def test_splits_are_the_events_whatever_sessions_were_asked_for():
    rows = parse(payload(chart(), "splits", "2024-03-07", "2024-03-07")).rows
    assert [str(date) for date in rows.ex_date] == ["2024-03-11"]
    assert (rows.split_from.tolist(), rows.split_to.tolist()) == ([2.0], [3.0])


def test_rows_that_were_not_asked_for_are_left_out_and_their_splits_still_count():
    answer = parse(payload(chart(), first="2024-03-08", last="2024-03-08"))
    assert answer.rows.line.tolist() == [2]
    assert answer.rows.close.tolist() == [30.03]
    assert answer.source.to_pylist() == [
        {
            "symbol": "HAND",
            "timestamp": "1709908200",
            "open": "20.02",
            "high": "20.04",
            "low": "20.0",
            "close": "20.02",
            "volume": "3000",
        }
    ]


def test_a_session_without_a_row_gives_none():
    """2024-03-09 was a Saturday."""
    answer = parse(payload(chart(), first="2024-03-09", last="2024-03-10"))
    assert (len(answer.rows), answer.faults, answer.source.num_rows) == (0, {}, 0)


def test_a_split_told_ahead_of_its_ex_date_is_not_in_the_prices_yet():
    eve = dt.datetime(2024, 3, 11, 3, 59, tzinfo=dt.UTC)  # 23:59 in New York, still the day before
    morning = dt.datetime(2024, 3, 11, 4, 0, tzinfo=dt.UTC)
    answers = [parse(payload(chart(), fetched_at=instant)) for instant in (eve, morning)]
    assert [answer.rows.close[0] for answer in answers] == [20.0, 30.0]


BEFORE_THE_OPEN = {
    "no row of the day": {"timestamp": STAMPS[:2]},
    "a row of nulls": {
        f"indicators__quote__0__{name}": [20.0, 20.02, None, None]
        for name in ("open", "high", "low", "close")
    },
    "the last trade again": {"indicators__quote__0__close": [20.0, 20.02, 20.02, 20.02]},
}


@pytest.mark.parametrize("rows", BEFORE_THE_OPEN.values(), ids=BEFORE_THE_OPEN)
def test_on_the_morning_of_the_ex_date_no_price_before_it_is_taken(rows):
    """Yahoo lists the split of 2024-03-11 by then; whether 20.02 is on its basis, nothing shows."""
    answer = chart(**{"meta__regularMarketTime": 1709931600, **rows})  # 16:00 on 2024-03-08
    if "timestamp" in rows:
        quote = answer["chart"]["result"][0]["indicators"]["quote"][0]
        quote.update({name: values[:2] for name, values in quote.items()})
    day = dt.datetime(2024, 3, 11, 13, 0, tzinfo=dt.UTC)  # 09:00 in New York
    for later, doubted in ((0, [0, 1]), (30, [0, 1]), (31, [])):
        bars = parse(payload(answer, fetched_at=day + dt.timedelta(days=later)))
        told = [row for row, what in bars.faults.items() if "nothing was traded since the split" in what]
        assert told == doubted


def test_before_the_first_trade_on_its_basis_even_a_small_split_is_in_doubt():
    """A jump by 11 for 10 could not be told from a move of the market; that nothing shows it, can."""
    small = {**SPLIT, "numerator": 11.0, "denominator": 10.0}
    early = chart(meta__regularMarketTime=1709931600, events__splits={"1710163800": small})
    bars = parse(payload(early, fetched_at=dt.datetime(2024, 3, 11, 13, 0, tzinfo=dt.UTC)))
    assert [row for row, what in bars.faults.items() if "in doubt" in what] == [0, 1]


def test_a_row_of_nulls_is_no_bar_and_is_reported():
    gone = {f"indicators__quote__0__{name}": [1, None, 1, 1] for name in ("open", "high", "low", "close")}
    answer = parsed(**gone, indicators__quote__0__volume=[1, None, 1, 1])
    assert answer.faults == {1: "open: missing; high: missing; low: missing; close: missing; volume: missing"}
    assert str(answer.rows.session[1]) == "2024-03-08"
    assert np.isnan([answer.rows.open[1], answer.rows.close[1], answer.rows.volume[1]]).all()
    assert answer.source["open"].to_pylist() == ["1", None, "1", "1"]


def test_what_is_null_or_no_number_in_a_row_is_named():
    answer = parsed(
        indicators__quote__0__close=[20.0, None, "x", True], indicators__quote__0__volume=[1, 2, 3, None]
    )
    assert answer.faults == {
        1: "close: missing",
        2: "close: 'x' is not a number",
        3: "close: 'True' is not a number; volume: missing",
    }
    assert answer.rows.open.tolist() == [30.0, 30.03, 20.0, 21.0]


def test_the_faults_of_rows_are_counted_from_the_first_that_was_asked_for():
    answer = parse(payload(chart(indicators__quote__0__close=[None, None, 20.25, 21.0]), first="2024-03-08"))
    assert answer.faults == {0: "close: missing"}


@pytest.mark.parametrize(
    ("quoted", "fetched", "is_final"),
    [
        ("2024-03-12T15:44", "2024-03-12T16:00", False),
        ("2024-03-12T15:44", "2024-03-12T16:59", False),
        ("2024-03-12T16:00", "2024-03-12T16:05", True),
        ("2024-03-12T15:44", "2024-03-12T17:00", True),  # a share that did not trade at the close
        (None, "2024-03-12T16:30", False),
    ],
)
def test_the_bar_of_a_session_that_may_still_run_is_not_final(quoted, fetched, is_final):
    def instant(text):
        return dt.datetime.fromisoformat(f"{text}-04:00")  # summer time

    stamp = int(instant(quoted).timestamp()) if quoted else None
    answer = parse(payload(chart(meta__regularMarketTime=stamp), fetched_at=instant(fetched)))
    if is_final:
        assert answer.faults == {}
    else:
        ((row, what),) = answer.faults.items()
        assert row == 3
        assert what.startswith("session: not final")
        assert what.endswith("before its end at 16:00 in New York")


def test_sessions_before_1970_have_negative_stamps():
    """IBM's first at Yahoo, 1962-01-02 9:30 in New York, is 14:30 UTC."""
    stamps = [-252322200, *STAMPS[1:]]
    answer = parse(payload(chart(timestamp=stamps, events={}), first="1962-01-02"))
    assert str(answer.rows.session[0]) == "1962-01-02"


def test_a_row_stamped_in_the_evening_is_of_the_exchanges_date():
    """20:30 on 2024-03-12 in New York is past midnight in London, as the stamp of a running row may be."""
    answer = parsed(timestamp=[*STAMPS[:3], 1710289800])
    assert str(answer.rows.session[3]) == "2024-03-12"


def test_volumes_are_whole_shares():
    """1,001 shares of today are two thirds as many of before the split, which nobody traded."""
    assert parsed(indicators__quote__0__volume=[1001, 3001, 2100, 7]).rows.volume.tolist() == [
        667,
        2001,
        2100,
        7,
    ]


def test_yahoos_spelling_becomes_ours():
    assert parsed(meta__symbol="BRK-B").rows.symbol.tolist() == ["BRK.B"] * 4


def test_a_split_told_twice_counts_once():
    again = {**SPLIT, "date": SPLIT["date"] + 60}
    rows = parsed(events__splits={"a": SPLIT, "b": again}).rows
    assert rows.close.tolist() == [30.0, 30.03, 20.25, 21.0]


def test_an_empty_chart_has_no_rows():
    """What Yahoo answers for a span without any: no time stamps, and a quote without columns."""
    answer = chart(indicators__quote=[{}], events={})
    del answer["chart"]["result"][0]["timestamp"]
    assert len(parse(payload(answer)).rows) == 0
    assert len(parse(payload(answer, "splits")).rows) == 0
    assert len(parse(payload(answer, "dividends")).rows) == 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (
            {"events__splits": {"a": {**SPLIT, "denominator": 0}}},
            "expected the split of 2024-03-11",
        ),
        (
            {"events__splits": {"a": {**SPLIT, "denominator": 1e-310}}},
            "expected the split of 2024-03-11",
        ),
        (
            {"events__splits": {"a": {**SPLIT, "denominator": 1e300}}},
            "expected the split of 2024-03-11",
        ),
        (
            {"events__splits": {"a": {"date": SPLIT["date"]}}},
            "expected the split of 2024-03-11",
        ),
        (
            {"events__splits": {"a": SPLIT, "b": {**SPLIT, "numerator": 2}}},
            "two splits of 2024-03-11 disagree",
        ),
        ({"events__splits": {"a": {"numerator": 2, "denominator": 1}}}, "an event has no date"),
        ({"events__splits": 5}, "events are no list"),
        ({"timestamp": STAMPS[:3]}, "3 time stamps and 4 values of open"),
        ({"timestamp": [*STAMPS[:3], "x"]}, "no whole number of seconds"),
        ({"timestamp": [*STAMPS[:3], 10**15]}, "no whole number of seconds"),
        ({"indicators": {}}, "4 time stamps and 0 values of open"),
        ({"meta": {}}, "does not say its symbol"),
        ({"meta": None}, "does not say its symbol"),
    ],
)
def test_an_answer_that_would_be_guessed_at_is_refused(changes, named):
    with pytest.raises(InputError, match=named) as refused:
        parsed(**changes)
    assert str(refused.value).startswith("yahoo/chart/HAND: ")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"<html>Will be right back</html>",
        b'{"chart": {"result": []}}',
        b'{"chart":',
    ],
)
def test_what_is_no_chart_is_refused(content):
    with pytest.raises(InputError, match=r"is not JSON|is JSON but no chart"):
        parse(payload(content))


def test_yahoos_refusal_is_told_in_its_words():
    error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
    with pytest.raises(RefusedChart, match="Not Found: No data found"):
        parse(payload({"chart": {"result": None, "error": error}}))


def test_another_time_zone_is_refused():
    with pytest.raises(ForeignExchange, match="HAND trades at an exchange in Asia/Tokyo"):
        parsed(meta__exchangeTimezoneName="Asia/Tokyo")


def test_events_that_cannot_be_read_are_faults_of_their_rows():
    splits = parsed("splits", events__splits={"a": {**SPLIT, "numerator": None}})
    assert splits.faults == {0: "numerator: missing"}
    dividends = parsed("dividends", events__dividends={"a": {"amount": "x", "date": STAMPS[0]}})
    assert dividends.faults == {0: "amount: 'x' is not a number"}
    assert dividends.source.to_pylist() == [{"symbol": "HAND", "date": str(STAMPS[0]), "amount": "x"}]


def test_a_data_set_that_no_chart_holds_is_refused():
    with pytest.raises(InputError, match="holds no instruments"):
        parse(payload(chart(), "instruments"))


def test_parsing_depends_on_the_payload_alone():
    one = payload(chart())
    first, again = parse(one), parse(dataclasses.replace(one))
    assert all(
        np.array_equal(getattr(first.rows, field.name), getattr(again.rows, field.name), equal_nan=True)
        for field in dataclasses.fields(first.rows)
        if field.name != "symbol"
    )


@pytest.mark.parametrize(
    ("currency", "shown"), [("CAD", "'CAD'"), ("GBp", "'GBp'"), ("USd", "'USd'"), ("", "''"), (None, "''")]
)
def test_prices_in_another_currency_or_in_none_are_refused(currency, shown):
    """A hundredth of the unit is another one, too; an empty currency is no dollar."""
    faults = parsed(meta__currency=currency).faults
    assert faults == dict.fromkeys(range(4), f"currency: {shown} is not USD")
    assert set(parsed("dividends", meta__currency=currency).faults) == {0, 1}


def test_dollars_and_a_chart_of_before_currencies_were_told_are_taken():
    assert parsed(meta__currency="USD").faults == parsed().faults == {}


@given(st.one_of(st.text(max_size=6), st.from_regex("[Uu][Ss][Dd][a-z]?", fullmatch=True), st.none()))
def test_nothing_but_usd_is_taken_for_dollars(currency):
    """Neither a hundredth (USd, USX), nor another case, nor blanks around it."""
    refused = parsed(meta__currency=currency).faults
    assert len(refused) == (0 if currency == "USD" else 4)


def test_a_dividend_has_a_currency_of_its_own():
    paid = {"amount": 0.5, "date": 1709908200, "currency": "CAD"}
    read = parsed("dividends", meta__currency="USD", events__dividends__1709908200=paid)
    assert read.faults == {0: "currency: 'CAD' is not USD"}


def test_numbers_that_no_price_is_become_no_other_number():
    """Whatever they overflow to is for the rules to refuse; nothing is warned about on the way."""
    answer = chart(
        indicators__quote__0__high=[1.7e308, 1e308, -1e308, 5e-324],
        indicators__quote__0__close=[5e-324, 1e308, 20.25, 1e308],
        events__dividends={"a": {"amount": 1.7e308, "date": 1709908200}},
    )
    parsed = parse(payload(answer, "chart"))
    assert parsed.rows.high.tolist() == [np.inf, 1.5e308, -1e308, 5e-324]
    assert parsed.also[1].rows.cash_amount.tolist() == [np.inf]
