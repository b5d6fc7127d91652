"""backtesting.py: a frame as it is. What it says of all is right; of a year, it counts each bar as a day."""

from backtesting import Backtest, Strategy

import condvest

frame = condvest.frame("IBM", interval=13, adjust="total")


class Hold(Strategy):
    """Buys once."""

    def init(self) -> None:
        """Need nothing."""

    def next(self) -> None:
        """Buy, if nothing is held."""
        if not self.position:
            self.buy()


stats = Backtest(frame, Hold, cash=1_000_000, finalize_trades=True).run()
print(f"{stats['Return [%]']:.1f} % from {stats['_trades']['EntryPrice'].iloc[0]:.2f}")
