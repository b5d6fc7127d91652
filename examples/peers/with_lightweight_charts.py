"""lightweight-charts: a frame, its dates in nanoseconds. A window opens, so it needs a screen."""

import lightweight_charts

import condvest

frame = condvest.frame("AAPL", interval=13, start="2011-01-01")
frame.index = frame.index.as_unit("ns")


def show(chart: lightweight_charts.abstract.AbstractChart) -> None:
    """Give the bars to a chart, such as ``lightweight_charts.Chart()``."""
    chart.set(frame)


if __name__ == "__main__":
    window = lightweight_charts.Chart()
    show(window)
    window.show(block=True)
