"""The five views of the page on the sample: both themes, both widths, any time zone, by keyboard alone."""

import pytest

from tests.support.browser import WIDTHS, Keys

VIEWS = {
    "chart": ("?symbol=AAPL", ["AAPL, bars of 13 sessions", "9 of 13 sessions, closes 2013-03-07"]),
    "market": ("?view=market", ["Bars of 13 sessions whose window ends 2013-03-07", "GOOG", "806.19"]),
    "coverage": ("?view=coverage&provider=sample&month=2001-09", ["15", "2001-09-17", "outlier_move"]),
    "runs": ("?view=runs", ["2013-03-01", "12,154", "run --provider sample"]),
    "data": ("?view=data", ["sample through 2013-03-01", "/v1/bars", "include_open"]),
}
"""Query of a view, and what it has to say; 2001-09 had 15 sessions, as the exchange closed for a week."""


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_shows_what_it_has_in_both_themes_and_widths(page, view):
    query, said = VIEWS[view]
    papers = set()
    for width in WIDTHS:
        for theme in ("light", "dark"):
            page.look(width=width, theme=theme)
            page.open(query)
            page.until("return arguments[0].every((each) => document.body.textContent.includes(each))", said)
            papers.add(page.run("return getComputedStyle(document.body).backgroundColor"))
            assert page.run("return document.documentElement.scrollWidth") <= width
            assert (
                page.run("return document.querySelector('nav [aria-current=page]').textContent")
                == view.title()
            )
            assert page.complaints() == []
    assert len(papers) == 2
    assert {url for url in page.requests() if not url.startswith(page.address + "/")} == set()


def test_the_policy_lets_no_script_run_that_is_no_file_of_the_server(page):
    page.open("?view=runs")
    page.run(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))"
    )
    assert page.run("return typeof window.ran") == "undefined"
    assert "Content Security Policy" in page.complaints()[0]


def test_the_theme_is_kept_when_it_is_chosen(page):
    page.open("?view=runs")
    page.find("#theme").click()
    page.open("?view=runs")
    assert page.run("return document.documentElement.dataset.theme") == "dark"
    page.find("#theme").click()
    assert page.run("return [document.documentElement.dataset.theme, localStorage.length]") == ["light", 0]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Pacific/Honolulu"])
def test_no_date_moves_with_the_browsers_time_zone(page, zone):
    def seen():
        texts = {}
        for view, (query, _) in VIEWS.items():
            page.open(query)
            page.until("return !document.querySelector('main .loading')")
            page.run("document.querySelectorAll('details').forEach((each) => (each.open = true))")
            page.until("return !document.querySelector('details.table:not(:has(table))')")
            lines = page.run("return document.body.innerText").splitlines()
            texts[view] = [line for line in lines if not line.startswith("d-")]  # the version, which may move
        return texts

    at_home = seen()
    page.look(zone=zone)
    assert page.run("return new Date('2013-03-01T00:00:00Z').getTimezoneOffset()") != 0
    for view, lines in seen().items():
        assert lines == at_home[view], view


def test_every_view_is_reached_and_used_by_keyboard_alone(page):
    page.open("?symbol=AAPL")
    page.press("/")
    page.press("msft")
    page.until("return document.querySelector('#matches [role=option]')")
    page.press(Keys.ARROW_DOWN, Keys.ENTER)
    page.until("return document.querySelector('h2')?.textContent === 'MSFT, bars of 13 sessions'")
    page.settle()
    page.run("document.activeElement.blur()")
    for key, view in zip("2345", ["market", "coverage", "runs", "data"], strict=True):
        page.press(key)
        page.until("return new URLSearchParams(location.search).get('view') === arguments[0]", view)
        page.settle()
    page.press("1")
    page.until("return document.querySelector('.plot svg.chart')")
    for _ in range(40):  # the chart is among the stops of the tabulator key
        page.press(Keys.TAB)
        if page.run("return document.activeElement.className") == "plot":
            break
    before = page.text(".readout")
    page.press(Keys.ARROW_LEFT)
    after = page.text(".readout")
    assert (before[:10], after[:10]) == ("2013-02-19", "2013-01-30")
    page.press(Keys.ENTER)
    page.until(
        "return document.querySelector('.provenance')?.textContent.includes('13 daily bars as traded')"
    )
    page.press("+")
    page.until("return new URLSearchParams(location.search).get('bars')")


def test_the_urls_state_is_shown_again_and_the_way_back_works(page):
    page.open("?symbol=IBM&interval=34")
    page.click(".tick", "Log")
    page.until("return location.search.includes('log=1')")
    page.settle()
    logarithmic = page.run("return document.querySelector('.body').getAttribute('d')")
    page.open(page.run("return location.search"))
    assert page.run("return document.querySelector('.body').getAttribute('d')") == logarithmic
    page.driver.back()
    page.until("return !location.search.includes('log=1') && document.querySelector('.body')")
    page.settle()
    assert page.run("return document.querySelector('.body').getAttribute('d')") != logarithmic


def test_an_unknown_symbol_says_so_and_offers_the_search(page):
    page.open("?symbol=NONE")
    assert "Unknown symbol" in page.text()
    assert page.find("#symbol").get_attribute("value") == "NONE"
