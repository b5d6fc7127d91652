"""The bars of the sample's five companies against an independent computation from the published file.

Nothing of the package has a part in the expected values: the file is read by the csv module, the sessions
are counted by exchange_calendars, the splits are written here, and the bars are folded by the naive model.
"""

import csv
import datetime as dt
import gzip
from collections import defaultdict
from importlib import resources

import pytest

from condvest.batch_layer.shared.settings import INTERVALS
from condvest.serving_layer.queries.bars.bars_table import read_bars
from condvest.serving_layer.queries.bars.question import Question
from tests.support.exchange import independent_calendar
from tests.support.naive import bars as naive

FILE = "_data/stocks.csv.gz"
SPLITS = {
    "AAPL": {dt.date(2000, 6, 21): 2, dt.date(2005, 2, 28): 2},
    "MSFT": {dt.date(2003, 2, 18): 2},
    "FB": {},
    "GOOG": {},
    "IBM": {},
}
"""New shares for one old, by ex-date: the publicly known splits of 2000-03-01 to 2013-03-01."""

BEFORE_ANY_DIVIDEND = {"AAPL": dt.date(2012, 8, 8), "MSFT": dt.date(2003, 2, 18)}
"""The last session before the first dividend within the sample; each lies on or behind the splits."""


@pytest.fixture(scope="module")
def published():
    """The rows of the file by company."""
    text = gzip.decompress(resources.files("bokeh_sampledata").joinpath(FILE).read_bytes()).decode()
    rows = defaultdict(list)
    for row in csv.DictReader(text.splitlines()):
        rows[row["Ticker"]].append(row)
    return rows


@pytest.fixture(scope="module")
def numbered():
    """Date to ordinal and ordinal to date: 0 is 1962-01-02."""
    calendar = independent_calendar("1962-01-02", "2013-12-31")
    dates = [stamp.date() for stamp in calendar.sessions]
    return dict(zip(dates, range(len(dates)), strict=True)), dates


