"""Options in, figures out."""

import gc
import statistics
import time
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Options:
    """How much to measure.

    Attributes:
        rows: daily bars.
        repeats: how often each contender is measured.
        seed: of the synthetic market.
    """

    rows: int
    repeats: int
    seed: int = 20_240_102


@dataclass(frozen=True)
class Figure:
    """What was measured of one contender.

    Attributes:
        name: the contender.
        rows: rows of input.
        seconds: median.
        fastest, slowest: seconds.
        ratio: its seconds over Condvest's of the same round, the median of the rounds.
        peak_mib: by how much memory grew at most, None where unknown.
        bytes_a_row: what a row takes where it is kept, None where that is not measured.
    """

    name: str
    rows: int
    seconds: float
    fastest: float
    slowest: float
    ratio: float
    peak_mib: int | None
    bytes_a_row: float | None = None


def in_turns(contenders, repeats, prepare=None, clock=time.perf_counter):
    """Measure each contender once a round, so that a slow minute of the machine hits all of them.

    ``contenders`` maps names to functions without arguments; ``prepare`` is called before each, and
    its time is not counted. ``clock`` tells seconds. Returns names to lists of seconds.
    """
    seconds = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, work in contenders.items():
            if prepare is not None:
                prepare()
            gc.collect()
            start = clock()
            result = work()
            seconds[name].append(clock() - start)
            del result
    return seconds


def figures(seconds, peaks, rows, ours):
    """Yield the figures of all contenders; ``ours`` is the name that ratios refer to.

    A slow minute of the machine hits all of one round, so that rounds are compared, not the medians.
    """
    for name, measured in seconds.items():
        ratio = statistics.median(rival / own for rival, own in zip(measured, seconds[ours], strict=True))
        yield Figure(
            name=name,
            rows=rows,
            seconds=round(statistics.median(measured), 6),
            fastest=round(min(measured), 6),
            slowest=round(max(measured), 6),
            ratio=round(ratio, 3),
            peak_mib=peaks.get(name),
        )


def show(machine, measured):
    """Print the machine and a table of pairs (suite, figure) to stderr."""
    console = Console(stderr=True)
    if not console.is_terminal:
        console.width = 120
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()))
    table = Table("suite", "contender")
    for column in ("rows", "median s", "fastest", "slowest", "times Condvest's", "peak MiB"):
        table.add_column(column, justify="right")
    for suite, figure in measured:
        table.add_row(
            suite,
            figure.name,
            f"{figure.rows:,}",
            f"{figure.seconds:.4f}",
            f"{figure.fastest:.4f}",
            f"{figure.slowest:.4f}",
            f"{figure.ratio:.2f}",
            "-" if figure.peak_mib is None else f"{figure.peak_mib:,}",
        )
    console.print(table)
