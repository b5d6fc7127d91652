"""A breakout strategy on bars of 13 sessions, in backtesting.py, on published files.

Long from the open after the highest close of so many bars, flat from the open after the lowest. Each number
is tried on the first half of the history, and the best one judged on the second, which it has not seen.
Prices are total return, so dividends count; a bar is decided on when it is complete, and acted on at the next
one's open.

    condvest demo && condvest publish
    python examples/breakout.py [SYMBOL] [FILE]     (AAPL, breakout.svg)
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from backtesting import Backtest, Strategy

import condvest

INTERVAL = 13
SESSIONS_A_YEAR = 252
NUMBERS = range(2, 13)
COMMISSION = 0.001


class Breakout(Strategy):
    """Buy on the highest close of ``number`` bars, sell on the lowest."""

    number = 5

    def init(self) -> None:
        """Prepare the two bounds, each of the bars before the one it is held against."""
        closes = pd.Series(self.data.Close)
        self.upper = self.I(lambda: closes.rolling(self.number).max().shift())
        self.lower = self.I(lambda: closes.rolling(self.number).min().shift())

    def next(self) -> None:
        """Act on a bar that is complete."""
        close = self.data.Close[-1]
        if not self.position and close > self.upper[-1]:
            self.buy()
        elif self.position and close < self.lower[-1]:
            self.position.close()


def main(symbol: str, path: Path) -> None:
    """Read, choose a number on one half, judge it on the other, plot."""
    bars = bars_of(symbol)
    middle = len(bars) // 2
    known, unseen = bars.iloc[:middle], bars.iloc[middle:]
    results = {number: tested(known, number)["Return [%]"] for number in NUMBERS}
    best = max(results, key=results.get)
    judged = tested(unseen, best)
    buy_and_hold = (unseen["Close"].iloc[-1] / unseen["Close"].iloc[0] - 1) * 100
    print(f"{symbol}: {len(bars)} bars of 13 sessions, {bars.index[0]:%Y-%m-%d} to {bars.index[-1]:%Y-%m-%d}")
    print(f"chosen on the first half: {best} bars ({results[best]:+.0f} %)")
    print(
        f"on the second half: {judged['Return [%]']:+.0f} % in {judged['# Trades']} trades "
        f"({per_year(judged['_equity_curve']['Equity']):+.1f} % a year), "
        f"largest fall {judged['Max. Drawdown [%]']:.0f} %; held throughout: {buy_and_hold:+.0f} %"
    )
    plot(symbol, unseen, judged["_equity_curve"]["Equity"], path)
    print(f"the plot is in {path}")


def bars_of(symbol: str) -> pd.DataFrame:
    """Return the complete bars of 13 sessions as backtesting.py wants them, by their last session."""
    table = condvest.bars(symbol, interval=INTERVAL, adjust="total", source="published")
    columns = {"open": "Open", "high": "High", "low": "Low", "close": "Close", "volume": "Volume"}
    frame = table.select(["last_session", *columns]).to_pandas(date_as_object=False)
    return frame.rename(columns=columns).set_index("last_session")


def per_year(equity: pd.Series) -> float:
    """Return the mean return of a year in percent, of which there are 252 / 13 bars of 13 sessions.

    backtesting.py takes each bar for a day, so what it calls ``(Ann.)`` is that of 252 bars.
    """
    years = (len(equity) - 1) * INTERVAL / SESSIONS_A_YEAR
    return ((equity.iloc[-1] / equity.iloc[0]) ** (1 / years) - 1) * 100


def tested(bars: pd.DataFrame, number: int) -> pd.Series:
    """Return what the strategy made of the bars with a number."""
    backtest = Backtest(bars, Breakout, cash=1_000_000, commission=COMMISSION, finalize_trades=True)
    return backtest.run(number=number)


def plot(symbol: str, bars: pd.DataFrame, equity: pd.Series, path: Path) -> None:
    """Draw the strategy beside holding the stock, both beginning at 1."""
    mpl.rcParams["svg.hashsalt"] = "condvest"  # the same picture is the same file
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    axes.plot(bars.index, bars["Close"] / bars["Close"].iloc[0], label=f"{symbol} held", linewidth=1)
    axes.plot(equity.index, equity / equity.iloc[0], label="breakout of 13-session bars", linewidth=1)
    axes.set(yscale="log", ylabel="growth of 1", title=f"{symbol}, the half that was not used to choose")
    axes.legend(loc="upper left", frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    main(given.get(1, "AAPL"), Path(given.get(2, "breakout.svg")))
