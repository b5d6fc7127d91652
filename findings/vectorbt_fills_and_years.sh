#!/bin/sh
# vectorbt 1.2.0: a signal is filled at the close of its own bar, which nobody could trade at; and a year has 365 days unless
# it is told otherwise, so freq="13d" alone makes the Sharpe ratio of bars of 13 sessions 20 % too large. Ends with 0 while so.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/python"
"$scratch/python/bin/python" -m pip install --quiet vectorbt==1.2.0 numpy==2.4.6 pandas==3.1.1
"$scratch/python/bin/python" -W ignore - <<'END'
import math

import numpy as np
import pandas as pd
import vectorbt as vbt

days = pd.date_range("2010-01-04", periods=60, freq="19D")
closes = pd.Series(100 * np.cumprod(1 + np.random.default_rng(7).normal(0.01, 0.03, 60)), index=days)
signal = pd.Series(False, index=days)
signal.iloc[3] = True
never = pd.Series(False, index=days)
bought = vbt.Portfolio.from_signals(closes, signal, never, freq="13d").orders.records_readable
assert bought["Price"].iloc[0] == closes.iloc[3]
shifted = signal.shift(1, fill_value=False)
later = vbt.Portfolio.from_signals(closes, shifted, never, freq="13d").orders.records_readable
assert later["Price"].iloc[0] == closes.iloc[4]
returns = vbt.Portfolio.from_holding(closes, freq="13d")
sharpe = returns.returns().mean() / returns.returns().std() * math.sqrt(252 / 13)
assert math.isclose(returns.sharpe_ratio(year_freq="252d"), sharpe, rel_tol=1e-9)
assert math.isclose(returns.sharpe_ratio() / sharpe, math.sqrt(365 / 252), rel_tol=1e-9)
print('so it is: shift signals by one bar, and give year_freq="252d"')
END
