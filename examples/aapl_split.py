"""AAPL's 2-for-1 split of 2005-02-28, before and after it is learned.

The sample's prices are loaded without their splits, then the splits. What is stored changes in one window
an interval for each split, the one that the ex-date falls into; all the rest is a matter of reading. The
plot is written to the file named on the command line (aapl_split.svg).

    python examples/aapl_split.py [FILE]
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pyarrow as pa
import pyarrow.compute as pc

from condvest.batch_layer.database.embedded.server import EmbeddedServer
from condvest.batch_layer.database.migrate import migrate
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.processing.resample import ResampleSummary, resample
from condvest.batch_layer.shared.clients.sample import FIRST_SESSION, LAST_SESSION, SampleProvider
from condvest.batch_layer.shared.settings import Settings
from condvest.serving_layer.queries.bars.bars_table import read_bars
from condvest.serving_layer.queries.bars.question import Question

EX_DATE = dt.date(2005, 2, 28)


def main(path: Path) -> None:
    """Load, learn, compare, plot."""
    with (
        tempfile.TemporaryDirectory() as home,
        EmbeddedServer(Path(home)).lease() as url,
        Database(url) as database,
    ):
        migrate(database)
        workspace = Workspace(Settings(home=Path(home)), database, dt.datetime.now(dt.UTC))
        loader, sample = workspace.loader(workspace.sessions), SampleProvider()
        for answer in sample.fetch([FIRST_SESSION, LAST_SESSION]):
            loader.load(answer.payload)
        resample(database, workspace.sessions)
        before = stored(workspace)
        splits, _ = sample.corporate_actions()
        loader.load(splits.payload)
        report(resample(database, workspace.sessions))
        after = stored(workspace)
        show(changed(before, after))
        adjusted = read_bars(database, workspace.sessions, Question(["AAPL"], 13, adjust="splits"))
    plot(before, adjusted, path)
    print(f"the plot is in {path}")


def stored(workspace: Workspace) -> pa.Table:
    """Return AAPL's bars of 13 sessions as they are stored: each on the basis of its own window's end."""
    return read_bars(workspace.database, workspace.sessions, Question(["AAPL"], 13, adjust="none"))


def report(summary: ResampleSummary) -> None:
    """Say what learning the splits changed."""
    print(
        f"three splits learned: {summary.changed} of {sum(summary.windows.values())} bars looked at changed"
    )


def changed(before: pa.Table, after: pa.Table) -> pa.Table:
    """Return the bars of 13 sessions that differ, as they are now."""
    return after.filter(pc.not_equal(before["open"], after["open"]))


def show(bars: pa.Table) -> None:
    """Print the bars that changed."""
    for bar in bars.to_pylist():
        print(
            f"{bar['first_session']} to {bar['last_session']}: "
            f"open {bar['open']:.3f}, high {bar['high']:.3f}, low {bar['low']:.3f}, close {bar['close']:.3f}"
        )


def plot(before: pa.Table, adjusted: pa.Table, path: Path) -> None:
    """Draw closes as stored before the split was known, and adjusted after."""
    mpl.rcParams["svg.hashsalt"] = "condvest"  # the same picture is the same file
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    for table, label in (
        (before, "splits not known: the price falls by half at each"),
        (adjusted, "splits known, adjusted on read"),
    ):
        axes.plot(table["last_session"].to_pylist(), table["close"].to_pylist(), label=label, linewidth=1)
    axes.axvline(EX_DATE, color="grey", linewidth=0.5, linestyle="--")
    axes.annotate("2-for-1, 2005-02-28", (EX_DATE, 7), rotation=90, ha="right", va="bottom", fontsize=8)
    axes.set(yscale="log", ylabel="close, USD", title="AAPL in bars of 13 sessions")
    axes.legend(loc="upper left", frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "aapl_split.svg"))
