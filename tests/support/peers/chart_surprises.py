"""What docs/reading-with.md says of chart libraries, asserted in the versions of requirements-charts.txt."""

import re

import lightweight_charts.abstract
import mplfinance
import pandas as pd
import plotly.graph_objects as go

import condvest

frame = condvest.frame("AAPL", interval=13, start="2011-01-01")


def mplfinance_counts_bars():
    """A line at a date between two bars is drawn between them, and one outside of the frame is a KeyError."""
    between = frame.index[10] + pd.Timedelta(5, "D")
    _, axes = mplfinance.plot(frame, type="line", vlines={"vlines": [between]}, returnfig=True)
    (path,) = axes[0].collections[0].get_paths()
    assert path.vertices[:, 0].tolist() == [10.5, 10.5]
    try:
        mplfinance.plot(frame, type="line", vlines={"vlines": [pd.Timestamp("2005-02-28")]}, returnfig=True)
    except KeyError:
        return
    raise AssertionError("a line outside of the frame is drawn")


def mplfinance_wants_dates_as_the_index():
    """The table of condvest.bars is refused, the frame is not."""
    try:
        mplfinance.plot(condvest.bars("AAPL").to_pandas(), type="candle", returnfig=True)
    except TypeError:
        return
    raise AssertionError("a frame without dates as its index is taken")


def plotly_packs_its_numbers():
    """It takes Arrow columns, and its JSON has prices as base64, which nothing but plotly reads."""
    table = condvest.bars("AAPL", start="2011-01-01")
    prices = {name: table[name] for name in ("open", "high", "low", "close")}
    of_table = go.Figure(go.Candlestick(x=table["last_session"], **prices))
    of_frame = go.Figure(go.Candlestick(x=frame.index, close=frame["Close"], open=frame["Open"]))
    assert '"bdata"' in of_frame.to_json()
    assert pd.Timestamp(str(of_table.data[0].x[0])) == frame.index[0]


def lightweight_charts_move_dates():
    """Dates that are no nanoseconds land in January 1970, markers on multiples of the commonest distance."""
    scripts = []
    chart = lightweight_charts.abstract.AbstractChart(lightweight_charts.abstract.Window(scripts.append))
    chart.win.on_js_load()

    def first_of(given):
        scripts.clear()
        chart.set(given)
        (script,) = [each for each in scripts if f"{chart.id}.series.setData" in each]
        return pd.Timestamp(int(re.search(r'"time":\s*(\d+)', script)[1]), unit="s")

    assert first_of(frame) < pd.Timestamp("1970-02-01")
    in_nanoseconds = frame.set_axis(frame.index.as_unit("ns"))
    assert first_of(in_nanoseconds) == frame.index[0]
    moved = 0
    for date in frame.index:
        scripts.clear()
        chart.marker(date)
        (shown,) = [each for each in scripts if "setMarkers" in each or "time" in each][-1:]
        times = re.findall(r"time[^\d]*([\d.]+)", shown)
        moved += pd.Timestamp(float(times[-1]), unit="s") != date
    assert moved > len(frame) / 2


for check in (mplfinance_counts_bars, mplfinance_wants_dates_as_the_index, plotly_packs_its_numbers):
    check()
lightweight_charts_move_dates()
print("mplfinance plotly lightweight-charts")
