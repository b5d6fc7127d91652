#!/bin/sh
# zipline-reloaded 3.2.1: a csvdir bundle gives dividends no pay date, so zipline adjusts prices by them and never pays them:
# a portfolio that holds the stock gets no cash. Ends with 0 while that is so. (condvest export zipline sets pay dates.)
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/python"
"$scratch/python/bin/python" -m pip install --quiet zipline-reloaded==3.2.1 pandas==2.3.3 exchange-calendars==4.13.2
ZIPLINE_ROOT="$scratch/root" "$scratch/python/bin/python" -W ignore - "$scratch/csv" <<'END'
import os
import sys

import pandas as pd
from zipline import run_algorithm
from zipline.api import order, symbol
from zipline.data import bundles
from zipline.data.bundles.csvdir import csvdir_equities
from zipline.utils.calendar_utils import get_calendar

sessions = get_calendar("NYSE").sessions_in_range("2012-01-03", "2012-03-30")
frame = pd.DataFrame({name: 100.0 for name in ("open", "high", "low", "close")}, index=sessions)
frame = frame.assign(volume=1_000_000, dividend=0.0, split=1.0)
frame.loc["2012-02-15", "dividend"] = 5.0
os.makedirs(f"{sys.argv[1]}/daily")
frame.to_csv(f"{sys.argv[1]}/daily/PAYER.csv", index_label="date")
bundles.register("plain", csvdir_equities(["daily"], sys.argv[1]), calendar_name="NYSE")
bundles.ingest("plain", show_progress=False)


def initialize(context):
    context.bought = False


def handle_data(context, _):
    if not context.bought:
        order(symbol("PAYER"), 100)
        context.bought = True


held = run_algorithm(
    start=pd.Timestamp("2012-01-04"),
    end=pd.Timestamp("2012-03-29"),
    initialize=initialize,
    handle_data=handle_data,
    capital_base=100_000,
    bundle="plain",
    default_extension=False,
    benchmark_returns=pd.Series(0.0, index=sessions),
)
assert held.ending_cash.iloc[5:].nunique() == 1, held.ending_cash.unique()
payouts = bundles.load("plain").adjustment_reader.unpack_db_to_component_dfs(convert_dates=True)
assert payouts["dividend_payouts"]["pay_date"].isna().all()
assert len(payouts["dividends"]) == 1
print("so it is: 100 shares over an ex-date of 5.00 a share brought no cash")
END
