"""The drawing of charts, on bars whose places are worked out by hand."""

import re
import xml.etree.ElementTree as ET

import pytest

from condvest.serving_layer.page.assets import assets
from condvest.serving_layer.page.drawing.axes import Event, dates, flags
from condvest.serving_layer.page.drawing.candles import candles, kind, shapes, volumes, vwap_line
from condvest.serving_layer.page.drawing.chart import Drawing, chart
from condvest.serving_layer.page.drawing.geometry import Panels, Scale, View, rounded, text, ticks
from condvest.serving_layer.page.drawing.svg import markup, page, standalone

BARS = {
    "window": [10, 11, 13],
    "first_session": ["2024-01-02", "2024-01-03", "2024-02-05"],
    "last_session": ["2024-01-02", "2024-01-03", "2024-02-05"],
    "open": [10.0, 20.0, 30.0],
    "high": [20.0, 20.0, 40.0],
    "low": [10.0, 10.0, 20.0],
    "close": [20.0, 10.0, 30.0],
    "volume": [100.0, 50.0, 0.0],
    "vwap": [15.0, 15.0, 25.0],
    "sessions": [1, 1, 1],
    "is_complete": [True, True, False],
}
PARSES_MARKUP = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|Function\("
VIEW = View(10, 13, 0, 400)  # 100 pixels a window, so centers at 50, 150, 250 and 350


def flat(value):
    return -value


def test_a_missing_window_is_a_hole_and_no_step_is_lost():
    assert [each.x for each in shapes(BARS, VIEW, 1, "")] == [50, 150, 350]


def test_candles_are_one_path_per_class():
    nodes = candles(shapes(BARS, VIEW, 1, ""), VIEW.step, flat)
    assert [(attributes["class"], attributes["d"]) for _, attributes, _ in nodes] == [
        ("wick open up", "M350 -40V-20"),
        ("wick whole down", "M150 -20V-10"),
        ("wick whole up", "M50 -20V-10"),
        ("body open up", "M341 -30H359V-29H341Z"),  # its open is its close, yet it is a pixel high
        ("body whole down", "M141 -20H159V-10H141Z"),
        ("body whole up", "M41 -20H59V-10H41Z"),
    ]


def test_windows_that_share_a_pixel_are_drawn_as_their_range():
    many = {
        name: [value] * 1000 if name != "window" else list(range(1000))
        for name, value in {
            **{name: values[0] for name, values in BARS.items()},
            "high": 20.0,
        }.items()
    }
    many["high"] = [20.0] * 999 + [99.0]
    made = shapes(many, View(0, 999, 0, 100), 1, "")
    assert len(made) == 100
    assert (made[-1].high, made[0].high) == (99.0, 20.0)


@pytest.mark.parametrize(
    ("is_complete", "sessions", "last", "through", "wanted"),
    [
        (True, 13, "2024-01-02", "2024-01-02", "whole"),
        (True, 12, "2024-01-02", "2024-01-02", "lacking"),  # a halt: nothing was traded in one session
        (False, 9, "2024-01-02", "2023-12-29", "open"),
        (False, 9, "2024-01-02", "2024-01-02", "lacking"),  # its window has ended: a session was never loaded
    ],
)
def test_a_bar_is_open_lacking_or_whole(is_complete, sessions, last, through, wanted):
    bars = {"is_complete": [is_complete], "sessions": [sessions], "last_session": [last], "window": [1]}
    assert kind(bars, 0, 13, through) == wanted


def test_volumes_stand_on_the_bottom_and_what_was_not_traded_has_none():
    nodes = volumes(shapes(BARS, VIEW, 1, ""), VIEW.step, 0, 100)
    assert [(each["class"], each["d"]) for _, each, _ in nodes] == [
        ("volume whole down", "M141 50H159V100H141Z"),
        ("volume whole up", "M41 0H59V100H41Z"),
    ]


def test_the_line_of_vwap_ends_at_a_hole():
    ((_, attributes, _),) = vwap_line(shapes(BARS, VIEW, 1, ""), VIEW.step, flat)
    assert attributes["d"] == "M50 -15L150 -15M350 -25"


def test_flags_stand_at_the_window_of_their_session_and_not_before_all_bars():
    events = [
        Event("2023-12-29", "split", "S 3:1", "before"),
        Event("2024-01-03", "split", "S 2:1", "Split"),
        Event("2024-01-20", "dividend", "D 1", "in the hole: at the next bar"),
        Event("2024-03-01", "dividend", "D 2", "after"),
    ]
    nodes = flags(events, BARS, VIEW)
    assert [markup(each[2][1]) for each in nodes] == [
        '<path d="M146 8H154L150 15Z"/>',
        '<path d="M346 22H354L350 29Z"/>',
    ]


def test_labels_are_the_finest_dates_that_have_room():
    assert dates(BARS, VIEW) == [(50, "2024-01-02"), (150, "2024-01-03"), (350, "2024-02-05")]
    # Of 120 pixels, months take 60 each; January's label would begin before the chart does.
    assert dates(BARS, View(10, 13, 0, 120)) == [(105, "2024-02")]


@pytest.mark.parametrize(
    ("low", "high", "log", "wanted"),
    [
        (0.0, 10.0, False, ["0", "5", "10"]),
        (101.3, 101.9, False, ["101.4", "101.6", "101.8"]),
        (1.0, 1000.0, True, ["1", "10", "100", "1000"]),
        (-1.0, 1.0, True, ["-1", "0", "1"]),  # no logarithm: linear
    ],
)
def test_ticks_are_round(low, high, log, wanted):
    scale = Scale.over(low, high, Panels(800, 400), log=log)
    assert [label for _, label in ticks(scale, 3)] == wanted


def test_coordinates_are_written_as_javascript_writes_them():
    assert [text(rounded(each)) for each in (1.0, 1.25, -0.05, 0.449)] == ["1", "1.3", "0", "0.4"]


def test_whatever_a_symbol_holds_stays_text():
    title = "<script>alert('x')</script> & \"y\""
    node = chart(BARS, Drawing(title, 1, "", [Event("2024-01-03", "split", "<b>", "</title>")]))
    root = ET.fromstring(standalone(node, title, "light"))  # noqa: S314  # our own
    assert root.get("aria-label") == title
    assert title in [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    whole = page(node, BARS, title, "dark")
    assert "<script" not in whole
    assert re.findall(r"<td>(2024-\d\d-\d\d)</td><td>", whole) == ["2024-02-05", "2024-01-03", "2024-01-02"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_file_that_stands_alone_names_no_variable_and_no_other_host(theme):
    svg = standalone(chart(BARS, Drawing("A", 1, "")), "A", theme)
    assert "var(" not in svg
    assert set(re.findall(r"https?://[^\"]+", svg)) == {"http://www.w3.org/2000/svg"}


def test_the_pages_files_are_small_and_make_no_markup_of_texts():
    """At most 100 kB together, no module above 250 lines, no foreign address, nothing that parses markup."""
    files = assets()
    assert sum(len(each.content) for each in files.values()) <= 110_000
    for name, each in files.items():
        content = each.content.decode()
        assert len(content.splitlines()) <= 250, name
        assert set(re.findall(r"https?://[\w.]+", content)) <= {"http://www.w3.org"}, name
        assert (
            re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|Function\(", content)
            == []
        )
        assert re.findall(r"\sstyle=|<script>|\son\w+=\"", content) == [], name
