"""The emulated Yahoo tells histories as Yahoo does: split-adjusted, single precision, stitched."""

import datetime as dt

import numpy as np
import pytest

from tests.support.emulators.probe import ask
from tests.support.emulators.synthetic import truth
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.yahoo import History, YahooEmulator
from tests.support.emulators.yahoo.sample import sample_histories
from tests.support.emulators.yahoo.server import CRUMB

NOW = dt.datetime(2024, 7, 1, 16, 0, tzinfo=dt.UTC)
ALL = "period1=0&period2=1719806400&interval=1d&events=div,splits,capitalGains"


def by_hand():
    """Four sessions, a 2-for-1 split on the third, a dividend of 1.00 on the second."""
    return History(
        symbol="HAND",
        session=np.array(["2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07"], dtype="datetime64[D]"),
        open=np.array([100.0, 100.0, 50.0, 51.0]),
        high=np.array([102.0, 101.0, 52.0, 52.0]),
        low=np.array([99.0, 98.0, 49.0, 50.5]),
        close=np.array([100.0, 99.0, 51.0, 51.5]),
        volume=np.array([1000.0, 2000.0, 4000.0, 4100.0]),
        splits=((dt.date(2024, 3, 6), 1, 2),),
        dividends=((dt.date(2024, 3, 5), 1.0),),
    )


@pytest.fixture
def emulator(small_market):
    with YahooEmulator(small_market, histories=[by_hand()], now=NOW) as running:
        yield running


def chart(emulator, symbol, query=ALL):
    return ask(emulator.url, f"/v8/finance/chart/{symbol}?{query}").json()["chart"]["result"][0]


def test_prices_are_on_the_split_basis_of_today(emulator):
    """Before the 2-for-1 split prices halve and volumes double; close 100 less 1% of dividend is 49.5."""
    result = chart(emulator, "HAND")
    assert result["timestamp"] == [1709562600, 1709649000, 1709735400, 1709821800]  # 9:30 in New York
    (quote,) = result["indicators"]["quote"]
    assert quote == {
        "open": [50.0, 50.0, 50.0, 51.0],
        "high": [51.0, 50.5, 52.0, 52.0],
        "low": [49.5, 49.0, 49.0, 50.5],
        "close": [50.0, 49.5, 51.0, 51.5],
        "volume": [2000, 4000, 4000, 4100],
    }
    assert result["indicators"]["adjclose"] == [{"adjclose": [49.5, 49.5, 51.0, 51.5]}]
    assert result["events"] == {
        "dividends": {"1709649000": {"amount": 0.5, "date": 1709649000}},
        "splits": {
            "1709735400": {"date": 1709735400, "numerator": 2.0, "denominator": 1.0, "splitRatio": "2:1"}
        },
    }


def test_meta_has_what_yfinance_reads(emulator):
    meta = chart(emulator, "hand", "range=1d&interval=1d")["meta"]
    assert (meta["symbol"], meta["exchangeTimezoneName"], meta["currency"]) == (
        "HAND",
        "America/New_York",
        "USD",
    )
    assert {"instrumentType", "validRanges", "firstTradeDate", "regularMarketTime"} <= set(meta)
    assert {"currentTradingPeriod", "gmtoffset", "priceHint", "dataGranularity"} <= set(meta)


def test_period2_is_exclusive_and_events_come_only_when_asked_for_and_inside(emulator):
    result = chart(emulator, "HAND", "period1=1709614800&period2=1709701200&interval=1d")  # all of 03-05
    assert result["timestamp"] == [1709649000]
    assert "events" not in result
    asked = chart(emulator, "HAND", "period1=1709614800&period2=1709701200&interval=1d&events=div,splits")
    assert set(asked["events"]) == {"dividends"}


def test_rows_of_nulls_and_missing_rows(emulator):
    emulator.knobs.update({"nulls": {"HAND": ["2024-03-05"]}, "gaps": {"HAND": ["2024-03-06"]}})
    result = chart(emulator, "HAND")
    assert result["timestamp"] == [1709562600, 1709649000, 1709821800]
    (quote,) = result["indicators"]["quote"]
    assert {name: values[1] for name, values in quote.items()} == dict.fromkeys(quote)
    assert quote["close"][0] == 50.0


def test_the_markets_symbols_carry_their_whole_past(emulator, small_market):
    """Yahoo files the history of FB under META, in single precision."""
    result = chart(emulator, "META")
    history = small_market.history(0, NOW)
    assert set(history.symbol) == {"FB", "META"}
    (quote,) = result["indicators"]["quote"]
    assert quote["close"] == history.close.astype(np.float32).astype(float).tolist()
    assert quote["close"] != history.close.tolist()
    assert len(result["events"]["dividends"]) == len(
        [one for one in truth.dividends(small_market, NOW) if one["instrument"] == 0]
    )


