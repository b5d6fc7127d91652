"""Condvest: a whole market's daily prices, kept ready for backtesting."""
