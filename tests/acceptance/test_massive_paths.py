"""The vendor's own client, asking `condvest serve` in the vendor's place."""

import datetime as dt
import json
import signal
from zoneinfo import ZoneInfo

import httpx
import pytest
from massive import RESTClient
from massive.exceptions import BadResponse

import condvest
from tests.support.serving import serving

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def massive(client):
    return RESTClient("any", base=str(client.base_url).rstrip("/"), retries=0)


def midnight(date):
    return int(dt.datetime.combine(date, dt.time(), NEW_YORK).timestamp() * 1000)


def as_told(bar):
    return (bar.timestamp, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.vwap, bar.transactions)


def as_bars(rows):
    names = ("open", "high", "low", "close", "volume", "vwap", "trades")
    return [(midnight(row["first_session"]), *(row[name] for name in names)) for row in rows]


@pytest.mark.parametrize(("interval", "limit"), [(1, 500), (13, 7), (252, 50_000)])
def test_a_range_is_bars_of_n_sessions_in_pages(massive, settings, interval, limit):
    told = massive.list_aggs("IBM", interval, "day", "2005-01-03", "2010-12-31", limit=limit)
    wanted = condvest.bars("IBM", interval, settings=settings).to_pylist()
    first, last = dt.date(2005, 1, 3), dt.date(2010, 12, 31)
    within = [row for row in wanted if first <= row["first_session"] <= last]
    assert len(within) > 5
    assert [as_told(bar) for bar in told] == as_bars(within)


def test_a_range_newest_first_as_traded_by_instants(massive, settings):
    since = dt.datetime(2000, 6, 1, tzinfo=NEW_YORK)
    told = massive.get_aggs("AAPL", 1, "day", since, dt.date(2000, 6, 30), adjusted=False, sort="desc")
    wanted = condvest.bars("AAPL", 1, start="2000-06-01", end="2000-06-30", adjust="none", settings=settings)
    assert [as_told(bar) for bar in told] == as_bars(wanted.to_pylist())[::-1]
    assert told[-1].close > 80  # before the split of 2000-06-21, as traded


def test_bars_that_are_not_complete_are_given_only_if_asked_for(massive):
    span = ("AAPL", 34, "day", "2012-11-01", "2013-12-31")
    complete = massive.get_aggs(*span)
    every = massive.get_aggs(*span, params={"include_open": "true"})
    assert [as_told(bar) for bar in every][:-1] == [as_told(bar) for bar in complete]


def test_a_session_of_all_is_stamped_at_its_close(massive):
    early = massive.get_grouped_daily_aggs("2012-11-23", adjusted=False)
    assert [bar.ticker for bar in early] == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    assert {bar.timestamp for bar in early} == {
        int(dt.datetime(2012, 11, 23, 13, tzinfo=NEW_YORK).timestamp() * 1000)
    }
    assert massive.get_grouped_daily_aggs("2012-11-24") == []


@pytest.mark.parametrize("date", ["2013-03-04", "1999-12-31"])
def test_a_session_that_is_not_loaded_is_refused_and_never_empty(massive, date):
    with pytest.raises(BadResponse, match="NOT_AUTHORIZED"):
        massive.get_grouped_daily_aggs(date)


def test_the_newest_bar_and_one_of_a_date(massive, settings):
    (newest,) = massive.get_previous_close_agg("IBM")
    assert (newest.ticker, newest.close) == ("IBM", 202.91)
    one = massive.get_daily_open_close_agg("IBM", "2013-03-01")
    assert (one.symbol, one.from_, one.close) == ("IBM", "2013-03-01", 202.91)
    with pytest.raises(BadResponse, match="NOT_FOUND"):
        massive.get_daily_open_close_agg("IBM", "2013-03-02")
    assert condvest.bars("IBM", 1, settings=settings)["close"][-1].as_py() == newest.close


def test_splits_and_dividends_by_every_filter(massive):
    splits = list(massive.list_stocks_splits(ticker_any_of="AAPL,MSFT", sort="execution_date.asc", limit=1))
    assert [(one.ticker, one.execution_date, one.split_from, one.split_to) for one in splits] == [
        ("AAPL", "2000-06-21", 1.0, 2.0),
        ("MSFT", "2003-02-18", 1.0, 2.0),
        ("AAPL", "2005-02-28", 1.0, 2.0),
    ]
    assert [one.historical_adjustment_factor for one in splits] == [0.25, 0.5, 0.5]
    later = massive.list_stocks_splits(execution_date_gt="2003-02-18")
    assert [one.execution_date for one in later] == ["2005-02-28"]
    paid = list(massive.list_stocks_dividends(ticker="AAPL", ex_dividend_date_gte="2012-08-01"))
    assert (paid[-1].ex_dividend_date, paid[-1].cash_amount) == ("2012-08-09", 2.65)
    old = list(massive.list_dividends("AAPL", ex_dividend_date_gte="2012-08-01"))
    assert [(one.ex_dividend_date, one.cash_amount) for one in old] == [
        (one.ex_dividend_date, one.cash_amount) for one in paid
    ]
    assert next(iter(massive.list_splits("MSFT"))).split_to == 2


