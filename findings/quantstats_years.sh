#!/bin/sh
# quantstats 0.0.86: takes every bar for a day of 252 a year, so the Sharpe ratio of bars of 13 sessions is sqrt(13) times too
# large unless periods=252/13 is given. Ends with 0 while that is so.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/python"
"$scratch/python/bin/python" -m pip install --quiet quantstats==0.0.86 numpy==2.4.6 pandas==3.1.1
"$scratch/python/bin/python" -W ignore - <<'END'
import math

import numpy as np
import pandas as pd
import quantstats

days = pd.date_range("2010-01-04", periods=120, freq="19D")
returns = pd.Series(np.random.default_rng(0).normal(0.01, 0.05, 120), index=days)
true = returns.mean() / returns.std() * math.sqrt(252 / 13)
assert math.isclose(quantstats.stats.sharpe(returns, periods=252 / 13), true, rel_tol=1e-9)
assert math.isclose(quantstats.stats.sharpe(returns) / true, math.sqrt(13), rel_tol=1e-9)
print("so it is: give periods=252/13")
END
