"""Condvest: a whole market's daily prices, kept ready for backtesting.

>>> import condvest
>>> table = condvest.bars("AAPL", interval=13)  # doctest: +SKIP
"""

from batch_layer.shared.errors import BatchLayerError, CondvestError
from batch_layer.shared.settings import INTERVALS, Settings
from condvest.api import Published, bars, connected, published, published_files

__all__ = [
    "INTERVALS",
    "BatchLayerError",
    "CondvestError",
    "Published",
    "Settings",
    "bars",
    "connected",
    "published",
    "published_files",
]
