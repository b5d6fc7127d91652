"""What each status means, where each call goes, and what the settings take."""

import datetime as dt

import pytest

from condvest.batch_layer.shared.clients.massive import Answer, Urls
from condvest.batch_layer.shared.clients.massive.answers import check_status, retry_after
from condvest.batch_layer.shared.errors import (
    NotReadyYet,
    RateLimited,
    SettingsError,
    UnknownSymbol,
    VendorRefused,
    VendorUnavailable,
)
from condvest.batch_layer.shared.settings import Settings

NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)
WHAT = "daily bars of 2019-05-01"
HTML = b"<html><body>\n<h1>403 Forbidden</h1></body></html>"
URLS = Urls("https://api.massive.com")


def raised(status, body=b"", headers=None, symbol=None):
    with pytest.raises(Exception) as caught:  # noqa: PT011  # each test looks at the type
        check_status(Answer(status, headers or {}, body), WHAT, NOW, symbol=symbol)
    return caught.value


def not_authorized(message):
    return b'{"status":"NOT_AUTHORIZED","request_id":"x","message":"%s"}' % message.encode()


def test_200_passes():
    check_status(Answer(200, {}, b""), WHAT, NOW)


@pytest.mark.parametrize("status", [199, 204, 301, 304, 408, 425, 499, 500, 502, 503, 504, 520, 599])
def test_what_may_pass_is_unavailable(status):
    error = raised(status, b'{"status":"ERROR","error":"Internal error"}')
    assert type(error) is VendorUnavailable
    assert str(error) == f"{status}: Internal error"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Mon, 03 Jun 2024 12:01:30 GMT"}, 90.0),
        ({"Retry-After": "Mon, 03 Jun 2024 11:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
    ],
)
def test_429_says_how_long_to_wait_if_the_vendor_does(headers, wait):
    error = raised(429, b"", headers)
    assert isinstance(error, RateLimited)
    assert error.retry_after == wait


def test_retry_after_of_a_date_without_a_zone_is_read_as_utc():
    assert retry_after("Mon, 03 Jun 2024 12:00:10 -0000", NOW) == 10.0


def test_401_says_which_setting_to_mend():
    error = raised(401, b'{"status":"ERROR","request_id":"x","error":"Unknown API Key"}')
    assert type(error) is VendorRefused
    assert "Unknown API Key" in str(error)
    assert "MASSIVE_API_KEY" in str(error)


@pytest.mark.parametrize(
    ("message", "error_type", "words"),
    [
        ("Your plan doesn't include this data timeframe.", VendorRefused, f"plan does not cover {WHAT} (403"),
        (
            "You are not entitled to this data. Please upgrade",
            VendorRefused,
            f"plan does not cover {WHAT} (403",
        ),
        (
            "Attempted to request today's data before end of day. Please upgrade your plan",
            NotReadyYet,
            f"{WHAT}: today's data are not ready before the end of the day; it will be asked for again",
        ),
    ],
)
def test_403_says_what_the_plan_lacks_or_that_it_is_too_early(message, error_type, words):
    error = raised(403, not_authorized(message))
    assert type(error) is error_type
    assert words in str(error)
    assert message in str(error)


def test_403_with_html_is_a_refusal_on_one_line():
    error = raised(403, HTML)
    assert type(error) is VendorRefused
    assert "<h1>403 Forbidden</h1>" in str(error)
    assert "\n" not in str(error)


def test_404_is_an_unknown_symbol_only_in_the_vendors_words_about_a_symbol():
    body = b'{"status":"NOT_FOUND","request_id":"x","message":"Ticker not found."}'
    assert type(raised(404, body, symbol="FB")) is UnknownSymbol
    assert type(raised(404, body)) is VendorRefused
    wrong_host = raised(404, b"404 page not found\n", symbol="FB")
    assert type(wrong_host) is VendorRefused
    assert "CONDVEST_MASSIVE_BASE_URL" in str(wrong_host)


@pytest.mark.parametrize("status", [400, 402, 405, 413, 451])
def test_other_4xx_are_refusals(status):
    assert type(raised(status, b'{"status":"ERROR","error":"limit must be"}')) is VendorRefused


# URLs ----------------------------------------------------------------------------------------------


def test_the_grouped_call_asks_for_prices_as_traded_without_otc():
    assert URLS.grouped_daily(dt.date(2024, 3, 5)) == (
        "https://api.massive.com/v2/aggs/grouped/locale/us/market/stocks/2024-03-05"
        "?adjusted=false&include_otc=false"
    )


