#!/bin/sh
# qlib: its binary files.
set -eu
condvest export qlib for-qlib
python - <<'END'
import qlib
from qlib.data import D

qlib.init(provider_uri="for-qlib", region="us")
print(D.features(["AAPL"], ["$close"], end_time="2013-03-01").iloc[-1, 0])
END
