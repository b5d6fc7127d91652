"""TradingView's data feed and OpenBB's widgets, asked as their clients ask."""

import asyncio
import datetime as dt
from dataclasses import replace

import httpx
import pytest

from condvest.serving_layer.http.app import create_app
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.http.backends.published_backend import PublishedBackend
from condvest.serving_layer.http.guarding.guards import Rules
from tests.support.publishing import from_database


@pytest.fixture(scope="module", params=["database", "published"])
def get(request, sample):
    """Ask the application, from either source; what is asked of both has one answer."""
    settings = sample.workspace.settings
    if request.param == "published":
        settings = request.getfixturevalue("published_settings")
    backend = PublishedBackend(settings) if request.param == "published" else DatabaseBackend(settings)
    app = create_app(backend, Rules(), log=lambda _: None)

    def ask(path, status=200, headers=None, **asked):
        async def run():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.get(path, params=asked, headers=headers)

        answer = asyncio.run(run())
        assert answer.status_code == status, answer.text
        return answer

    yield ask
    backend.close()


@pytest.fixture(scope="module")
def published_settings(sample, sample_target):
    return replace(sample.workspace.settings, published_at=sample_target.name)


def seconds(date):
    return int(dt.datetime.combine(date, dt.time(), dt.UTC).timestamp())


def rows_of(history):
    return list(zip(*(history[key] for key in "tohlcv"), strict=True))


def wanted(table):
    names = ("open", "high", "low", "close", "volume")
    return [(seconds(row["first_session"]), *(row[name] for name in names)) for row in table.to_pylist()]


def test_a_chart_counts_back_and_goes_on_where_there_are_bars(get, sample):
    config = get("/udf/config").json()
    assert "13D" in config["supported_resolutions"]
    bars = wanted(from_database(sample, symbols=["IBM"], interval=13, include_open=True))
    end = seconds(dt.date(2013, 6, 1))
    how = {"symbol": "IBM", "resolution": "13D"}
    newest = get("/udf/history", **how, **{"from": end - 86_400 * 400, "to": end, "countback": 5}).json()
    assert newest["s"] == "ok"
    assert rows_of(newest) == bars[-5:]
    span = {"from": bars[10][0], "to": bars[20][0]}  # the end is exclusive
    assert rows_of(get("/udf/history", **how, **span).json()) == bars[10:20]
    later = get("/udf/history", **how, **{"from": end, "to": end + 86_400 * 30}).json()
    assert later == {"s": "no_data", "nextTime": bars[-1][0]}
    before = get("/udf/history", **how, **{"from": 0, "to": bars[0][0]}).json()
    assert before == {"s": "no_data"}


def test_splits_dividends_and_the_bar_under_way_are_marked_at_bars(get, sample):
    """Apple split 2 for 1 on June 21, 2000, and on February 28, 2005."""
    how = {"symbol": "AAPL", "resolution": "13D", "from": 0, "to": seconds(dt.date(2013, 6, 1))}
    marks = get("/udf/marks", **how).json()
    bars = from_database(sample, symbols=["AAPL"], interval=13, include_open=True).to_pylist()
    begins = {seconds(row["first_session"]) for row in bars}
    assert {mark["time"] for mark in marks} <= begins
    splits = {mark["text"]: mark["time"] for mark in marks if mark["label"] == "S"}
    assert set(splits) == {"Split 2 for 1 on 2000-06-21", "Split 2 for 1 on 2005-02-28"}
    holder = next(row for row in bars if row["first_session"] <= dt.date(2005, 2, 28) <= row["last_session"])
    assert splits["Split 2 for 1 on 2005-02-28"] == seconds(holder["first_session"])
    under_way = [mark["time"] for mark in marks if mark["label"] == "O"]
    assert under_way == ([] if bars[-1]["is_complete"] else [seconds(bars[-1]["first_session"])])
    below = get("/udf/timescale_marks", **how).json()
    assert [mark["time"] for mark in below] == [mark["time"] for mark in marks]


def test_symbols_are_found_and_resolved_and_case_counts(get):
    info = get("/udf/symbols", symbol="MSFT").json()
    assert (info["ticker"], info["data_status"], info["has_intraday"]) == ("MSFT", "endofday", False)
    assert "13" in info["daily_multipliers"]
    assert [each["symbol"] for each in get("/udf/search", query="msf", limit=5).json()] == ["MSFT"]
    unknown = get("/udf/symbols", 404, symbol="msft").json()
    assert unknown == {"s": "error", "errmsg": "unknown_symbol"}


@pytest.mark.parametrize(
    ("path", "asked", "said"),
    [
        ("history", {"symbol": "IBM", "resolution": "60", "to": 1}, "resolution '60'"),
        ("history", {"symbol": "IBM", "resolution": "1D"}, "to is missing"),
        ("history", {"symbol": "IBM", "resolution": "1D", "to": "x"}, "expected seconds"),
        ("history", {"symbol": "IBM", "resolution": "1D", "to": 1, "countback": 0}, "countback '0'"),
        ("search", {"querry": "x"}, "did you mean query"),
    ],
)
def test_what_the_feed_does_not_have_is_said(get, path, asked, said):
    error = get(f"/udf/{path}", 400, **asked).json()
    assert (error["s"], said in error["errmsg"]) == ("error", True)


@pytest.mark.parametrize("to", [-(10**18), 10**18])
def test_times_at_the_ends_of_the_world(get, to):
    assert get("/udf/history", symbol="IBM", resolution="1D", to=to).json()["s"] in ("ok", "no_data")


def test_a_chart_that_asks_again_is_told_that_nothing_changed(get):
    how = {"symbol": "IBM", "resolution": "1D", "to": seconds(dt.date(2010, 1, 1)), "countback": 300}
    tag = get("/udf/history", **how).headers["etag"]
    assert get("/udf/history", 304, headers={"If-None-Match": tag}, **how).content == b""
    assert abs(int(get("/udf/time").text) - dt.datetime.now(dt.UTC).timestamp()) < 60


def test_openbb_finds_each_widget_of_the_app_and_the_rows_behind_it(get):
    widgets, apps = get("/widgets.json").json(), get("/apps.json").json()
    placed = [each["i"] for app in apps for tab in app["tabs"].values() for each in tab["layout"]]
    assert sorted(placed) == sorted(widgets)
    chart = widgets["condvest_chart"]
    symbol = chart["data"]["defaultSymbol"]
    assert get(f"{chart['endpoint']}/symbols", symbol=symbol).json()["ticker"] == symbol
    screen = widgets["condvest_screen"]
    asked = {each["paramName"]: each["value"] for each in screen["params"]}
    assert get(screen["endpoint"], **asked).json()[screen["data"]["dataKey"]][0]["symbol"]
