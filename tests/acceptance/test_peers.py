"""Each script of examples/peers runs, and has the prices that Condvest has.

Programs of the lock file run here; the others, in environments of their own below build/peers, with -m long.
"""

import ast
import itertools
import math
import os
import re
import statistics
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.peers.environments import python_of

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "examples/peers"

LASTS = "[('AAPL', 460.16), ('FB', 28.32), ('GOOG', 792.89), ('IBM', 200.98), ('MSFT', 28.01)]"
"""The sample's closes of 2013-02-15, as traded, which is the basis of the last session."""

CANDLES = "42 candles, the last closes at 460.16"


def read_by(condvest, name, python, folder, **variables):
    """Return what a script prints."""
    command = [str(SCRIPTS / name)] if name.endswith(".sh") else [python, "-W", "ignore", str(SCRIPTS / name)]
    path = os.pathsep.join([str(Path(python).parent), condvest.environ["PATH"]])
    ran = subprocess.run(
        command,
        cwd=folder,
        env=condvest.environ | {"PATH": path, "MPLBACKEND": "Agg", "HOME": str(folder)} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def closes_of(condvest, symbol, adjust="total"):
    """Return the closes of a symbol's bars of 13 sessions, from the command line."""
    asked = ("bars", symbol, "--adjust", adjust, "--format", "csv")
    return [float(line.split(",")[8]) for line in condvest.done(*asked).splitlines()[1:]]


def test_every_script_is_in_the_list_and_short():
    """One to three assignments bring the prices over."""
    scripts = {path.name for path in SCRIPTS.iterdir()} - {"README.md"}
    assert scripts == set(re.findall(r"\]\((with_\w+\.\w+)\)", (SCRIPTS / "README.md").read_text()))
    for name in scripts:
        if name.endswith(".py"):
            lines = [
                node for node in ast.parse((SCRIPTS / name).read_text()).body if isinstance(node, ast.Assign)
            ]
            bringing = [node for node in lines if "condvest" in ast.unparse(node)]
            assert 1 <= len(bringing) <= 3, name


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("with_pandas.py", "{Timestamp('2012-12-31 00:00:00'): 194.26}"),
        ("with_polars.py", LASTS),
        ("with_duckdb.py", LASTS),
        ("with_bokeh.py", CANDLES),
        ("with_lean.sh", "aapl.zip\nfb.zip\ngoog.zip\nibm.zip\nmsft.zip"),
    ],
)
def test_a_peer_takes_what_condvest_gives_as_it_is(sample, name, printed, tmp_path):
    assert read_by(sample, name, sys.executable, tmp_path) == printed


def test_backtesting_py_buys_at_the_second_bars_open(sample, tmp_path):
    """It sells at the last bar's open; a little is left in cash, since shares are whole."""
    rows = sample.done("bars", "IBM", "--adjust", "total", "--format", "csv").splitlines()[1:]
    opens = [float(row.split(",")[5]) for row in rows]
    total, entry = re.search(
        r"(\S+) % from (\S+)$", read_by(sample, "with_backtesting.py", sys.executable, tmp_path)
    ).groups()
    assert float(entry) in [round(each, 2) for each in opens[1:3]]
    assert float(total) / 100 == pytest.approx(opens[-1] / float(entry) - 1, rel=0.01)


@pytest.fixture(scope="module")
def charts():
    """A Python of the programs that are not locked, which can import Condvest, too."""
    python = python_of("charts")
    (packages,) = Path(python).parents[1].glob("lib/python*/site-packages")
    (packages / "zz_condvest.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
    return python


@pytest.mark.long
@pytest.mark.parametrize("name", ["mplfinance", "plotly", "talib", "quantstats", "bt", "vectorbt"])
def test_a_peer_in_an_environment_of_its_own(sample, charts, name, tmp_path):
    printed = read_by(sample, f"with_{name}.py", charts, tmp_path)
    if name in ("mplfinance", "plotly"):
        assert printed == CANDLES
        (drawn,) = tmp_path.glob("candles.*")
        assert drawn.stat().st_size > 10_000
        return
    numbers = [float(each) for each in re.findall(r"-?\d+\.\d+", printed)]
    closes = {symbol: closes_of(sample, symbol) for symbol in ("AAPL", "IBM", "MSFT")}
    assert numbers == pytest.approx(EXPECTED[name](closes, closes_of(sample, "AAPL", "splits")), abs=1e-2)


def _sharpe(closes):
    returns = [after / before - 1 for before, after in itertools.pairwise(closes)]
    return statistics.mean(returns) / statistics.stdev(returns) * math.sqrt(252 / 13)


def _above_its_mean(closes):
    """Hold from the close of the bar after one that closes above the mean of its five until one does not."""
    value = 1.0
    for at in range(len(closes) - 1):
        is_above = at >= 5 and closes[at - 1] > statistics.fmean(closes[at - 5 : at])
        value *= closes[at + 1] / closes[at] if is_above else 1.0
    return value - 1


EXPECTED = {
    "talib": lambda _, split: [statistics.fmean(split[-5:])],
    "quantstats": lambda total, _: [_sharpe(total["IBM"])],
    "bt": lambda total, _: [statistics.fmean(closes[-1] / closes[0] for closes in total.values()) - 1],
    "vectorbt": lambda total, _: [_above_its_mean(closes) for closes in total.values()],
}
"""By program: what it has to print, worked out from the closes."""


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "says"), [("zipline", r"^condvest \d{4}-\d\d-\d\d"), ("qlib", r"^430\.47\d*$")]
)
def test_a_bundle_in_an_environment_of_its_own(sample, name, says, tmp_path):
    """AAPL closed at 430.47 on 2013-03-01."""
    printed = read_by(
        sample, f"with_{name}.sh", python_of(name), tmp_path, ZIPLINE_ROOT=str(tmp_path / "root")
    )
    assert re.search(says, printed, re.MULTILINE), printed


CHART_SURPRISES = ROOT / "tests/support/peers/chart_surprises.py"


@pytest.mark.long
def test_what_chart_libraries_do_that_one_would_not_guess(sample, charts, tmp_path):
    """The script asserts each line that docs/reading-with.md says of them."""
    command = [charts, "-W", "ignore", str(CHART_SURPRISES)]
    environ = sample.environ | {"MPLBACKEND": "Agg", "HOME": str(tmp_path)}
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert (ran.returncode, ran.stdout) == (0, "mplfinance plotly lightweight-charts\n"), ran.stderr
