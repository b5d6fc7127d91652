"""Yahoo Finance, as far as yfinance asks it, over a synthetic market or over given histories."""

from tests.support.emulators.yahoo.history import History
from tests.support.emulators.yahoo.server import YahooEmulator

__all__ = ["History", "YahooEmulator"]
