"""Run by qlib's own environment: print as JSON what qlib reads of an export."""

import json
import sys

import qlib
from qlib.data import D

qlib.init(provider_uri=sys.argv[1], region="us", kernels=1)
fields = ["$close", "$close/$factor", "$volume", "$close/Ref($close,1)-1"]
frame = D.features(D.instruments("all"), fields, freq="day")
frame.columns = ["close", "traded", "volume", "change"]
answer = {}
for name, own in frame.groupby(level="instrument"):
    rows = own.droplevel("instrument").dropna(subset=["close"])
    answer[name] = {"day": list(map(str, rows.index.date)), **{c: rows[c].tolist() for c in rows}}
print(json.dumps(answer))
