"""plotly: the columns of a frame, into candles.html."""

import plotly.graph_objects as go

import condvest

frame = condvest.frame("AAPL", interval=13, start="2011-01-01")
prices = dict(zip(("open", "high", "low", "close"), frame.iloc[:, :4].to_numpy().T, strict=True))

go.Figure(go.Candlestick(x=frame.index, **prices)).write_html("candles.html")
print(f"{len(frame)} candles, the last closes at {frame['Close'].iloc[-1]:.2f}")
