"""The provider ``yahoo``: daily bars, splits and dividends of given symbols, without a key.

Yahoo answers by symbol, so it is no source for a whole market. What it tells is split-adjusted and in
single precision; ``basis.py`` says how it is brought back to as traded. A split that Yahoo itself has lost
(yfinance#906) cannot be seen in its answer: the bars before it then come out by that ratio wrong, and are
corrected when the sessions are asked for again.

Yahoo files an instrument's whole history under the symbol that it carries today. Funds' capital gains are
not read, for some of Yahoo's dividends already hold them.

``parse`` is pure over the bytes; the network is in ``client.py`` and ``wire.py``.
"""

from condvest.batch_layer.shared.clients.yahoo.parse import parse
from condvest.batch_layer.shared.clients.yahoo.provider import FIRST_SESSION, YahooProvider
from condvest.batch_layer.shared.clients.yahoo.symbols import read_symbols

__all__ = ["FIRST_SESSION", "YahooProvider", "parse", "read_symbols"]
