"""pandas: closes as a matrix, dates as its index."""

import condvest

closes = condvest.panel("close", interval=13, adjust="total")

print(closes["IBM"].resample("YE").last().loc["2012"].round(2).to_dict())
