"""Total return through the database and the command line: the sample's published Adj Close, to its digits.

The published column is adjusted for what came after the sample as well, so that its last row already has a
factor: one number a company, taken from that row alone. Everything else must then agree.
"""

import csv
import gzip
import io
from importlib import resources

import pytest

import condvest
from tests.support.in_process import Program
from tests.support.naive.state import State, names_of, rows_read

COMPANIES = {"AAPL": 3270, "FB": 196, "GOOG": 2148, "IBM": 3270, "MSFT": 3270}
"""How many rows each has in the published file."""


@pytest.fixture(scope="module")
def published():
    """Date to (Close, Adj Close) by company."""
    packed = resources.files("bokeh_sampledata").joinpath("_data/stocks.csv.gz").read_bytes()
    rows = {name: {} for name in COMPANIES}
    for row in csv.DictReader(gzip.decompress(packed).decode().splitlines()):
        rows[row["Ticker"]][row["Date"]] = (row["Close"], row["Adj Close"])
    return rows


def scaled(adjusted, rows):
    """Return the published column with the factor of its last row taken out, as date to number."""
    close, last = map(float, rows[max(rows)])
    assert max(rows) == max(adjusted)
    return {date: float(text) * (close / last) for date, (_, text) in rows.items()}


@pytest.mark.parametrize("company", COMPANIES)
def test_closes_by_the_python_interface_are_the_published_ones(sample, published, company):
    """Twelve digits and more are printed; eleven must agree, over thirteen years and 52 dividends."""
    table = condvest.bars(company, 1, adjust="total", settings=sample.workspace.settings)
    closes = dict(zip(map(str, table["last_session"].to_pylist()), table["close"].to_pylist(), strict=True))
    expected = scaled(closes, published[company])
    assert len(closes) == COMPANIES[company]
    assert closes == pytest.approx(expected, rel=1e-11, abs=0)


def test_closes_by_the_command_are_the_published_ones(sample, published):
    condvest_ = Program(sample.url, sample.workspace.settings.home)
    shown = condvest_.done("bars", "--interval", "1", "--adjust", "total", "--format", "csv").out
    closes = {name: {} for name in COMPANIES}
    for row in csv.DictReader(io.StringIO(shown)):
        closes[row["symbol"]][row["last_session"]] = float(row["close"])
    for company, found in closes.items():
        assert found == pytest.approx(scaled(found, published[company]), rel=1e-11, abs=0)


def test_total_moves_by_dividends_alone_from_the_split_adjusted_series(sample):
    """FB and GOOG paid none; AAPL paid from August 2012 on only, so 2000 to that is one constant."""
    asked = {"interval": 1, "settings": sample.workspace.settings}
    for company, constant_until in (("FB", "2013-03-01"), ("GOOG", "2013-03-01"), ("AAPL", "2012-08-08")):
        total, split = (
            condvest.bars(company, adjust=how, end=constant_until, **asked)["close"].to_pylist()
            for how in ("total", "splits")
        )
        ratio = total[0] / split[0]
        assert total == pytest.approx([close * ratio for close in split], rel=1e-14, abs=0)
        assert (ratio == 1.0) == (company != "AAPL")
        assert 0.97 < ratio <= 1.0


@pytest.mark.parametrize("interval", [2, 3, 5, 8, 13, 21, 34, 50])
@pytest.mark.parametrize("anchor", ["calendar", "listing"])
def test_bars_of_total_return_are_the_adjusted_daily_bars_folded(sample, interval, anchor):
    """By the naive model, to the last bit."""
    expected = State.of(sample.looking).bars(
        interval, "total", names_of(sample.looking), listing=anchor == "listing"
    )
    table = condvest.bars(
        interval=interval,
        adjust="total",
        anchor=anchor,
        include_open=True,
        settings=sample.workspace.settings,
    )
    assert rows_read(table) == expected
