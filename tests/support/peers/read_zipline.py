"""Run by zipline's own environment: ingest the bundle of an export, and print as JSON what zipline reads."""

import json
import os
import sys

import pandas as pd
from zipline import run_algorithm
from zipline.api import order, symbol
from zipline.data import bundles
from zipline.data.data_portal import DataPortal
from zipline.utils.calendar_utils import get_calendar
from zipline.utils.run_algo import load_extensions

export, root = sys.argv[1:]
os.environ["ZIPLINE_ROOT"] = root
load_extensions(False, [f"{export}/extension.py"], True, os.environ)
bundles.ingest("condvest", os.environ, show_progress=False)
bundle = bundles.load("condvest")
calendar = get_calendar("NYSE")
first = bundle.equity_daily_bar_reader.first_trading_day
portal = DataPortal(
    bundle.asset_finder,
    calendar,
    first,
    equity_daily_reader=bundle.equity_daily_bar_reader,
    adjustment_reader=bundle.adjustment_reader,
)
assets = bundle.asset_finder.retrieve_all(bundle.asset_finder.sids)
last = max(asset.end_date for asset in assets)
days = len(calendar.sessions_in_range(first, last))
closes = portal.get_history_window(assets, last, days, "1d", "close", "daily")
closes = {asset.symbol: closes[asset].dropna() for asset in assets}
actions = bundle.adjustment_reader.unpack_db_to_component_dfs(convert_dates=True)


def initialize(context):
    context.bought = False


def handle_data(context, _data):
    if not context.bought:
        order(symbol("IBM"), 100)
        context.bought = True


sessions = calendar.sessions_in_range("2011-12-01", last)
performance = run_algorithm(
    start=pd.Timestamp("2012-01-03"),
    end=pd.Timestamp("2013-02-28"),
    initialize=initialize,
    handle_data=handle_data,
    capital_base=100_000,
    bundle="condvest",
    default_extension=False,
    benchmark_returns=pd.Series(0.0, index=sessions),
)
cash = performance.ending_cash.diff().iloc[2:]
answer = {
    "closes": {name: [list(map(str, own.index.date)), own.tolist()] for name, own in closes.items()},
    "splits": sorted(
        [assets[row.sid].symbol, str(row.effective_date.date()), row.ratio]
        for row in actions["splits"].itertuples()
    ),
    "paid": {str(day.date()): value for day, value in cash[cash != 0].items()},
}
print(json.dumps(answer))
