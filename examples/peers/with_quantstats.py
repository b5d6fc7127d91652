"""quantstats: returns of a frame. A year has 252 / 13 bars of 13 sessions."""

import quantstats

import condvest

returns = condvest.frame("IBM", interval=13, adjust="total")["Close"].pct_change().dropna()

print(f"Sharpe ratio {quantstats.stats.sharpe(returns, periods=252 / 13):.4f}")
