"""A session of the sample as if it were under way: 2005-02-28, on which AAPL split 2 for 1.

Real bars up to the session before, snapshots that lead to the session's real bar by way of its real extremes,
and at last the official bars, against which the running ones are held.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from condvest.batch_layer.operations.workspace import Workspace, open_workspace
from condvest.batch_layer.processing.resample import resample
from condvest.batch_layer.shared.clients.sample.client import SampleProvider
from condvest.batch_layer.shared.models.given.payloads import Payload
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE
from condvest.batch_layer.shared.settings import Settings
from condvest.live.collecting import journals_of
from condvest.live.judging import judge
from condvest.serving_layer.queries.bars.bars_table import read_bars
from condvest.serving_layer.queries.bars.question import Question
from condvest.speed_layer.feeds.massive.massive_snapshot import read_snapshot
from condvest.speed_layer.feeds.polling import Answered
from condvest.speed_layer.services.run import Job
from condvest.speed_layer.services.settle import settle_all

SESSION = dt.date(2005, 2, 28)
FIRST = dt.date(2004, 1, 2)
"""The history begins here, so that it is loaded at once."""

DELAY = dt.timedelta(minutes=15)

SCRIPT = ((9, 0), (10, 0), (11, 30), (13, 0), (15, 0), (16, 10), (16, 25), (16, 35), (20, 30))
"""When snapshots come, by the clock of New York; their data are DELAY older. The last is after the end."""

_BEFORE_OPEN = 0.04
"""The share of a session's volume that is traded before the open."""

Say = Callable[[str], None]


def demonstrate(say: Say, show: Say) -> None:
    """Play the session in a database of its own, which is removed at the end."""
    say("making a database of its own, which is removed at the end")
    with tempfile.TemporaryDirectory(prefix="condvest-live-") as folder:
        settings = Settings(home=Path(folder))
        with open_workspace(settings) as workspace:
            play(workspace, show)


def play(workspace: Workspace, show: Say) -> None:
    """Play the session in a workspace without data of the sample."""
    official = load_history(workspace)
    script = Script(official)
    show(f"{SESSION}, AAPL in bars of 13 sessions; it splits 2 for 1 today\n{_HEAD}")
    job = Job(
        database=workspace.database,
        sessions=workspace.sessions,
        feed=script,
        judge=judge,
        journals=journals_of(workspace.settings),
        now=lambda: script.now,
        sleep=lambda _: show(_running(script.advanced(), workspace)),
        say=show,
    )
    ending = job.run()
    show(f"{ending.reason}; {ending.taken} snapshots taken, {ending.refused} refused")
    load(workspace, [row for row in official if row["date"] == SESSION])
    resample(workspace.database, workspace.sessions)
    show(f"the official bars are loaded\n{_running('official', workspace)}")
    for settled in settle_all(workspace.database).values():
        show(f"{settled.compared} instruments compared, {settled.differing} differ")
        for figure in settled.figures:
            show(
                f"  {figure.field:6} {figure.phase}: {figure.equal} of {figure.compared} equal, "
                f"largest {figure.largest:.2%}"
            )


@dataclass
class Script:
    """A `Feed` of snapshots that lead to the official bars, and the clock that goes with it."""

    official: Sequence[dict[str, Any]]
    at: int = 0
    provider: str = "sample"
    name: str = "replay"

    @property
    def now(self) -> dt.datetime:
        """The instant of the script."""
        hour, minute = SCRIPT[self.at]
        return dt.datetime.combine(SESSION, dt.time(hour, minute), EXCHANGE_ZONE)

    def advanced(self) -> str:
        """Move on to the next instant; return the one before."""
        before = f"{self.now:%H:%M}"
        self.at = min(self.at + 1, len(SCRIPT) - 1)
        return before

    def ask(self, session: dt.date) -> Answered:
        """Return the snapshot of this moment; see `Feed`."""
        through = self.now - DELAY
        rows = [_ticker(row, through) for row in self.official if row["date"] == session]
        content = json.dumps({"status": "DELAYED", "count": len(rows), "tickers": rows}).encode()
        return Answered(content, read_snapshot(content, session))


