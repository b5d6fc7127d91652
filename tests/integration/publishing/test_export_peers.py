"""zipline and qlib themselves read the exports, each in an environment of its own below build/peers."""

import json
import subprocess

import numpy as np
import pytest

import condvest
from condvest.serving_layer.exports.export import export
from tests.support.peers.environments import PEERS, python_of

pytestmark = pytest.mark.long


def answer_of(peer, *arguments):
    command = [python_of(peer), "-W", "ignore", str(PEERS / f"read_{peer}.py"), *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def bars(sample, symbol, **how):
    return condvest.bars(symbol, interval=1, settings=sample.workspace.settings, **how)


def test_zipline_ingests_reads_and_backtests_the_bundle(sample, tmp_path):
    """Prices adjusted by splits and dividends, to zipline's thousandths; dividends are paid in cash."""
    place = tmp_path / "zipline"
    export(sample.workspace, "zipline", place)
    answer = answer_of("zipline", place, tmp_path / "root")
    assert sorted(answer["closes"]) == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    assert answer["splits"] == [
        ["AAPL", "2000-06-21", 0.5],
        ["AAPL", "2005-02-28", 0.5],
        ["MSFT", "2003-02-18", 0.5],
    ]
    for symbol, (days, closes) in answer["closes"].items():
        table = bars(sample, symbol)
        assert days == [str(day) for day in table["last_session"].to_pylist()]
        # zipline takes a dividend by 1 - cash / close before; so does this, one after the other.
        expected = table["close"].to_numpy().copy()
        traded = bars(sample, symbol, adjust="none")["close"].to_numpy()
        for paid in condvest.dividends(symbol, settings=sample.workspace.settings).to_pylist():
            row = days.index(str(paid["ex_date"]))
            expected[:row] *= 1 - paid["cash_amount"] / traded[row - 1]
        assert np.allclose(closes, expected, rtol=2e-3, atol=1.5e-3)
        assert np.allclose(closes[-20:], expected[-20:], rtol=1e-4, atol=1.5e-3)
    ibm = condvest.dividends("IBM", start="2012-01-05", settings=sample.workspace.settings).to_pylist()
    assert answer["paid"] == {str(paid["ex_date"]): pytest.approx(100 * paid["cash_amount"]) for paid in ibm}


def test_qlib_reads_the_prices_of_python(sample, tmp_path):
    export(sample.workspace, "qlib", tmp_path / "qlib")
    answer = answer_of("qlib", tmp_path / "qlib")
    assert sorted(answer) == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    for symbol, columns in answer.items():
        table, raw = bars(sample, symbol), bars(sample, symbol, adjust="none")
        assert columns["day"] == [str(day) for day in table["last_session"].to_pylist()]
        close = table["close"].to_numpy()
        assert np.array_equal(np.array(columns["close"], "<f4"), close.astype("<f4"))
        assert np.allclose(columns["traded"], raw["close"].to_numpy(), rtol=2e-7)
        assert np.array_equal(np.array(columns["volume"], "<f4"), table["volume"].to_numpy().astype("<f4"))
        assert np.allclose(columns["change"][1:], close[1:] / close[:-1] - 1, atol=1e-6)
