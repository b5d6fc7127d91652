"""The examples for backtesters run, on small data, and draw what they say."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest


@pytest.fixture
def example(root, tmp_path):
    """Run an example to its end; return what it prints."""

    def run(condvest, name, *arguments):
        ran = subprocess.run(
            [sys.executable, root / "examples" / name, *map(str, arguments)],
            cwd=tmp_path,
            env=condvest.environ | {"HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return run


def drawn_lines(path):
    """Return how many points each line of a plot has."""
    drawing = ET.parse(path)  # noqa: S314  # the test has just drawn it
    lines = drawing.getroot().iter("{http://www.w3.org/2000/svg}path")
    return [len(re.findall("[ML]", line.get("d"))) for line in lines if line.get("clip-path")]


def test_a_breakout_of_13_session_bars_in_backtesting_py(sample, example, tmp_path):
    """IBM has 250 complete bars of 13 sessions in the sample; 125 of them were not used to choose."""
    sample.done("publish", "--to", tmp_path / "published")
    condvest = type(sample)(sample.home, {**sample.env, "CONDVEST_PUBLISHED": str(tmp_path / "published")})
    printed = example(condvest, "breakout.py", "IBM", "plot.svg")
    assert "IBM: 250 bars of 13 sessions, 2000-04-03 to 2013-02-15" in printed
    assert re.search(r"on the second half: [+-]\d+ % in \d+ trades", printed)
    total, per_year = map(float, re.search(r"half: (\S+) % .*\((\S+) % a year\)", printed).groups())
    # 124 bars of 13 sessions are 6.4 years of 252 sessions.
    assert (1 + per_year / 100) ** (124 * 13 / 252) == pytest.approx(1 + total / 100, abs=0.02)
    assert drawn_lines(tmp_path / "plot.svg") == [125, 125]


def test_momentum_over_a_synthetic_market_in_polars(sample, example, tmp_path):
    """400 sessions reach into 20 windows of 21; a choice needs 13 before it and one after."""
    printed = example(sample, "momentum.py", "plot.svg", 60, 400)
    bars = int(re.search(r"([\d,]+) bars of 21", printed)[1].replace(",", ""))
    held = int(re.search(r"best: .* in (\d+) bars", printed)[1])
    assert bars > 55 * 20
    assert drawn_lines(tmp_path / "plot.svg") == [held] * 3
    assert held == 6
