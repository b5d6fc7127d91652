"""A session under way on the page: the running bar moves, firings and verdicts come as they happen."""

import pytest

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from condvest.speed_layer.core.alerts.rules import Cooldown
from tests.support.browser import WIDTHS
from tests.support.exchange import NOW
from tests.support.serving import served
from tests.support.worlds.alerted import Alerted, day
from tests.support.worlds.world import World


@pytest.fixture
def alerted(server, sessions, tmp_path):
    with server.lent() as url, Database(url) as database:
        settings = Settings(home=tmp_path, database=DatabaseSettings(url=url))
        world = World(Workspace(settings, database, NOW), sessions)
        yield Alerted(world)
        world.close()


@pytest.fixture
def live_page(alerted, browser):
    with served(alerted.world.workspace.settings) as address:
        browser.address = address
        browser.look()
        browser.complaints()
        yield browser
        browser.driver.get(f"{address}/page/icon.svg")
        browser.run("localStorage.clear(); sessionStorage.clear()")


def test_firings_and_verdicts_are_listed_as_they_happen(alerted, live_page):
    pace = {"once": "session", "cooldown": Cooldown(30, "minutes"), "rearm_text": "2%"}
    alerted.rule("close(1) > 10.2", "<b>strong</b> close", **pace)
    alerted.collect(("10:00", {"A": day(), "B": day()}))
    live_page.open("?view=alerts")
    live_page.has("table", "No rule has fired yet")
    live_page.has(".facts", "2024-03-05")
    live_page.has(".facts", "open")
    alerted.collect(("10:01", {"A": day(close=10.5), "B": day(close=10.4)}))
    live_page.has("tbody", "close(1) = 10.5")
    assert live_page.texts(".state") == ["fired", "fired"]
    assert live_page.texts("td.wrap span") == ["<b>strong</b> close"] * 2
    title = live_page.run("return document.querySelector('td.wrap span').title")
    assert title == "close(1) > 10.2; once a session, then a rest of 30 minutes; re-arms at 2%"
    assert "when the session is loaded; may vanish" in live_page.text("tbody")
    alerted.official(alerted.ordinal, alerted.ordinal, A={"close": 10.6})
    alerted.verdicts()
    live_page.until("return document.querySelectorAll('.state.confirmed, .state.withdrawn').length === 2")
    for width in WIDTHS:
        for theme in ("light", "dark"):
            live_page.look(width=width, theme=theme)
            live_page.open("?view=alerts")
            assert live_page.texts(".state") == ["withdrawn", "confirmed", "fired", "fired"]
            assert "+3.9 %" in live_page.text("tbody")
            assert live_page.run("return document.documentElement.scrollWidth") <= width
    live_page.look()
    live_page.click("tbody a", "A")
    live_page.has("h2", "A, bars of 13 sessions")
    assert live_page.complaints() == []


def test_the_running_bar_moves(alerted, live_page):
    alerted.collect(("10:00", {"A": day(), "B": day()}))
    live_page.open("?symbol=A&interval=1")
    live_page.has(".live", "provisional until the session is loaded")
    live_page.run("document.querySelector('details.table').open = true")
    live_page.has("details.table tbody", "2024-03-05")
    assert live_page.texts("details.table tbody tr:first-child td")[2:6] == [
        "10.00",
        "11.00",
        "9.00",
        "10.00",
    ]
    alerted.collect(("10:01", {"A": day(high=12.5, close=12.0)}))
    live_page.has("details.table tbody tr:first-child", "12.50")
    assert live_page.texts("details.table tbody tr:first-child td")[2:6] == [
        "10.00",
        "12.50",
        "9.00",
        "12.00",
    ]
    assert live_page.texts("details.table tbody tr:first-child td")[-1] == "open"
    assert live_page.complaints() == []
