"""bt: closes as a matrix."""

import bt

import condvest

closes = condvest.panel("close", ["AAPL", "IBM", "MSFT"], interval=13, adjust="total")

equal = bt.Strategy(
    "equal", [bt.algos.RunOnce(), bt.algos.SelectAll(), bt.algos.WeighEqually(), bt.algos.Rebalance()]
)
print(f"total return {bt.run(bt.Backtest(equal, closes, integer_positions=False))['equal'].total_return:.4f}")
