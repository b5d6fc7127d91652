"""The provider ``sample``: real daily prices of five companies, with their splits and dividends.

The prices are the file ``stocks.csv.gz`` of the package ``bokeh-sampledata``, unaltered, of which a wheel of
Condvest has a copy: AAPL, FB, GOOG, IBM and MSFT, 12,154 daily bars as traded, 2000-03-01 to
2013-03-01, from the Quandl WIKI prices, which their publisher put into the public domain.

``splits.csv`` and ``dividends.csv`` are recovered from that same file, which has a column ``Adj Close``
with 12 and more decimals. Let f = Adj Close / Close on a row and f' on the company's row before it. f/f'
is 1 within 1e-13 but on 95 rows:

- On 2000-06-21 and 2005-02-28 (AAPL) and 2003-02-18 (MSFT) it is 2 within the print: a 2-for-1 split,
  which the raw prices confirm by halving.
- On the other 92 it is 1 + D / C, C being the Close of that row (the ex-date's) and D a dividend. D =
  C (f/f' - 1) is a whole number of cents within 1e-11 on each of them, and that number stands in
  ``dividends.csv`` (AAPL 3, IBM 52, MSFT 37). MSFT 2004-11-15 is 3.08: the special dividend of 3.00 and
  the quarterly 0.08 on one ex-date. Amounts are per share as then traded.

So this data set reinvests a dividend at the close of the ex-date: a session's total return is
(C + D) / C'. The other usual factor, 1 - D / C' on the close before the ex-date, does not give its
Adj Close (MSFT 2004-11-15 would be 3.03). The last row's f is not 1: it holds later splits and dividends.
"""

from condvest.batch_layer.shared.clients.sample.client import FIRST_SESSION, LAST_SESSION, SampleProvider

__all__ = ["FIRST_SESSION", "LAST_SESSION", "SampleProvider"]
