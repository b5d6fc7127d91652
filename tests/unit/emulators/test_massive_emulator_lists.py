"""The emulated Massive's lists: tickers, details, events, splits and dividends, page by page."""

from urllib.parse import quote

import pytest

from tests.support.emulators.massive import KEY
from tests.support.emulators.probe import NOW, get, pages
from tests.support.emulators.synthetic import truth


def test_active_tickers_are_paged_complete_and_without_a_key_in_next_url(massive, small_market):
    results, sizes = pages(massive, f"/v3/reference/tickers?limit=60&apiKey={KEY}")
    listed = {
        one["names"][-1]["symbol"] for one in truth.instruments(small_market, NOW) if not one["delisted_date"]
    }
    assert len(sizes) >= 3
    assert set(sizes[:-1]) == {60}
    assert [row["ticker"] for row in results] == sorted(listed)
    required = {"ticker", "name", "market", "locale", "type", "active", "currency_name", "last_updated_utc"}
    assert all(required <= set(row) for row in results)
    assert all(row["active"] is True for row in results)
    assert {"stocks", "otc"} == {row["market"] for row in results}
    assert any("composite_figi" not in row for row in results)
    assert any("cik" not in row for row in results)


def test_the_default_page_holds_100_and_more_than_1000_are_refused(massive):
    assert get(massive, "/v3/reference/tickers").json()["count"] == 100
    refused = get(massive, "/v3/reference/tickers?limit=1001")
    assert refused.status == 400
    assert set(refused.json()) == {"status", "request_id", "error"}


def test_inactive_tickers_are_delisted_companies_and_former_names(massive):
    results, _ = pages(massive, "/v3/reference/tickers?active=false&limit=1000")
    by_ticker = {row["ticker"]: row for row in results}
    assert {"BBBY", "SIVB", "ASTR", "FB", "MULN"} <= set(by_ticker)
    assert all(row["active"] is False and row["delisted_utc"].endswith("T00:00:00Z") for row in results)
    massive.knobs.update({"old_names_inactive": False})
    without, _ = pages(massive, "/v3/reference/tickers?active=false&limit=1000")
    assert "FB" not in {row["ticker"] for row in without}
    assert "BBBY" in {row["ticker"] for row in without}


def test_tickers_of_a_past_date_carry_the_names_of_that_date(massive):
    past = get(massive, "/v3/reference/tickers?date=2023-12-05&ticker=FB").json()["results"]
    today = get(massive, "/v3/reference/tickers?ticker=META").json()["results"]
    assert len(past) == len(today) == 1
    assert past[0]["composite_figi"] == today[0]["composite_figi"]


def test_filters_select(massive):
    between = get(massive, "/v3/reference/tickers?ticker.gte=K&ticker.lt=L&limit=1000").json()["results"]
    assert between
    assert all(row["ticker"].startswith("K") for row in between)
    etfs = get(massive, "/v3/reference/tickers?type=ETF&limit=1000").json()["results"]
    assert {row["type"] for row in etfs} == {"ETF"}
    exchange = get(massive, "/v3/reference/tickers?exchange=XNYS&limit=1000").json()["results"]
    assert {row["primary_exchange"] for row in exchange} == {"XNYS"}


def test_details_add_what_the_vendor_adds(massive, small_market):
    found = get(massive, "/v3/reference/tickers/AAPL").json()["results"]
    added = {"list_date", "market_cap", "sic_code", "sic_description", "share_class_shares_outstanding"}
    added |= {"weighted_shares_outstanding", "round_lot", "total_employees", "address", "branding"}
    added |= {"homepage_url", "description", "ticker_root"}
    assert added <= set(found)
    close = small_market.close_on(2, small_market.count - 1)
    assert found["market_cap"] == pytest.approx(close * found["share_class_shares_outstanding"])
    then = get(massive, "/v3/reference/tickers/FB?date=2023-12-05").json()["results"]
    assert then["ticker"] == "FB"
    assert get(massive, f"/v3/reference/tickers/{quote('BRK.B')}").json()["results"]["ticker_suffix"] == "B"