def _ticker(row: dict[str, Any], through: dt.datetime) -> dict[str, Any]:
    """Return a ticker of a snapshot: the low comes at once, the high in the second third of the session."""
    opens = dt.datetime.combine(SESSION, dt.time(9, 30), EXCHANGE_ZONE)
    share = (through - opens) / dt.timedelta(hours=6.5)
    day: dict[str, float] = dict.fromkeys(("o", "h", "l", "c", "v", "vw"), 0)
    if share >= 0:
        path = [row["open"], row["low"], row["high"], row["close"]]
        reached = path[: 2 + min(int(share * 3), 2)] if share < 1 else path
        traded = row["volume"] * min(_BEFORE_OPEN + share * (1 - _BEFORE_OPEN), 1.0)
        last = reached[-1]
        day = {"o": path[0], "h": max(reached), "l": min(reached), "c": last, "v": round(traded), "vw": last}
    updated = int(through.timestamp()) * 1_000_000_000
    return {"ticker": row["symbol"], "day": day, "updated": updated}


def load_history(workspace: Workspace) -> list[dict[str, Any]]:
    """Load the sample up to the session before SESSION; return its rows, those of SESSION too."""
    rows = list(_sample_rows())
    load(workspace, [row for row in rows if row["date"] < SESSION])
    loader = workspace.loader(workspace.sessions)
    actions = SampleProvider().corporate_actions()
    splits = [fetched.payload for fetched in actions if fetched.payload.dataset == "splits"]
    loader.load_all([loader.read(payload) for payload in splits])
    resample(workspace.database, workspace.sessions)
    return rows


def load(workspace: Workspace, rows: Sequence[dict[str, Any]]) -> None:
    """Load rows of the sample as the provider's whole answer for their sessions."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("Ticker", "Date", "Open", "High", "Low", "Close", "Volume"))
    writer.writerows([row[name] for name in ("symbol", "date", *_PRICES)] for row in rows)
    (fetched,) = SampleProvider().fetch([SESSION])
    payload: Payload = replace(
        fetched.payload,
        content=text.getvalue().encode(),
        media="csv",
        first_session=min(row["date"] for row in rows),
        last_session=max(row["date"] for row in rows),
    )
    loader = workspace.loader(workspace.sessions)
    loader.load_all([loader.read(payload)])


_PRICES = ("open", "high", "low", "close", "volume")
_HEAD = f"{'clock':9} {'open':>8} {'high':>8} {'low':>8} {'close':>8} {'sessions':>8}  state"


def _sample_rows() -> Iterator[dict[str, Any]]:
    (fetched,) = SampleProvider().fetch([SESSION])
    for row in csv.DictReader(io.StringIO(gzip.decompress(fetched.payload.content[:]).decode())):
        date = dt.date.fromisoformat(row["Date"])
        if FIRST <= date <= SESSION:
            prices = {name: float(row[name.title()]) for name in _PRICES}
            yield {"symbol": row["Ticker"], "date": date, **prices}


def _running(clock: str, workspace: Workspace) -> str:
    """Return AAPL's newest bar of 13 sessions as a line."""
    question = Question(["AAPL"], 13, include_open=True, include_live=True)
    (bar,) = read_bars(workspace.database, workspace.sessions, question).to_pylist()[-1:]
    prices = " ".join(f"{bar[name]:8.2f}" for name in ("open", "high", "low", "close"))
    through = bar["data_through"]
    state = f"live, data of {through.astimezone(EXCHANGE_ZONE):%H:%M}" if bar["is_live"] else "not live"
    return f"{clock:9} {prices} {bar['sessions']:8}  {state}"
