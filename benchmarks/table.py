"""The table of docs/performance.md, written whole by one run: no figure in it outlives its run."""

import datetime as dt
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- table: begin; written by make bench -->", "<!-- table: end -->"

SIZE = 1_000_000
"""Most goals are those of a market of millions of rows."""

HEADER = (
    "| suite | contender | rows | seconds | times Condvest's | peak MiB | bytes a row | target | reached |",
    "|---|---|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True)
class Goal:
    """What a figure has to reach.

    Attributes:
        figure: an attribute of Figure.
        least: whether it must be at least so much, not at most.
        value: how much.
        is_of_any_size: whether a run of fewer than a million rows says anything about it.
    """

    figure: str
    least: bool
    value: float
    is_of_any_size: bool = False

    def text(self):
        """Return it as the table has it."""
        name = {"ratio": "", "peak_mib": " MiB", "bytes_a_row": " bytes"}[self.figure]
        return f"{'≥' if self.least else '≤'} {self.value:g}{name}"

    def is_reached(self, figure):
        """Return whether a figure reaches it; None where it was not measured."""
        measured = getattr(figure, self.figure)
        if measured is None:
            return None
        return measured >= self.value if self.least else measured <= self.value


def _times(value):
    """A contender takes at least so many times as long as Condvest."""
    return Goal("ratio", least=True, value=value)


GOALS = {
    ("core", "polars"): _times(6),
    ("core", "duckdb"): _times(6),
    ("load", "bare COPY"): _times(0.85),
    ("night", "earlier"): _times(1.54),  # 0.65 of its time
    ("rebuild", "earlier"): _times(1.82),  # 0.55
    ("imports", "condvest csv.gz"): Goal("peak_mib", least=False, value=500, is_of_any_size=True),
    ("imports", "condvest parquet"): Goal("peak_mib", least=False, value=500, is_of_any_size=True),
    ("archive", "condvest, zstd"): Goal("bytes_a_row", least=False, value=28, is_of_any_size=True),
    ("publish", "nothing new, checked"): _times(16.7),  # 0.06
    ("publish", "a session more, checked"): _times(8.3),  # 0.12
    ("peers.reads", "symbol: ArcticDB"): _times(1.67),  # 0.6
    ("peers.reads", "session: plain SQL"): _times(0.83),  # 1.2
    ("serving_load", "the same: roapi"): _times(2),
    ("serving_load", "the same: pandas"): _times(5),
    ("serving_load", "the same: datasette"): _times(10),
    ("serving_load", "the same: starlette"): _times(0.6),
    ("serving_load", "not modified: starlette"): _times(0.7),
    ("serving_load", "another: pandas"): _times(4),
    ("serving_load", "range: nginx"): _times(0.7),
    ("serving_load", "market: flight"): _times(0.8),
    ("serving_load", "market first: in process"): _times(0.87),  # 1.15
    ("serving_load", "half load: p99: condvest"): Goal("ratio", least=False, value=5),
}
"""By suite and contender. ``earlier`` is Condvest at the commit that --earlier names."""


def write(machine, figures, command, rows, page=PAGE):
    """Put the table of a run into the page, in the place of the one before.

    Args:
        machine: what `machine.describe` returned.
        figures: pairs of a suite and a Figure, in their order.
        command: what was run.
        rows: daily bars of the market that was measured.
        page: the path of the page.

    Raises:
        ValueError: the page does not have both marks.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for the table: expected {BEGIN} and then {END}")
    lines = [BEGIN, *_heading(machine, command), "", *HEADER, *(_row(*pair, rows) for pair in figures), END]
    page.write_text(before + "\n".join(lines) + after, encoding="utf-8")


def _heading(machine, command):
    described = ", ".join(f"{name} {value}" for name, value in machine.items())
    return [
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC, commit {_commit()}, `{command}`.",
        f"Machine: {described}.",
    ]


def _row(suite, figure, rows):
    goal = GOALS.get((suite, figure.name))
    is_measured = goal is not None and (rows >= SIZE or goal.is_of_any_size)
    reached = goal.is_reached(figure) if is_measured else None
    cells = (
        suite,
        figure.name,
        f"{figure.rows:,}",
        f"{figure.seconds:.4g}",
        f"{figure.ratio:.2f}",
        "" if figure.peak_mib is None else f"{figure.peak_mib:,}",
        "" if figure.bytes_a_row is None else f"{figure.bytes_a_row:g}",
        goal.text() if goal else "",
        "" if reached is None else ("yes" if reached else "no"),
    )
    return f"| {' | '.join(cells)} |".replace("  ", " ")


def _commit():
    """Return the commit that was measured, and whether the tree had changes."""
    said = [
        subprocess.run(["git", *what], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
        for what in (
            ("rev-parse", "--short", "HEAD"),
            ("status", "--porcelain", "--", ":!docs/performance.md"),
        )
    ]
    return said[0] + (" and changes" if said[1] else "")
