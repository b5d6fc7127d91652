"""A collector whose clock and vendor follow a script."""

import datetime as dt
import json
from dataclasses import dataclass, field

from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE
from condvest.live.judging import judge
from condvest.speed_layer.feeds.massive.massive_snapshot import read_snapshot
from condvest.speed_layer.feeds.polling import Answered
from condvest.speed_layer.services.run import Job
from tests.support.payloads import json_payload
from tests.support.worlds.playing import rename_payload

SESSION = dt.date(2024, 3, 5)
DAY = {"o": 10.0, "h": 12.0, "l": 9.0, "c": 11.0, "v": 500, "vw": 10.5}
ZEROS = dict.fromkeys(DAY, 0)


def at(clock, session=SESSION):
    """Return the instant of a time of New York, "10:00"."""
    return dt.datetime.combine(session, dt.time.fromisoformat(clock), EXCHANGE_ZONE)


def tickers(days, updated):
    """Return tickers of a snapshot, each changed last at the instant; ``days`` are dictionaries by symbol."""
    return [
        {"ticker": symbol, "day": day, "updated": int(updated.timestamp()) * 10**9}
        for symbol, day in days.items()
    ]


def take_over(world, ordinal):
    """Let a vendor say that B's company, which it knows by its FIGI, is called A from a session on."""
    for symbol in "BA":
        listed = {"ticker": symbol, "active": True, "composite_figi": "F2"}
        world.load(json_payload("instruments", [listed], whole=True))
    world.load(rename_payload(world, "F2", [(0, "B"), (ordinal, "A")]))


@dataclass
class Script:
    """A feed and a clock: a list of (time of New York, what comes then).

    What comes is an error, which is raised; or days by symbol, whose data are as old as ``delay``; or a pair
    of days and the time of their data.
    """

    steps: list
    session: dt.date = SESSION
    delay: dt.timedelta = dt.timedelta(0)
    provider: str = "massive"
    name: str = "poll"
    step: int = 0
    said: list = field(default_factory=list)
    after: object = None

    def now(self):
        return at(self.steps[min(self.step, len(self.steps) - 1)][0], self.session)

    def sleep(self, _):
        if self.after:
            self.after(self.steps[self.step][0])
        self.step += 1

    def ask(self, session):
        what = self.steps[self.step][1]
        if isinstance(what, Exception):
            raise what
        days, data = what if isinstance(what, tuple) else (what, None)
        updated = at(data, self.session) if data else self.now() - self.delay
        rows = tickers(days, updated)
        content = json.dumps({"status": "OK", "count": len(rows), "tickers": rows}).encode()
        return Answered(content, read_snapshot(content, session))

    def job(self, workspace, journals):
        return Job(
            workspace.database,
            workspace.sessions,
            self,
            judge,
            journals,
            self.now,
            self.sleep,
            self.said.append,
        )


END = ("20:30", {})
"""After the end of a session whose data are not delayed; nothing is asked for then."""