def windows_of(rows, n, numbered):
    """Return the rows of each window; the file's order is that of the sessions."""
    ordinals, _ = numbered
    windows = defaultdict(list)
    for row in rows:
        windows[ordinals[dt.date.fromisoformat(row["Date"])] // n].append(row)
    return windows


def expected_bar(rows, last, splits):
    """Fold one window's rows on the split basis of its end, the last session it has or will have."""
    factors = []
    for row in rows:
        factor = 1
        for ex_date, ratio in splits.items():
            if dt.date.fromisoformat(row["Date"]) < ex_date <= last:
                factor *= ratio
        factors.append(factor)
    pairs = list(zip(rows, factors, strict=True))
    return {
        "open": float(rows[0]["Open"]) / factors[0],
        "high": max(float(row["High"]) / factor for row, factor in pairs),
        "low": min(float(row["Low"]) / factor for row, factor in pairs),
        "close": float(rows[-1]["Close"]) / factors[-1],
        "volume": naive.total([float(row["Volume"]) * factor for row, factor in pairs]),
        "sessions": len(rows),
    }


def expected(rows, n, splits, numbered):
    """Return the bars of one company; windows that reach beyond the sample's sessions are not complete."""
    _, dates = numbered
    begin, end = dt.date(2000, 3, 1), dt.date(2013, 3, 1)
    bars = []
    for window, held in sorted(windows_of(rows, n, numbered).items()):
        first, last = dates[window * n], dates[window * n + n - 1]
        bars.append(
            {
                "window": window,
                "first_session": first,
                "last_session": last,
                **expected_bar(held, min(last, end), splits),
                "is_complete": begin <= first and last <= end,
            }
        )
    return bars


def bars_of(sample, symbol, n, adjust="none"):
    question = Question(symbols=[symbol], interval=n, adjust=adjust, include_open=True)
    return read_bars(sample.workspace.database, sample.sessions, question).to_pylist()


@pytest.mark.parametrize("n", [1, *INTERVALS])
@pytest.mark.parametrize("symbol", SPLITS)
def test_bars_equal_the_naive_computation_to_the_last_bit(sample, published, numbered, symbol, n):
    """Every column that the published file determines, of every bar."""
    bars = bars_of(sample, symbol, n)
    wanted = expected(published[symbol], n, SPLITS[symbol], numbered)
    assert [{name: bar[name] for name in wanted[0]} for bar in bars] == wanted
    assert {(bar["symbol"], bar["interval"]) for bar in bars} == {(symbol, n)}


def test_stored_bars_equal_what_the_tables_say(sample):
    """vwap and trades too, and for the other providers' rules of completeness."""
    assert sample.differences() == []
    assert sample.resample(full=True).altered == 0


@pytest.mark.parametrize("n", [1, *INTERVALS])
@pytest.mark.parametrize("symbol", ["AAPL", "MSFT"])
def test_adjusted_for_splits(sample, published, numbered, symbol, n):
    """Each bar of the window basis, divided by the splits after the window's end."""
    wanted = expected(published[symbol], n, SPLITS[symbol], numbered)
    bars = bars_of(sample, symbol, n, adjust="splits")
    assert len(bars) == len(wanted)
    for bar, basis in zip(bars, wanted, strict=True):
        factor = 1
        for ex_date, ratio in SPLITS[symbol].items():
            factor *= ratio if ex_date > basis["last_session"] else 1
        assert {name: bar[name] for name in ("open", "high", "low", "close", "volume")} == {
            **{name: basis[name] / factor for name in ("open", "high", "low", "close")},
            "volume": basis["volume"] * factor,
        }


@pytest.mark.parametrize("n", [1, *INTERVALS])
@pytest.mark.parametrize("symbol", BEFORE_ANY_DIVIDEND)
def test_adjusted_closes_are_the_published_ones_but_for_one_constant(sample, published, symbol, n):
    """Where no dividend intervenes, only dividends after the end part the two: one factor for all bars.

    Allowed are half a unit of the last printed digit and 1e-12 for the publisher's own rounding.
    """
    printed = {row["Date"]: row["Adj Close"] for row in published[symbol]}
    bars = [
        bar
        for bar in bars_of(sample, symbol, n, adjust="splits")
        if bar["last_session"] <= BEFORE_ANY_DIVIDEND[symbol]
    ]
    assert len(bars) > 700 // n
    last = bars[-1]
    constant = float(printed[last["last_session"].isoformat()]) / last["close"]
    for bar in bars:
        text = printed[bar["last_session"].isoformat()]
        allowed = 0.5 * 10.0 ** -len(text.partition(".")[2]) + 1e-12 * float(text)
        assert abs(bar["close"] * constant - float(text)) <= 2 * allowed, bar


BY_HAND = {
    # Two of five sessions lie before: 90.56 halved; the high of 2000-06-22; 89.81 halved; twice the volumes
    # 3,517,900 and 4,476,700, and once 4,375,000 and 8,352,000 and 3,660,100.
    ("AAPL", dt.date(2000, 6, 19)): (45.28, 57.63, 44.905, 51.69, 32_376_300),
    # Three before: 86.69 halved; the high of 2005-02-28; 85.55 halved; twice 24,021,100 and 27,125,500 and
    # 16,348,400, and once 11,635,900 and 16,721,000.
    ("AAPL", dt.date(2005, 2, 23)): (43.345, 45.14, 42.775, 44.5, 163_346_900),
    # Two before: 46.41 halved; the high of 2003-02-18; 46.13 halved; twice 36,779,100 and 45,223,200, and
    # once 28,707,750 and 46,902,700 and 50,897,200.
    ("MSFT", dt.date(2003, 2, 13)): (23.205, 24.99, 23.065, 24.14, 290_512_250),
}
"""Open, high, low, close and volume of windows that hold a split, computed by hand from the file."""


@pytest.mark.parametrize(("symbol", "first"), BY_HAND)
def test_windows_that_hold_a_split_by_hand(sample, symbol, first):
    (bar,) = [bar for bar in bars_of(sample, symbol, 5) if bar["first_session"] == first]
    assert tuple(bar[name] for name in ("open", "high", "low", "close", "volume")) == BY_HAND[symbol, first]
