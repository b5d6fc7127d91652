"""TA-Lib: a column of a frame."""

import talib

import condvest

frame = condvest.frame("AAPL", interval=13)

print(f"the mean of the last five closes is {talib.SMA(frame['Close'], 5).iloc[-1]:.2f}")
