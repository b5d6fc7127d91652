"""Massive as it lies: each lie is told of one symbol for some nights, and was told by the real one.

Its actions stand under the names of today throughout (polygon-io/issues#253). Prices are asked for as traded,
so no answer can hold prices of a basis that comes late: what Yahoo tells so, Massive does not.

============  ==============================================================================================
hidden        a split or dividend, listed before, is not listed for a while (polygon-io/issues#111)
moved         it is listed a session late (polygon-io/issues#19)
phantom       a dividend that was never paid is listed (polygon-io/issues#224)
foreign       a dividend stands there in Canadian dollars, too (polygon-io/issues#162)
double        the newest session has a row of the symbol twice, first with values that are not final
unreadable    the row of the symbol in the newest session holds text in the place of its close
============  ==============================================================================================
"""

import datetime as dt
import json
from dataclasses import dataclass, replace

from tests.support.emulators.massive.server import MassiveEmulator
from tests.support.emulators.synthetic import truth
from tests.support.emulators.synthetic.sessions import new_york_date

ACTION_LIES = ("hidden", "moved")
DIVIDEND_LIES = (*ACTION_LIES, "phantom", "foreign")
SESSION_LIES = ("double", "unreadable")
_DATE = {"splits": "execution_date", "dividends": "ex_dividend_date"}


@dataclass(frozen=True)
class Lie:
    """A lie, told from one date in New York to another (exclusive).

    Attributes:
        kind: one of the table above.
        since, until: when it is told.
        what: ``splits`` or ``dividends``; "" of a lie about the newest session.
        identity: the id of the action that it is about.
        date: the wrong ex-date.
        symbol: of a lie about the newest session.
    """

    kind: str
    since: dt.date
    until: dt.date
    what: str = ""
    identity: str = ""
    date: dt.date | None = None
    symbol: str = ""


class LyingMassive(MassiveEmulator):
    """Massive with lies."""

    def __init__(self, market, *, lies=(), **settings):
        super().__init__(market, **settings)
        self.lies = tuple(lies)
        self.told_so_far = set()

    def lies_now(self):
        """Return the lies of today."""
        today = new_york_date(self.now())
        return [lie for lie in self.lies if lie.since <= today < lie.until]

    def _actions(self, what):
        records = [self._under_todays_name(action, what) for action in super()._actions(what)]
        for lie in self.lies_now():
            if lie.what == what:
                records = [said for action in records for said in self._said(action, lie)]
        return records

    def _said(self, record, lie):
        """Return what is said in the place of an action."""
        if record["id"] != lie.identity:
            return [record]
        self.told_so_far.add(lie)
        wrong = record | {_DATE[lie.what]: str(lie.date)}
        return {
            "hidden": [],
            "moved": [wrong],
            "phantom": [record, wrong | {"id": "phantom", "cash_amount": 0.77}],
            "foreign": [record, record | {"id": "foreign", "currency": "CAD", "cash_amount": 9.9}],
        }[lie.kind]

    def _under_todays_name(self, record, what):
        """Return an action under the name that its instrument has today, or had last."""
        whose = {
            (action["symbol"], action["ex_date"]): action["instrument"]
            for action in getattr(truth, what)(self.market, self.now())
        }
        instrument = whose[record["ticker"], record[_DATE[what]]]
        today = new_york_date(self.now())
        names = [
            name
            for name, first, _ in self.market.universe.spans(instrument)
            if self.market.date(max(first, 0)) <= today
        ]
        return record | {"ticker": names[-1]}

    def _grouped(self, text, query, fault):
        reply = super()._grouped(text, query, fault)
        lies = [lie for lie in self.lies_now() if lie.kind in SESSION_LIES and str(lie.since) == text]
        if reply.status != 200 or not lies:
            return reply
        body = json.loads(reply.body)
        rows = body.get("results", [])
        for lie in lies:
            for row in [row for row in rows if row["T"] == lie.symbol]:
                self.told_so_far.add(lie)
                if lie.kind == "double":
                    rows.insert(0, row | {"c": row["l"], "v": row["v"] // 2})
                else:
                    row["c"] = "n/a"
        body["queryCount"] = body["resultsCount"] = len(rows)
        return replace(reply, body=json.dumps(body).encode())
