#!/bin/sh
# lightweight-charts 2.1 with pandas 3.1.1: Chart.set takes every date for nanoseconds, but pandas 3 reads dates in
# microseconds or seconds, so all bars land in January 1970, without a word. And a marker is moved to a multiple of the
# commonest distance of the bars, counted from 1970, so on bars of several sessions it misses the bar that it was given.
# Ends with 0 while that is so.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/python"
"$scratch/python/bin/python" -m pip install --quiet lightweight-charts==2.1 pandas==3.1.1
"$scratch/python/bin/python" -W ignore - <<'END'
import re

import pandas as pd
from lightweight_charts.abstract import AbstractChart, Window

# The last sessions of seven bars of 13 sessions.
dates = ["2024-07-05", "2024-07-24", "2024-08-12", "2024-08-29", "2024-09-18", "2024-10-07", "2024-10-24"]
bars = pd.DataFrame({"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0}, index=pd.DatetimeIndex(dates))
scripts = []
chart = AbstractChart(Window(scripts.append))  # the part of a chart that makes JavaScript; it needs no screen
chart.win.on_js_load()


def first_bar(frame):
    scripts.clear()
    chart.set(frame)
    (script,) = [each for each in scripts if f"{chart.id}.series.setData" in each]
    return pd.Timestamp(int(re.search(r'"time":\s*(\d+)', script)[1]), unit="s")


print("dates of pandas:", bars.index.dtype, "-> the first bar stands at", first_bar(bars))
assert first_bar(bars) < pd.Timestamp("1970-02-01")
in_nanoseconds = bars.set_axis(bars.index.as_unit("ns"))
assert first_bar(in_nanoseconds) == pd.Timestamp("2024-07-05")

moved = []
for date in in_nanoseconds.index:
    scripts.clear()
    chart.marker(date)
    times = re.findall(r"time[^\d]*([\d.]+)", scripts[-1])
    moved.append(pd.Timestamp(float(times[-1]), unit="s") != date)
print("markers that miss their bar:", sum(moved), "of", len(moved))
assert sum(moved) > len(moved) / 2
END
