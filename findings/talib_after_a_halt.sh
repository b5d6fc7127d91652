#!/bin/sh
# TA-Lib 0.8.2: one NaN among the prices (a halt in condvest.panel) makes SMA and EMA NaN to the end, and RSI a plain 0.0
# to the end, which looks like a signal. MAX recovers. Integers are refused. Ends with 0 while that is so.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/python"
"$scratch/python/bin/python" -m pip install --quiet TA-Lib==0.8.2 numpy==2.4.6
"$scratch/python/bin/python" - <<'END'
import numpy as np
import talib

closes = np.arange(10.0, 40.0)
halted = closes.copy()
halted[5] = np.nan
assert np.isnan(talib.SMA(halted, 3)[5:]).all()
assert np.isnan(talib.EMA(halted, 3)[5:]).all()
assert (talib.RSI(halted, 3)[6:] == 0.0).all()
assert (talib.RSI(closes, 3)[3:] == 100.0).all()
assert talib.MAX(halted, 3)[-1] == 39.0
traded = halted[~np.isnan(halted)]
assert (talib.RSI(traded, 3)[3:] == 100.0).all()
try:
    talib.SMA(np.arange(30), 3)
except Exception as error:
    assert "not double" in str(error)
else:
    raise AssertionError("integers are taken now")
print("so it is: drop the NaN of a halt before TA-Lib sees it")
END
