"""What the parameters of a question may be."""

import datetime as dt

import pytest

from condvest.batch_layer.shared.errors import UsageError
from condvest.serving_layer.contract import MOST_SYMBOLS, BarsQuery, ScreenQuery
from condvest.serving_layer.contract.reports import CoverageQuery, EventsQuery, HistoryQuery
from condvest.serving_layer.http.answers.problems import BadRequest
from condvest.serving_layer.http.answers.requests import parsed
from condvest.serving_layer.queries.bars.question import as_instant


@pytest.mark.parametrize("symbols", [",", ",,", "A,", ",A", "A,,B"])
def test_an_empty_name_among_symbols_never_stands_for_the_whole_market(symbols):
    with pytest.raises(BadRequest, match="between the commas is empty"):
        parsed(BarsQuery, [("symbols", symbols)])


@pytest.mark.parametrize("short", [0, 1, MOST_SYMBOLS + 1])
def test_symbols_are_bounded_however_they_are_given(short):
    """Those of the short form count with the repeated ones; one that is named twice counts once."""
    names = [f"S{number}" for number in range(MOST_SYMBOLS + 1)]

    def pairs(names):
        more = [("symbols", ",".join(names[:short]))] if short else []
        return more + [("symbol", name) for name in names[short:]]

    assert set(parsed(BarsQuery, pairs(names[:-1])).all_symbols()) == set(names[:-1])
    with pytest.raises(BadRequest, match=f"at most {MOST_SYMBOLS}"):
        parsed(BarsQuery, pairs(names))


@pytest.mark.parametrize(
    ("model", "asked", "said"),
    [
        (BarsQuery, {"interval": "0"}, "interval '0': expected at least 1"),
        (BarsQuery, {"interval": "253"}, "interval '253': expected at most 252"),
        (BarsQuery, {"interval": "1.5"}, "interval '1.5': expected a whole number"),
        (BarsQuery, {"interval": "1" * 5000}, "expected a whole number"),
        (BarsQuery, {"adjust": "all"}, "adjust 'all': choose none, splits or total"),
        (BarsQuery, {"source": "files"}, "source 'files': choose database or published"),
        (BarsQuery, {"live": "maybe"}, "live 'maybe': choose true or false"),
        (BarsQuery, {"start": "2024-02-30"}, "start '2024-02-30': expected a date: 2024-07-31"),
        (BarsQuery, {"start": "20240229"}, "start '20240229': expected a date: 2024-07-31"),
        (ScreenQuery, {"min_close": "much"}, "min_close 'much': expected a number"),
        (ScreenQuery, {"min_close": "inf"}, "min_close 'inf': expected a finite number"),
        (CoverageQuery, {"by": "week"}, "by 'week': choose session, month or year"),
        (HistoryQuery, {}, "symbol is missing; there is no answer without it"),
        (EventsQuery, {"after": str(2**63)}, "expected less than"),
    ],
)
def test_what_is_wrong_is_said_in_our_words(model, asked, said):
    with pytest.raises(BadRequest) as refused:
        parsed(model, list(asked.items()))
    assert said in str(refused.value)
    assert "Input" not in str(refused.value)


def test_no_symbols_ask_for_all():
    assert parsed(BarsQuery, []).all_symbols() is None


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-07-31", dt.datetime(2024, 7, 31, 23, 59, 59, 999999, dt.UTC)),
        ("2024-07-31T21:00:00Z", dt.datetime(2024, 7, 31, 21, tzinfo=dt.UTC)),
        ("2024-07-31T21:00:00-04:00", dt.datetime(2024, 8, 1, 1, tzinfo=dt.UTC)),
    ],
)
def test_an_instant_is_a_date_or_has_a_time_zone(text, instant):
    assert as_instant(text) == instant


def test_a_time_without_a_zone_is_of_the_zone_that_is_said():
    assert as_instant("2024-07-31T21:00:00", dt.UTC) == dt.datetime(2024, 7, 31, 21, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "text",
    ["2024-07-31T21:00:00", "2024-W31-3", "20240731", "now", "0001-01-01T00:00:00+14:00", "2024-02-30"],
)
def test_what_is_no_instant_is_refused(text):
    with pytest.raises(UsageError, match="as_of"):
        as_instant(text)