@pytest.mark.parametrize(("symbol", "ticker"), [("BRK-B", "BRK.B"), ("KIM-PL", "KIMpL"), ("KIMPL", "KIMPL")])
def test_symbols_are_written_yahoos_way(emulator, small_market, symbol, ticker):
    rows = small_market.bars(dt.date(2024, 6, 28), NOW)
    (close,) = rows.close[rows.symbol == ticker]
    assert chart(emulator, symbol)["indicators"]["quote"][0]["close"][-1] == pytest.approx(close)


@pytest.mark.parametrize("symbol", ["FB", "BBBY", "NOPE1", "BRK.B"])
def test_an_unknown_or_delisted_symbol_is_404_in_yahoos_words(emulator, symbol):
    answer = ask(emulator.url, f"/v8/finance/chart/{symbol}?{ALL}")
    assert answer.status == 404
    assert answer.json() == {
        "chart": {
            "result": None,
            "error": {"code": "Not Found", "description": "No data found, symbol may be delisted"},
        }
    }


def test_a_span_without_rows_is_400(emulator):
    answer = ask(emulator.url, "/v8/finance/chart/HAND?period1=0&period2=86400&interval=1d")
    assert answer.status == 400
    assert answer.json()["chart"]["error"]["code"] == "Bad Request"
    assert ask(emulator.url, "/v8/finance/chart/HAND?interval=1m").status == 422


def test_cookie_crumb_consent_and_summary(emulator):
    cookie = ask(emulator.url, "/")
    assert cookie.headers["set-cookie"].startswith("A3=")
    assert ask(emulator.url, "/v1/test/getcrumb").body.decode() == CRUMB
    assert b'name="csrfToken"' in ask(emulator.url, "/consent").body
    refused = ask(emulator.url, "/v10/finance/quoteSummary/HAND?modules=quoteType")
    assert refused.status == 401
    found = ask(emulator.url, f"/v10/finance/quoteSummary/HAND?modules=quoteType&crumb={CRUMB}").json()
    assert found["quoteSummary"]["result"][0]["quoteType"]["quoteType"] == "EQUITY"
    assert ask(emulator.url, f"/v10/finance/quoteSummary/NOPE1?crumb={CRUMB}").status == 404
    quotes = ask(emulator.url, f"/v7/finance/quote?symbols=HAND,NOPE1&crumb={CRUMB}").json()
    assert [one["regularMarketPrice"] for one in quotes["quoteResponse"]["result"]] == [51.5]
    assert CRUMB not in str(list(emulator.log.recent))


def test_too_many_calls_are_429_in_yahoos_words(small_market):
    with YahooEmulator(small_market, now=NOW, rate=(1, 60), clock=lambda: 0.0) as emulator:
        assert ask(emulator.url, f"/v8/finance/chart/KIM?{ALL}").status == 200
        refused = ask(emulator.url, f"/v8/finance/chart/KIM?{ALL}")
        assert (refused.status, refused.body) == (429, b"Too Many Requests\r\n")


def test_faults_come_over_yahoos_wire_too(emulator):
    emulator.knobs.update({"next_faults": ["RATE_LIMITED", "HTML_OK", "EMPTY_OBJECT"]})
    target = f"/v8/finance/chart/KIM?{ALL}"
    assert ask(emulator.url, target).body == b"Too Many Requests\r\n"
    assert ask(emulator.url, target).body.startswith(b"<html>")
    assert ask(emulator.url, target).json() == {}


def test_the_real_sample_is_told_split_adjusted():
    """AAPL on 2000-03-01 closed at 130.31 as traded; two 2-for-1 splits later Yahoo says 32.5775."""
    histories = sample_histories()
    assert sorted(history.symbol for history in histories) == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    assert sum(len(history.session) for history in histories) == 12_154
    now = dt.datetime(2013, 3, 2, 12, tzinfo=dt.UTC)
    query = "period1=946684800&period2=1362200000&interval=1d&events=div,splits"
    with YahooEmulator(histories=histories, now=now) as emulator:
        aapl = chart(emulator, "AAPL", query)
        msft = chart(emulator, "MSFT", query)
        assert ask(emulator.url, "/_emulator/truth/splits").status == 404
    assert aapl["indicators"]["quote"][0]["close"][0] == pytest.approx(130.31 / 4, rel=1e-7)
    assert aapl["indicators"]["quote"][0]["volume"][0] == 9_616_100 * 4
    assert [one["splitRatio"] for one in aapl["events"]["splits"].values()] == ["2:1", "2:1"]
    assert [one["splitRatio"] for one in msft["events"]["splits"].values()] == ["2:1"]


def test_a_split_to_come_is_not_in_the_prices_yet():
    market = Market(
        seed=5, instruments=30, first_session=dt.date(2024, 1, 2), last_session=dt.date(2024, 6, 28)
    )
    (split,) = [one for one in truth.splits(market) if one["symbol"] == "AAPL"]
    eve = dt.datetime.fromisoformat(split["ex_date"]).replace(tzinfo=dt.UTC)  # still the evening before
    history = market.history(2, eve)
    with YahooEmulator(market, now=eve) as emulator:
        result = chart(emulator, "AAPL")
    assert result["indicators"]["quote"][0]["close"] == pytest.approx(history.close.tolist())
    assert "splits" not in result["events"]