def test_details_of_nobody_are_404_in_the_vendors_words(massive):
    answer = get(massive, "/v3/reference/tickers/FB")
    assert answer.status == 404
    body = answer.json()
    assert (body["status"], body["message"]) == ("NOT_FOUND", "Ticker not found.")
    assert set(body) == {"status", "request_id", "message"}


def test_events_tell_the_names_of_todays_holder_newest_first(massive):
    found = get(massive, "/vX/reference/tickers/META/events").json()["results"]
    assert [one["ticker_change"]["ticker"] for one in found["events"]] == ["META", "FB"]
    assert all(one["type"] == "ticker_change" for one in found["events"])
    assert found["events"][0]["date"] > found["events"][1]["date"]
    by_figi = get(massive, f"/vX/reference/tickers/{found['composite_figi']}/events").json()["results"]
    assert by_figi == found
    assert get(massive, "/vX/reference/tickers/FB/events").status == 404


def test_splits_are_complete_newest_first_and_some_stand_twice(massive, small_market):
    massive.knobs.update({"dirt": False})
    results, _ = pages(massive, "/stocks/v1/splits?limit=5")
    told = truth.splits(small_market, NOW)
    key = ("ticker", "execution_date", "split_from", "split_to", "adjustment_type")
    expected = [
        (one["symbol"], one["ex_date"], one["split_from"], one["split_to"], one["adjustment_type"])
        for one in told
    ]
    assert sorted(tuple(row[name] for name in key) for row in results) == sorted(expected)
    assert [row["execution_date"] for row in results] == sorted((o["ex_date"] for o in told), reverse=True)
    assert set(results[0]) == {*key, "id", "historical_adjustment_factor"}
    massive.knobs.update({"dirt": True})
    dirty, _ = pages(massive, "/stocks/v1/splits?limit=5000")
    pairs = [(row["ticker"], row["execution_date"]) for row in dirty]
    assert len(pairs) > len(set(pairs)) == len(told)
    assert len({row["id"] for row in dirty}) == len(dirty)


def test_split_factors_accumulate_from_the_newest_back(massive):
    """MSFT split 2-for-1 and later 3-for-2: 2/3 for the later, 1/2 x 2/3 for the earlier."""
    found = get(massive, "/stocks/v1/splits?ticker=MSFT").json()["results"]
    assert [row["historical_adjustment_factor"] for row in found] == pytest.approx([2 / 3, 1 / 3])


def test_dividends_are_complete_and_adjusted_for_later_splits(massive, small_market):
    results, _ = pages(massive, "/stocks/v1/dividends?limit=40")
    told = truth.dividends(small_market, NOW)
    assert sorted((row["ticker"], row["ex_dividend_date"], row["cash_amount"]) for row in results) == sorted(
        (one["symbol"], one["ex_date"], one["cash_amount"]) for one in told
    )
    assert [row["ticker"] for row in results] == sorted(row["ticker"] for row in results)
    (split,) = [one for one in truth.splits(small_market) if one["symbol"] == "AAPL"]
    aapl = [row for row in results if row["ticker"] == "AAPL"]
    assert len(aapl) >= 2
    for row in aapl:
        before = row["ex_dividend_date"] < split["ex_date"]
        assert row["split_adjusted_cash_amount"] == pytest.approx(row["cash_amount"] / (4 if before else 1))
        assert row["historical_adjustment_factor"] < 1
    dates = f"ex_dividend_date.gte={aapl[0]['ex_dividend_date']}&ticker.any_of=AAPL,MSFT"
    some = get(massive, f"/stocks/v1/dividends?{dates}").json()["results"]
    assert {row["ticker"] for row in some} <= {"AAPL", "MSFT"}


def test_the_deprecated_forms_still_answer_ten_at_a_time(massive):
    splits = get(massive, "/v3/reference/splits?ticker=AAPL").json()["results"]
    assert set(splits[0]) == {"execution_date", "id", "split_from", "split_to", "ticker"}
    dividends = get(massive, "/v3/reference/dividends").json()
    assert len(dividends["results"]) == 10
    assert dividends["results"][0]["dividend_type"] == "CD"
    assert get(massive, "/v3/reference/splits?limit=1001").status == 400
