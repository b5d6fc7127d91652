"""The sample provider, held against the data set's own adjusted closes."""

import csv
import datetime as dt
import gzip
import hashlib
from collections import defaultdict

import pytest

from condvest.batch_layer.shared.clients.parsing import parse
from condvest.batch_layer.shared.clients.sample import SampleProvider
from condvest.batch_layer.shared.errors import InputError

NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)
LATER = dt.date(2024, 6, 3)
COUNTS = {"AAPL": 3270, "FB": 196, "GOOG": 2148, "IBM": 3270, "MSFT": 3270}


@pytest.fixture(scope="module")
def provider():
    return SampleProvider(clock=lambda: NOW)


@pytest.fixture(scope="module")
def prices(provider):
    (answer,) = provider.fetch([dt.date(2000, 3, 1)])
    return answer.payload


@pytest.fixture(scope="module")
def raw(prices):
    """The file's rows by company, read without the code under test."""
    companies = defaultdict(list)
    for row in csv.DictReader(gzip.decompress(prices.content).decode().splitlines()):
        companies[row["Ticker"]].append(row)
    return companies


def test_it_covers_its_thirteen_years_and_no_session_that_has_not_closed(provider):
    assert provider.coverage(LATER) == (dt.date(2000, 3, 1), dt.date(2013, 3, 1))
    assert provider.coverage(dt.date(2005, 5, 5)) == (dt.date(2000, 3, 1), dt.date(2005, 5, 5))


def test_the_answer_is_the_published_file_unaltered(prices):
    """The digest is the one that the package records for its file."""
    assert prices.digest == "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd"
    assert hashlib.sha256(prices.content).hexdigest() == prices.digest
    assert (prices.provider, prices.dataset, prices.media) == ("sample", "daily_bars", "csv.gz")
    assert (prices.first_session, prices.last_session) == (dt.date(2000, 3, 1), dt.date(2013, 3, 1))
    assert prices.is_whole
    assert prices.fetched_at == NOW


def test_nothing_is_fetched_where_nothing_is_asked_for(provider):
    assert len(provider.fetch([])) == 0
    assert len(provider.fetch([dt.date(2013, 3, 4)])) == 0
    assert len(provider.fetch([dt.date(2012, 5, 18), dt.date(2013, 3, 1)])) == 1


def test_a_missing_package_is_told_by_name(provider, monkeypatch):
    monkeypatch.setattr(
        "condvest.batch_layer.shared.clients.sample.client._PRICES", "bokeh_sampledata/_data/no_such.csv.gz"
    )
    with pytest.raises(InputError, match="bokeh-sampledata"):
        provider.fetch([dt.date(2000, 3, 1)])


def test_every_row_is_read_as_it_stands(prices, raw):
    parsed = parse(prices)
    assert parsed.faults == {}
    rows = parsed.rows
    flat = [row for company in raw.values() for row in company]
    assert {symbol: len(company) for symbol, company in raw.items()} == COUNTS
    assert rows.line.tolist() == list(range(2, len(flat) + 2))
    assert rows.symbol.tolist() == [row["Ticker"] for row in flat]
    assert rows.session.astype(str).tolist() == [row["Date"] for row in flat]
    for name in ("open", "high", "low", "close", "volume"):
        assert getattr(rows, name).tolist() == [float(row[name.title()]) for row in flat]
    assert set(rows.trades.tolist()) == {-1}
    assert parsed.source.column_names[-1] == "Adj Close"


def actions(provider):
    """Splits (new shares for one old) and dividends by symbol and ex-date."""
    splits, dividends = (parse(answer.payload) for answer in provider.corporate_actions())
    assert splits.faults == dividends.faults == {}
    s, d = splits.rows, dividends.rows
    return (
        dict(zip(zip(s.symbol, s.ex_date.astype(str), strict=True), s.split_to / s.split_from, strict=True)),
        dict(zip(zip(d.symbol, d.ex_date.astype(str), strict=True), d.cash_amount.tolist(), strict=True)),
    )


def test_splits_and_well_known_dividends(provider):
    splits, dividends = actions(provider)
    assert splits == {("AAPL", "2000-06-21"): 2, ("AAPL", "2005-02-28"): 2, ("MSFT", "2003-02-18"): 2}
    assert len(dividends) == 92
    assert dividends["MSFT", "2003-02-19"] == 0.08
    assert dividends["MSFT", "2004-11-15"] == 3.08  # 3.00 special and 0.08 quarterly
    assert {day: paid for (symbol, day), paid in dividends.items() if symbol == "AAPL"} == {
        "2012-08-09": 2.65,
        "2012-11-07": 2.65,
        "2013-02-07": 2.65,
    }


def test_splits_and_dividends_give_the_published_adjusted_close_of_every_row(provider, raw):
    """Backwards from the last row, whose adjusted close is taken as given.

    A session's total return is (close + dividend) x split / close before, which is how this data set
    adjusts. Half a unit of the last printed digit, on either of the two prints compared, and 1e-13 a
    factor for rounding, are allowed: of 100 factors at most.
    """
    splits, dividends = actions(provider)
    for symbol, rows in raw.items():
        adjusted = float(rows[-1]["Adj Close"])
        last = adjusted
        used = 0
        for row, after in zip(rows[-2::-1], rows[:0:-1], strict=True):
            key = (symbol, after["Date"])
            close, next_close = float(row["Close"]), float(after["Close"])
            used += key in splits or key in dividends
            growth = (next_close + dividends.get(key, 0.0)) * splits.get(key, 1.0) / close
            adjusted /= growth
            printed = row["Adj Close"]
            half_a_digit = 0.5 * 10.0 ** -len(printed.partition(".")[2])
            last_digit = 0.5 * 10.0 ** -len(rows[-1]["Adj Close"].partition(".")[2])
            allowed = half_a_digit + last_digit * adjusted / last + 1e-11 * adjusted
            assert abs(adjusted - float(printed)) <= allowed, f"{symbol} {row['Date']}"
        assert used == sum(key[0] == symbol for key in [*splits, *dividends])
