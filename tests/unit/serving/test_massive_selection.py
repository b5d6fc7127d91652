"""Filters, order and pages of Massive's lists."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.errors import UsageError
from condvest.serving_layer.compatible.massive.lists import ListKind, Place, selected
from condvest.serving_layer.compatible.massive.parameters import Parameters, date_of

KIND = ListKind(
    {"ticker": "ticker", "date": "date", "cash": "cash"},
    default=10,
    most=100,
    sort="date.desc",
    numbers=("cash",),
    dates=("date",),
)
TODAY = dt.date(2024, 1, 4)
RECORDS = [
    {"ticker": "B", "date": "2024-01-03", "cash": 0.5},
    {"ticker": "A", "date": "2024-01-02", "cash": 10.0},
    {"ticker": "C", "date": "2024-01-03"},
]


def tickers(**asked):
    query = Parameters(
        [(name.replace("__", "."), value) for name, value in asked.items()], KIND.parameters, TODAY
    )
    return "".join(record["ticker"] for record in selected(RECORDS, query, KIND))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, "BCA"),
        ({"order": "desc", "sort": "ticker"}, "CBA"),
        ({"sort": "ticker.desc"}, "CBA"),
        ({"sort": "date.asc,ticker.desc"}, "ACB"),
        ({"sort": "cash"}, "BAC"),
        ({"sort": "cash.desc"}, "ABC"),
        ({"date__gt": "2024-01-02", "sort": "ticker"}, "BC"),
        ({"date__gte": "2024-01-02", "date__lt": "2024-01-03"}, "A"),
        ({"ticker__any_of": "C,A,X", "sort": "ticker"}, "AC"),
        ({"cash__gt": "9"}, "A"),
        ({"cash__lte": "9"}, "B"),
        ({"cash": "0.50"}, "B"),
        ({"cash__any_of": "10,0.5", "sort": "cash"}, "BA"),
        ({"ticker": "D"}, ""),
    ],
)
def test_filters_and_order(asked, found):
    """Numbers compare as numbers: 9 is below 10. A record without the value passes no filter, and is last."""
    assert tickers(**asked) == found


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"tiker": "A"}, "did you mean ticker"),
        ({"ticker__near": "A"}, "unknown parameter 'ticker.near'"),
        ({"ticker": ""}, "ticker is empty"),
        ({"sort": "name"}, "sort 'name': choose ticker, date, cash"),
        ({"sort": "date.up"}, "sort 'date.up'"),
        ({"order": "up"}, "choose asc or desc"),
        ({"cash__gt": "nine"}, "expected a number"),
        ({"cash": "nan"}, "expected a number"),
        ({"date__gte": "2024"}, "expected a date"),
    ],
)
def test_what_cannot_be_asked_is_refused(asked, said):
    with pytest.raises(UsageError, match=said):
        tickers(**asked)


def test_a_doubled_parameter_is_refused_and_the_key_is_no_parameter():
    with pytest.raises(UsageError, match="given 2 times"):
        Parameters([("ticker", "A"), ("ticker", "B")], KIND.parameters, TODAY)
    assert Parameters([("apiKey", "cv_x")], KIND.parameters, TODAY).given == {}


@pytest.mark.parametrize("text", ["0", "-1", "101", "1.5", "", "٣", "1e1", " 1", "9" * 5000])
def test_a_limit_is_a_whole_number_within_its_bounds(text):
    with pytest.raises(UsageError, match="limit"):
        Parameters([("limit", text)], KIND.parameters, TODAY).count("limit", KIND.default, KIND.most)


@given(st.builds(Place, st.text(max_size=30), st.integers(0, 2**31 - 1)))
def test_a_place_comes_back_from_its_text(place):
    assert Place.decoded(place.encoded()) == place


@given(st.text(max_size=60))
def test_a_cursor_of_any_text_is_a_place_or_refused(text):
    try:
        place = Place.decoded(text)
    except UsageError:
        return
    assert isinstance(place.version, str)
    assert place.row >= 0


def test_dates_are_dates_or_milliseconds_in_new_york():
    assert date_of("from", "2024-03-10") == dt.date(2024, 3, 10)
    # 2024-03-11T03:59:59Z is a second before midnight in New York's summer time.
    assert date_of("from", "1710129599000") == dt.date(2024, 3, 10)
    assert date_of("from", "1710129600000") == dt.date(2024, 3, 11)


@pytest.mark.parametrize(
    "text", ["20240310", "2024-W10-7", "2024-3-1", "", "9" * 30, "-1710129599000", "now"]
)
def test_other_texts_are_no_dates(text):
    with pytest.raises(UsageError, match="expected a date"):
        date_of("from", text)