def test_symbols_are_quoted_into_the_path():
    assert URLS.ticker_details("BRK/A?x") == "https://api.massive.com/v3/reference/tickers/BRK%2FA%3Fx"
    assert URLS.ticker_details("KIMpL").endswith("/KIMpL")


def test_lists_ask_for_the_largest_pages_in_a_stable_order():
    splits = URLS.splits(dt.date(2024, 1, 2))
    assert splits.endswith("?execution_date.gte=2024-01-02&sort=execution_date.asc&limit=5000")
    dividends = URLS.dividends(dt.date(2023, 1, 1), dt.date(2024, 1, 1))
    assert "ex_dividend_date.gte=2023-01-01&ex_dividend_date.lt=2024-01-01" in dividends
    assert URLS.tickers(active=False).endswith("?market=stocks&active=false&order=asc&sort=ticker&limit=1000")


@pytest.mark.parametrize(
    ("next_url", "target"),
    [
        ("https://api.polygon.io/v3/x?cursor=YWI%3D", "https://api.massive.com/v3/x?cursor=YWI%3D"),
        ("https://api.massive.com/v3/x?apiKey=s3cret&cursor=a", "https://api.massive.com/v3/x?cursor=a"),
        ("https://evil.example/v3/x", "https://api.massive.com/v3/x"),
        ("//evil.example/v3/x?cursor=a", "https://api.massive.com/v3/x?cursor=a"),
        ("https://api.massive.com//evil.example/x", "https://api.massive.com/evil.example/x"),
        ("@evil.example/x", "https://api.massive.com/@evil.example/x"),
    ],
)
def test_the_next_page_is_of_our_base_whatever_host_it_names(next_url, target):
    assert URLS.next_page(next_url) == target
    assert URLS.are_of(URLS.next_page(next_url))


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/v9/x?a=1", "https://api.massive.com/v9/x?a=1"),
        ("https://api.massive.com:443/y", "https://api.massive.com:443/y"),
        ("http://api.massive.com/y", None),
        ("https://api.massive.com:8443/y", None),
        ("https://api.massive.com.evil.example/y", None),
        ("//evil.example/y", None),
        ("https://api.massive.com@evil.example/y", None),
        ("https://[broken", None),
    ],
)
def test_a_redirect_is_followed_within_one_origin_alone(location, target):
    assert URLS.redirected("https://api.massive.com/v3/x", location) == target


# Settings ------------------------------------------------------------------------------------------


def test_the_key_comes_from_either_variable_and_is_not_shown():
    both = Settings.from_env({"MASSIVE_API_KEY": " s3cret\n", "POLYGON_API_KEY": "older"})
    older = Settings.from_env({"MASSIVE_API_KEY": "", "POLYGON_API_KEY": "older"})
    assert (both.massive.api_key, older.massive.api_key) == ("s3cret", "older")
    assert Settings.from_env({}).massive.api_key is None
    assert "s3cret" not in repr(both)


def test_the_plan_and_the_base_url_have_defaults():
    settings = Settings.from_env({})
    assert (settings.massive.plan, settings.massive.base_url) == ("basic", "https://api.massive.com")
    changed = Settings.from_env(
        {"CONDVEST_MASSIVE_PLAN": "paid", "CONDVEST_MASSIVE_BASE_URL": "http://127.0.0.1:8080/"}
    )
    assert (changed.massive.plan, changed.massive.base_url) == ("paid", "http://127.0.0.1:8080")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MASSIVE_API_KEY", "s3cret\nX-Evil: 1", "MASSIVE_API_KEY holds a character"),
        ("POLYGON_API_KEY", "s3cret\u2028x", "POLYGON_API_KEY holds a character"),
        ("CONDVEST_MASSIVE_PLAN", "starter", "must be basic or paid, not 'starter'"),
        ("CONDVEST_MASSIVE_BASE_URL", "api.massive.com", "must be a URL like https://api.massive.com"),
        ("CONDVEST_MASSIVE_BASE_URL", "http://api.massive.com", "must begin with https://"),
        ("CONDVEST_MASSIVE_BASE_URL", "https://user:s3cret@api.massive.com", "without a user"),
        ("CONDVEST_MASSIVE_BASE_URL", "https://api.massive.com?apiKey=s3cret", "without a user, a query"),
        ("CONDVEST_MASSIVE_BASE_URL", "https://api.massive.com:s3cret", "is no URL"),
    ],
)
def test_values_that_no_setting_can_have_are_refused_without_the_secret(name, value, said):
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({name: value})
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)
