"""bokeh: a frame as it is, into candles.html. A width is in milliseconds."""

from bokeh.plotting import figure, output_file, save

import condvest

frame = condvest.frame("AAPL", interval=13, start="2011-01-01")

output_file("candles.html", title="AAPL", mode="inline")
drawing = figure(x_axis_type="datetime", width=900, height=400)
drawing.segment("last_session", "High", "last_session", "Low", source=frame)
drawing.vbar("last_session", top="Close", bottom="Open", width=10 * 86_400_000, source=frame)
save(drawing)
print(f"{len(frame)} candles, the last closes at {frame['Close'].iloc[-1]:.2f}")
