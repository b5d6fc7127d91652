"""Split-adjusted tables: brought back to prices as traded, or refused; worked by hand."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.clients.files import parse
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.file_options import FileOptions
from condvest.batch_layer.shared.models.given.payloads import Payload

NOW = dt.datetime(2024, 6, 10, tzinfo=dt.UTC)
ADJUSTED = """Date,Open,High,Low,Close,Volume,Dividends,Stock Splits
2024-06-03,25,26,24,25,4000,0.25,0
2024-06-04,25,26,24,25.5,4400,0,0
2024-06-05,25,26,24,25.25,4800,0,4
"""
"""A 4-for-1 split with ex-date 2024-06-05, and a dividend of 1.00 as traded before it."""


def payload(text=ADJUSTED, dataset="daily_bars", **options):
    content = text.encode()
    return Payload(
        "file",
        dataset,
        content,
        "csv",
        None,
        None,
        NOW,
        is_whole=False,
        name="X.csv",
        options=FileOptions(**{"symbol_from_path": True} | options),
    )


def test_a_table_whose_prices_deny_its_own_split_is_refused():
    with pytest.raises(InputError, match=r"X on 2024-06-05.*--prices split-adjusted"):
        parse(payload())


def test_split_adjusted_prices_and_volumes_are_brought_back():
    rows = parse(payload(prices="split-adjusted")).rows
    assert rows.close.tolist() == [100, 102, 25.25]
    assert rows.high.tolist() == [104, 104, 26]
    assert rows.volume.tolist() == [1000, 1100, 4800]


@pytest.mark.parametrize(
    ("dataset", "options", "was", "junk", "where"),
    [
        ("daily_bars", {"prices": "split-adjusted"}, "4800,0,4", "4800,0,4:1", "line 4: stock splits.*4:1"),
        ("daily_bars", {}, "4800,0,4", "4800,0,4:1", "line 4: stock splits.*4:1"),
        ("splits", {}, "4800,0,4", "4800,0,4:1", "line 4: stock splits.*4:1"),
        ("dividends", {}, "4000,0.25", "4000,$0.25", r"line 2: dividends.*\$0\.25"),
    ],
)
def test_an_action_that_cannot_be_read_is_named_and_nothing_of_the_file_is_taken(
    dataset, options, was, junk, where
):
    """Without the split the closes before it would be stored as 25.0, and were 100.0."""
    with pytest.raises(InputError, match=f"{where}.*new shares per old"):
        parse(payload(ADJUSTED.replace(was, junk), dataset, **options))


def test_its_dividends_are_brought_back_and_its_splits_are_as_they_are():
    dividends = parse(payload(dataset="dividends", prices="split-adjusted")).rows
    assert (dividends.symbol.tolist(), dividends.cash_amount.tolist()) == (["X"], [1.0])
    splits = parse(payload(dataset="splits", prices="split-adjusted")).rows
    assert (splits.split_from.tolist(), splits.split_to.tolist(), splits.line.tolist()) == ([1], [4], [4])


def test_a_split_that_is_given_twice_counts_once():
    rows = parse(
        payload(prices="split-adjusted", splits=(("X", "2024-06-05", 4.0), ("Y", "2024-06-05", 7.0)))
    ).rows
    assert rows.close.tolist() == [100, 102, 25.25]


def test_prices_adjusted_for_dividends_are_refused():
    with pytest.raises(InputError, match="adjusted for dividends"):
        parse(payload(prices="adjusted"))


def test_split_adjusted_prices_without_any_split_are_refused():
    with pytest.raises(InputError, match="--splits"):
        parse(payload("date,open,high,low,close,volume\n2024-06-03,1,1,1,1,1\n", prices="split-adjusted"))


def test_columns_without_a_name_are_ignored_however_many():
    rows = parse(payload(",date,open,high,low,close,volume,\n0,2024-06-03,1,2,1,2,5,9\n")).rows
    assert (rows.symbol.tolist(), rows.close.tolist()) == (["X"], [2])


ratios = st.sampled_from([2.0, 3.0, 4.0, 10.0, 0.1, 0.5])


@given(st.lists(st.tuples(st.floats(1, 500), st.none() | ratios), min_size=2, max_size=20))
def test_adjusting_by_any_splits_is_undone(history):
    """A naive twin adjusts prices as traded; what is read is what was traded."""
    dates = [dt.date(2024, 1, 1) + dt.timedelta(number) for number in range(len(history))]
    lines = []
    for number, (traded, ratio) in enumerate(history):
        factor = 1.0
        for _, later in history[number + 1 :]:
            factor *= later or 1.0
        price, volume = traded / factor, 1000 * factor
        lines.append(f"{dates[number]},{price!r},{price!r},{price!r},{price!r},{volume!r},{ratio or 0}")
    text = "date,open,high,low,close,volume,split\n" + "\n".join(lines) + "\n"
    rows = parse(payload(text, prices="split-adjusted")).rows
    assert rows.close.tolist() == pytest.approx([traded for traded, _ in history], rel=1e-12)
    assert rows.volume.tolist() == pytest.approx([1000.0] * len(history), rel=1e-12)
