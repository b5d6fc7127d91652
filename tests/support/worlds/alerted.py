"""A small market with alert rules, collected by a script; see `live_script`."""

from dataclasses import replace

from condvest.live.references import read_references
from condvest.speed_layer.core.alerts.rules import Rule
from condvest.speed_layer.services.alerts.verdicts import Verdicts
from condvest.speed_layer.stores.rules import Webhook, add_rule
from tests.support.worlds.live_script import END, SESSION, Script

QUIET = {"open": 10, "high": 11, "low": 9, "close": 10, "volume": 100, "vwap": 10, "trades": 3}
"""A session on which nothing happens."""


def day(high=11.0, low=9.0, close=10.0, volume=100):
    """Return a snapshot's bar of a day that opened at 10."""
    return {"o": 10.0, "h": high, "l": low, "c": close, "v": volume, "vw": 10.0}


def collect(workspace, steps, session=SESSION, after=None):
    """Collect snapshots into a workspace; ``after`` is told of each one's time."""
    script = Script([*steps, END], session=session, after=after)
    job = script.job(workspace, workspace.settings.home / "live")
    return replace(job, rules=read_references).run(once=len(steps) == 1)


class Alerted:
    """A `World` whose provider is Massive: quiet sessions of A and B up to the one before SESSION."""

    def __init__(self, world, sessions_before=60):
        self.world = world
        self.ordinal = world.sessions.ordinal(SESSION)
        first = self.ordinal - sessions_before
        self.official(first, self.ordinal - 1)

    def official(self, first, last, **of_last):
        """Load whole sessions; ``of_last`` are, by symbol, what differs in the last one."""
        rows = [
            {"symbol": symbol, "session": self.world.date(at), **QUIET}
            | (of_last.get(symbol, {}) if at == last else {})
            for at in range(first, last + 1)
            for symbol in ("A", "B")
        ]
        self.world.bars(rows, provider="massive", whole=(first, last), name=f"{first}-{last}.csv")
        self.world.resample()

    def rule(self, text, name="rule", webhooks=(), **how):
        with self.world.workspace.database.transaction() as connection:
            return add_rule(
                connection, Rule(0, name, text, **how), [Webhook(*webhook) for webhook in webhooks]
            )

    def collect(self, *steps, session=SESSION, after=None):
        """Collect snapshots (time, bars by symbol); the run ends after the last one."""
        return collect(self.world.workspace, steps, session, after)

    def verdicts(self):
        workspace = self.world.workspace
        return Verdicts(workspace.database, workspace.sessions_ahead, read_references).run()

    def events(self, columns="state, symbol, margin"):
        return self.world.ask(f"SELECT {columns} FROM alert_events ORDER BY event_id")
