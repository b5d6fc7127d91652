#!/bin/sh
# mplfinance 0.12.10b0: its axis counts bars, not days. A vertical line at a date inside a bar (a split, an ex-date) stands
# half-way between two candles, wherever in the bar the date lies; one before the first bar is a KeyError. And it imports
# six without naming it among its requirements: beside pandas 3.1.1 and matplotlib 3.11.2 nothing brings it, so that a
# fresh installation cannot be imported. Ends with 0 while that is so.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/python"
"$scratch/python/bin/python" -m pip install --quiet mplfinance==0.12.10b0 pandas==3.1.1 matplotlib==3.11.2
if "$scratch/python/bin/python" -c 'import mplfinance' 2>"$scratch/said"; then
    echo "mplfinance can be imported as it is installed now" >&2
    exit 1
fi
tail -1 "$scratch/said"
grep -q "No module named 'six'" "$scratch/said"
"$scratch/python/bin/python" -m pip install --quiet six==1.17.0
MPLBACKEND=Agg MPLCONFIGDIR="$scratch" "$scratch/python/bin/python" -W ignore - <<'END'
import mplfinance
import pandas as pd

# The last sessions of five bars of 13 sessions.
dates = pd.DatetimeIndex(["2024-07-05", "2024-07-24", "2024-08-12", "2024-08-29", "2024-09-18"])
bars = pd.DataFrame({"Open": 10.0, "High": 12.0, "Low": 9.0, "Close": 11.0}, index=dates)


def line_at(date):
    _, axes = mplfinance.plot(bars, type="candle", vlines={"vlines": [pd.Timestamp(date)]}, returnfig=True)
    (x,) = {
        float(x)
        for collection in axes[0].collections
        for path in collection.get_paths()
        for x in path.vertices[:, 0]
        if len(path.vertices) == 2 and path.vertices[0, 0] == path.vertices[1, 0] and x % 1 == 0.5
    }
    return x


early, late = line_at("2024-07-08"), line_at("2024-07-23")
print("lines on the first and on the last day but one of the second bar:", early, late)
assert early == late == 0.5
try:
    mplfinance.plot(bars, type="candle", vlines={"vlines": [pd.Timestamp("2024-06-10")]}, returnfig=True)
except KeyError as error:
    print("a line before the first bar: KeyError", error)
else:
    raise AssertionError("a line before the first bar is drawn now")
END
