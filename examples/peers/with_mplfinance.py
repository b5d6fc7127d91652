"""mplfinance: a frame as it is, into candles.png."""

import mplfinance

import condvest

frame = condvest.frame("AAPL", interval=13, start="2011-01-01")

mplfinance.plot(frame, type="candle", volume=True, savefig="candles.png")
print(f"{len(frame)} candles, the last closes at {frame['Close'].iloc[-1]:.2f}")
