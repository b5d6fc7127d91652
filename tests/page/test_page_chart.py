"""The chart of the page on the sample: the same drawing as condvest plot's, its table, its copies."""

import shlex

import httpx
import pytest

import condvest
from condvest.cli.commands.plot import _columns, _events
from condvest.serving_layer.page.drawing.chart import Drawing, chart


def of(node, name):
    """Yield the elements of a name below a node."""
    if node[0] == name:
        yield node
    for each in node[2] if isinstance(node[2], list) else ():
        yield from of(each, name)


@pytest.mark.parametrize(
    ("symbol", "interval", "more"),
    [("AAPL", 13, ""), ("AAPL", 1, "&log=1"), ("FB", 5, ""), ("IBM", 34, "&log=1"), ("GOOG", 252, "")],
)
def test_the_page_and_condvest_plot_draw_the_same(page, sample, symbol, interval, more):
    """Two programs, one drawing: every path and every label is the same text."""
    page.open(f"?symbol={symbol}&interval={interval}&bars=all{more}")
    ((width, height),) = page.attributes("svg.chart", "width", "height")
    settings = sample.workspace.settings
    bars = condvest.bars(symbol, interval=interval, include_open=True, settings=settings)
    events = _events(symbol, "database", settings)
    drawing = Drawing("", interval, "2013-03-01", events, int(width), int(height), log=bool(more))
    drawn = chart(_columns(bars), drawing)
    wanted = [[each[1].get("class"), each[1]["d"]] for each in of(drawn, "path")]
    assert page.attributes("svg.chart path", "class", "d") == wanted
    assert page.texts("svg.chart text") == [each[2] for each in of(drawn, "text")]


def test_the_open_bar_is_hatched_and_the_bars_of_a_short_window_are_outlined(page):
    page.open("?symbol=IBM&interval=34&bars=all")
    assert page.run("return document.querySelectorAll('.body.open').length") == 1
    fill = page.run("return getComputedStyle(document.querySelector('.body.open')).fill")
    assert "#hatch-" in fill
    assert (
        page.run("return getComputedStyle(document.querySelector('.body.lacking')).strokeDasharray") != "none"
    )
    page.open("?symbol=IBM&interval=34&open=")
    assert page.run("return document.querySelector('.body.open')") is None


def test_the_table_holds_the_bars_of_the_chart(page, sample):
    page.open("?symbol=FB&interval=21")
    page.find("details.table summary").click()
    page.until("return document.querySelector('details.table tbody tr')")
    cells = page.texts("details.table td")
    rows = [cells[at : at + 10] for at in range(0, len(cells), 10)]
    bars = condvest.bars("FB", interval=21, include_open=True, settings=sample.workspace.settings).to_pylist()
    assert [row[:6] for row in rows] == [
        [
            str(bar["first_session"]),
            str(bar["last_session"]),
            *(f"{bar[name]:.2f}" for name in ("open", "high", "low", "close")),
        ]
        for bar in reversed(bars)
    ]
    assert rows[0][-1] == "open"


def test_what_is_copied_runs_elsewhere_and_gives_the_same_bars(page, sample):
    page.open("?symbol=AAPL&interval=34&adjust=total")
    copied = {}
    for name in ("curl", "Python", "DuckDB"):
        page.click(".copying button", name)
        copied[name] = page.text(".snippet")
    wanted = condvest.bars(
        "AAPL", interval=34, adjust="total", include_open=True, settings=sample.workspace.settings
    )
    names = {}
    exec(copied["Python"], names)  # noqa: S102  # the page's own
    assert names["table"].equals(wanted)
    program, url = shlex.split(copied["curl"])
    assert (program, len(httpx.get(url).text.splitlines())) == ("curl", 1 + len(wanted))
    address = copied["DuckDB"].split("'")[1]
    assert httpx.get(address).content[:4] == b"PAR1"


def test_splits_and_dividends_are_flagged_at_their_windows(page):
    page.open("?symbol=AAPL&interval=13&bars=all")
    titles = page.texts(".flag title")
    assert titles[:2] == ["Split 2 for 1, 2000-06-21", "Split 2 for 1, 2005-02-28"]
    assert "Dividend 2.65, 2013-02-07" in titles


def test_a_click_on_a_bar_shows_where_it_comes_from(page):
    page.open("?symbol=AAPL&interval=13&bars=60")
    page.until("return document.querySelector('.asof')")
    page.find(".plot").click()
    page.until("return document.querySelector('.provenance table')")
    said = page.text(".provenance")
    assert "bokeh_sampledata/_data/stocks.csv.gz" in said
    assert "sample/daily_bars/" in said
    session = page.run("return new URLSearchParams(location.search).get('bar')")
    page.open(f"?symbol=AAPL&interval=13&bars=60&bar={session}")
    page.until("return document.querySelector('.provenance table')")
    assert page.text(".provenance").split("\n")[0] == said.split("\n")[0]
