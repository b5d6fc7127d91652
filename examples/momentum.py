"""Cross-sectional momentum over a whole market, in Polars, on what `condvest publish` wrote.

The market is the synthetic one of the tests: listings, delistings, splits, dividends, halts. It is loaded,
folded and published into a directory that is removed again. Each bar of 21 sessions (about a month), every
instrument is ranked by its total return over the twelve bars before the last one; the best tenth is held for
the next bar, and so is the worst. An instrument that is delisted meanwhile leaves at its last price: nobody
is dropped for having failed. Prices in this market follow no rule that could be found, so a difference
between the tenths that lasts would be a fault of the test, not a discovery.

    python examples/momentum.py [FILE] [INSTRUMENTS] [SESSIONS]     (momentum.svg, 1000, 1000)
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import polars as pl

import condvest
from condvest.batch_layer.operations.import_files import import_files
from condvest.batch_layer.operations.publish import publish_all
from condvest.batch_layer.operations.workspace import open_workspace
from tests.support.emulators.synthetic import truth
from tests.support.emulators.synthetic.market import Market
from tests.support.emulators.synthetic.sessions import Schedule

INTERVAL, LOOK_BACK, TENTH = 21, 12, 0.1
FIRST, LAST = dt.date(2016, 1, 4), dt.date(2024, 6, 28)


def main(path: Path, instruments: int, sessions: int) -> None:
    """Make a market, publish it, rank it, plot."""
    with tempfile.TemporaryDirectory() as home:
        settings = condvest.Settings(home=Path(home))
        publish_market(instruments, sessions, settings)
        bars = pl.from_arrow(
            condvest.bars(
                interval=INTERVAL, adjust="total", include_open=True, source="published", settings=settings
            )
        )
    returns = tenths(ranked(bars))
    print(f"{bars['symbol'].n_unique():,} instruments, {len(bars):,} bars of {INTERVAL} sessions")
    for name in ("best", "market", "worst"):
        grown = (1 + returns[name]).product()
        print(f"{name:>7}: {(grown - 1) * 100:+.1f} % in {len(returns)} bars")
    plot(returns, path)
    print(f"the plot is in {path}")


def publish_market(instruments: int, sessions: int, settings: condvest.Settings) -> None:
    """Load a synthetic market as a user would, from files, and publish it."""
    dates = Schedule(FIRST, LAST).dates[:sessions].tolist()
    market = Market(seed=7, instruments=instruments, first_session=dates[0], last_session=dates[-1])
    files = {
        "daily_bars": pl.concat([session_of(market, date) for date in market.sessions()]),
        "splits": events(truth.splits(market), "split_from", "split_to"),
        "dividends": events(truth.dividends(market), "cash_amount"),
    }
    for name, frame in files.items():
        frame.write_parquet(settings.home / f"{name}.parquet")
    with open_workspace(settings) as workspace:
        report = import_files(
            workspace, [(settings.home / f"{name}.parquet", name) for name in files], "synthetic"
        )
        if report.failed:
            raise SystemExit(f"cannot load the market: {report.failed}")
        publish_all(workspace, settings.published)


def session_of(market: Market, date: object) -> pl.DataFrame:
    """Return one session's bars, each instrument under a symbol of its own."""
    rows = market.bars(date)
    names = ("open", "high", "low", "close", "volume")
    return pl.DataFrame(
        {
            "symbol": [symbol_of(instrument) for instrument in rows.instrument.tolist()],
            "session": rows.session,
        }
        | {name: getattr(rows, name) for name in names}
    )


def events(records: list[dict], *values: str) -> pl.DataFrame:
    """Return splits or dividends under the same symbols."""
    return pl.DataFrame(
        {
            "symbol": [symbol_of(record["instrument"]) for record in records],
            "ex_date": [record["ex_date"] for record in records],
            **{name: [record[name] for record in records] for name in values},
        }
    )


def symbol_of(instrument: int) -> str:
    """Return a symbol that no other instrument ever carries."""
    return f"I{instrument:05}"


def ranked(bars: pl.DataFrame) -> pl.DataFrame:
    """Return, a bar that can be bought at, the rank by what is known then, and the return that follows.

    What is known is the return of the bars from LOOK_BACK + 1 before to one before: the last bar is left out,
    as is usual, since short reversals would blur it.
    """
    close = pl.col("close")
    end = pl.col("window").max()
    follows = close.shift(-1).over("symbol")
    return (
        bars.sort("symbol", "window")
        .with_columns(
            past=close.shift(1).over("symbol") / close.shift(LOOK_BACK + 1).over("symbol") - 1,
            # None follows if it was delisted: what was paid last is what one is left with.
            following=follows.fill_null(close) / close - 1,
        )
        .filter(pl.col("past").is_not_null() & (pl.col("window") < end))
        .with_columns(rank=(pl.col("past").rank("ordinal").over("window") - 1) / pl.len().over("window"))
    )


def tenths(ranks: pl.DataFrame) -> pl.DataFrame:
    """Return, by window, the mean return of the best tenth, of the worst, and of all."""
    following, rank = pl.col("following"), pl.col("rank")
    return (
        ranks.group_by("window", "last_session")
        .agg(
            best=following.filter(rank >= 1 - TENTH).mean(),
            worst=following.filter(rank < TENTH).mean(),
            market=following.mean(),
        )
        .sort("window")
    )


def plot(returns: pl.DataFrame, path: Path) -> None:
    """Draw what became of 1 in each."""
    mpl.rcParams["svg.hashsalt"] = "condvest"  # the same picture is the same file
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    for name, label in (("best", "best tenth"), ("market", "all, equally"), ("worst", "worst tenth")):
        axes.plot(returns["last_session"], (1 + returns[name]).cum_prod(), label=label, linewidth=1)
    axes.set(ylabel="growth of 1", title="Momentum in a market of random walks")
    axes.legend(loc="upper left", frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        Path(given[0] if given else "momentum.svg"),
        *(int(given[position]) if len(given) > position else 1000 for position in (1, 2)),
    )
