"""vectorbt: closes as a matrix. It fills at the close of the bar of the signal, so signals are shifted."""

import vectorbt

import condvest

closes = condvest.panel("close", ["AAPL", "IBM", "MSFT"], interval=13, adjust="total")
vectorbt.settings.returns["year_freq"] = "252d"

above = (closes > closes.rolling(5).mean()).shift(1, fill_value=False)
held = vectorbt.Portfolio.from_signals(closes, above, ~above, freq="13d")
print(held.total_return().round(4).to_dict())