def test_tickers_their_details_and_their_events(massive):
    assert [one.ticker for one in massive.list_tickers(limit=2)] == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    assert [one.ticker for one in massive.list_tickers(ticker_gte="G", order="desc")] == [
        "MSFT",
        "IBM",
        "GOOG",
    ]
    assert list(massive.list_tickers(active=False)) == []
    assert massive.get_ticker_details("FB").ticker == "FB"
    raw = json.loads(massive.get_ticker_events("FB", raw=True).data)
    assert [event["ticker_change"] for event in raw["results"]["events"]] == [{"ticker": "FB"}]
    with pytest.raises(BadResponse, match="NOT_FOUND"):
        massive.get_ticker_details("fb")


def test_days_to_come_without_a_session(massive):
    """Thanksgiving is the fourth Thursday of November; the exchange closes early on the day after."""
    today = dt.datetime.now(NEW_YORK).date()
    thursdays = (dt.date(year, 11, day) for year in (today.year, today.year + 1) for day in range(22, 29))
    thanksgiving = next(day for day in thursdays if day.weekday() == 3 and day >= today)
    days = {(one.date, one.status) for one in massive.get_market_holidays()}
    assert (thanksgiving.isoformat(), "closed") in days
    assert ((thanksgiving + dt.timedelta(1)).isoformat(), "early-close") in days
    assert min(days)[0] >= today.isoformat()


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v2/aggs/ticker/AAPL/range/1/minute/2012-01-03/2012-01-31", 400, "bars are made of sessions"),
        ("/v2/aggs/ticker/AAPL/range/253/day/2012-01-03/2012-01-31", 400, "1 to 252 sessions"),
        ("/v2/aggs/ticker/AAPL/range/0/day/2012-01-03/2012-01-31", 400, "1 to 252 sessions"),
        ("/v2/aggs/ticker/AAPL/range/1/day/20120103/2012-01-31", 400, "expected a date such as"),
        ("/v2/aggs/ticker/AAPL/range/1/day/2012-02-03/2012-01-31", 400, "lies after"),
        ("/v2/aggs/ticker/AAPL/range/1/day/9999999999999999999/2012-01-31", 400, "expected a date such as"),
        ("/v2/aggs/ticker/NONE/range/1/day/2012-01-03/2012-01-31", 404, "carries the symbol NONE"),
        ("/v2/aggs/ticker/AAPL/range/1/day/2012-01-03/2012-01-31?sort=up", 400, "choose asc or desc"),
        ("/v2/aggs/ticker/AAPL/range/1/day/2012-01-03/2012-01-31?limit=0", 400, "from 1 to 50000"),
        ("/v2/aggs/ticker/AAPL/range/1/day/2012-01-03/2012-01-31?cursor=x", 400, "not one that this server"),
        ("/v3/reference/tickers?activ=true", 400, "did you mean active?"),
        ("/v3/reference/tickers?active=1", 400, "choose true or false"),
        ("/v3/reference/tickers?sort=market_cap", 400, "sort 'market_cap': choose ticker"),
        ("/stocks/v1/splits?limit=5001", 400, "from 1 to 5000"),
    ],
)
def test_what_cannot_be_answered_is_said_in_the_vendors_form(client, path, status, said):
    answer = client.get(path)
    body = answer.json()
    assert (answer.status_code, body["status"]) == (status, "NOT_FOUND" if status == 404 else "ERROR")
    assert said in body.get("error", body.get("message"))
    assert body["request_id"] == answer.headers["x-request-id"]


def test_an_answer_that_the_client_has_is_not_sent_again(client):
    first = client.get("/stocks/v1/splits")
    again = client.get("/stocks/v1/splits", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(
        "/stocks/v1/splits?limit=1", headers={"If-None-Match": first.headers["etag"]}
    ).is_success


def test_a_page_of_data_that_have_changed_is_gone(fresh, prices):
    days = [f"{symbol},2024-06-0{day},5,6,4,5,100" for symbol in "AB" for day in (3, 4, 5)]
    fresh.done("import", prices(*days))
    with serving(fresh) as client:
        path = "/v2/aggs/ticker/A/range/1/day/2024-06-01/2024-06-30?limit=2"
        following = client.get(path).json()["next_url"]
        assert len(client.get(following).json()["results"]) == 1
        fresh.done("import", prices("A,2024-06-06,5,6,4,5,100"))
        assert client.get(following).status_code == 410


def test_a_key_in_the_query_is_taken_and_stays_out_of_the_log(fresh, prices):
    fresh.done("import", prices("T,2024-06-03,5,6,4,5,100"))
    key = fresh.done("keys", "add", "desk").strip()
    try:
        with fresh.start("serve", "--port", "0", "--host-name", "prices.example.org") as process:
            try:
                _, line = (process.stderr.readline() for _ in range(2))
                address = line.partition(" at ")[2].partition(" ")[0]
                path = "/v2/aggs/ticker/T/prev"
                with httpx.Client(base_url=address, headers={"Host": "prices.example.org"}) as client:
                    assert client.get(path).status_code == 401
                    assert client.get(path, params={"apiKey": key}).json()["resultsCount"] == 1
                    assert client.get(path, params={"APIKEY": key}).status_code == 401
                process.send_signal(signal.SIGINT)
                log = process.communicate(timeout=60)[1]
                assert '"key":"desk"' in log
                assert key not in log
            finally:
                process.kill()
    finally:
        fresh.done("keys", "remove", "desk")
