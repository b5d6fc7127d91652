"""The page on an odd market: hostile names, 12,500 symbols, 6,000 bars, corrections, refused rows."""

import datetime as dt

import psycopg
from psycopg import sql

from condvest.serving_layer.access import Keys
from condvest.serving_layer.http.guarding.guards import Rules
from tests.page.conftest import HOSTILE, LONG, NAME
from tests.support.browser import Keys as Key
from tests.support.serving import served

MARKUP = "return document.querySelectorAll('main svg[onload], main script, b > b').length"


def options(page):
    return page.texts("#matches [role=option]")


def test_a_hostile_symbol_and_name_are_shown_as_text(market_page):
    page = market_page
    page.open("?symbol=A")
    page.press("/")
    page.press("script")
    page.until("return document.querySelector('#matches [role=option]')")
    assert options(page) == [HOSTILE + NAME]
    page.press(Key.ARROW_DOWN, Key.ENTER)
    page.until("return document.querySelector('h2')?.textContent.startsWith(arguments[0])", HOSTILE)
    page.settle()
    assert HOSTILE in page.run("return document.title")
    page.open("?view=market&sort=symbol")
    page.until("return document.querySelector('[data-spark] svg')")
    assert HOSTILE in page.text()
    assert page.run(MARKUP) == 0  # and no alert stands in the way of these questions
    assert page.complaints() == []


def test_any_symbol_is_found_among_12_500_with_its_case_kept(market_page):
    page = market_page
    page.open("?symbol=A")
    for typed, wanted in [("S12345", "S12345"), ("a", "a"), ("A", "A"), ("gone", "GONE")]:
        page.find("#symbol").clear()
        page.find("#symbol").send_keys(typed)
        page.until(
            "return document.querySelector('#matches [role=option] b')?.textContent === arguments[0]", wanted
        )
        assert len(options(page)) <= 12
    assert options(page) == ["GONEGone Inc.delisted, to 2020-11-02"]
    page.press(Key.ARROW_DOWN, Key.ENTER)
    page.until("return document.querySelector('h2')?.textContent === 'GONE, bars of 13 sessions'")
    assert page.complaints() == []


def test_6_000_bars_are_a_few_elements_and_can_be_zoomed_to_five(market_page, market):
    page = market_page
    ((first,),) = market.ask("SELECT min(session) FROM daily_bars JOIN sessions USING (ordinal)")
    page.open(f"?symbol={LONG}&interval=1&bars=all")
    assert page.run("return document.querySelectorAll('svg.chart path').length") < 40
    page.find(".plot").send_keys(*["+"] * 30)
    page.until("return new URLSearchParams(location.search).get('bars') === '5'")
    page.until("return document.querySelectorAll('svg.chart .label.middle').length === 5")
    page.find(".plot").send_keys("0", Key.HOME)
    page.until("return new URLSearchParams(location.search).get('bars') === 'all'")
    assert page.text(".readout")[:10] == first.isoformat()


def test_the_slider_stops_where_the_symbol_changed_and_shows_the_old_value_as_a_ghost(market_page, market):
    page = market_page
    page.open(f"?symbol={LONG}&interval=1&bars=200")
    page.until("return document.querySelector('#as-of')")
    assert page.run(
        "return [document.querySelector('#as-of').max, document.querySelectorAll('.ghost').length]"
    ) == ["1", 0]
    page.find("#as-of").send_keys(Key.ARROW_LEFT)
    page.until("return document.querySelector('path.ghost')")
    page.until("return document.querySelector('.asof output').textContent.includes('1 of 6,000 bars')")
    instant = page.run("return new URLSearchParams(location.search).get('as_of')")
    ((corrected,),) = market.ask("SELECT loaded_at FROM loads WHERE name = 'correction.csv'")
    assert dt.datetime.fromisoformat(instant) == corrected - dt.timedelta(microseconds=1)
    page.open(page.run("return location.search"))
    page.until("return document.querySelector('path.ghost')")
    page.find("#as-of").send_keys(Key.ARROW_RIGHT)
    page.until("return !document.querySelector('path.ghost')")
    assert page.complaints() == []


def test_the_origin_of_a_bar_names_superseded_states_and_refused_rivals(market_page, market):
    page = market_page
    last = market.sessions.ordinal(market.ask("SELECT DATE '2024-05-31'")[0][0])
    refused, corrected = (market.date(last - back).isoformat() for back in (100, 99))
    page.open(f"?symbol={LONG}&interval=1&bar={corrected}")
    page.until("return document.querySelector('.provenance')")
    assert "1 superseded" in page.text(".provenance")
    assert "correction.csv" in page.text(".provenance")
    page.open(f"?symbol={LONG}&interval=1&bar={refused}")
    page.has(".provenance", "Rows of these sessions that were refused")
    assert "refused.csv" in page.text(".provenance")


def test_the_page_says_that_the_database_is_away_and_goes_on_when_it_is_back(market_page, market, server):
    page = market_page
    page.open("?symbol=A")
    name = sql.Identifier(psycopg.conninfo.conninfo_to_dict(market.url)["dbname"])
    with psycopg.connect(server.url, autocommit=True) as outside:
        outside.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(name))
        try:
            outside.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                [name.as_string().strip('"')],
            )
            page.press("4")
            page.until("return document.querySelector('.problem')")
            assert "The data cannot be reached now" in page.text()
        finally:
            outside.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true").format(name))
    page.until("return document.body.textContent.includes('daily bars')")  # it asks again by itself
    assert page.run("return document.querySelector('.problem')") is None
    market.close()
    market._looking = None


def test_a_server_with_keys_shows_the_page_and_asks_for_one(browser, market, tmp_path):
    page = browser
    keys = Keys.of_home(tmp_path)
    key = keys.add("desk", market.workspace.now, None)
    with served(market.workspace.settings, Rules(keys=keys)) as address:
        page.address = address
        page.look()
        page.open("?symbol=A")
        assert "A key is needed" in page.text()
        page.find("input[type=password]").send_keys(key, Key.ENTER)
        page.until("return document.querySelector('svg.chart')")
        page.settle()
        page.run("sessionStorage.clear()")


def test_coverage_names_what_instruments_lack(market_page):
    page = market_page
    page.open("?view=coverage")
    page.until("return !document.querySelector('main .loading')")
    assert "Sessions loaded from file" in page.text()
    assert page.complaints() == []
