"""Alert rules over the session under way: evaluated in each tick's own transaction.

Nothing is kept in memory that a rule's firing depends on: what a rule was seen to be is in ``alert_states``,
written in the transaction of the tick whose rows it is of, and when it last fired is in ``alert_events``. So
a collector that is killed and started again goes on where the last committed tick ended, and a tick that is
done twice fires once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.stores.daily.live import read_live
from condvest.batch_layer.database.stores.identity.symbols import latest_carriers
from condvest.batch_layer.database.stores.loading.loads import last_load
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.instruments.labels import of_label
from condvest.batch_layer.shared.models.live import LiveBars
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.speed_layer.core.alerts.firing import Firing, Moment, fire, may_fire, occurrence_of
from condvest.speed_layer.core.alerts.references import References
from condvest.speed_layer.core.alerts.rules import Needs, Rule, Seen, needs_of
from condvest.speed_layer.core.phases import SECOND
from condvest.speed_layer.stores.events import Event, last_firings, lock_events, write_events
from condvest.speed_layer.stores.rules import active_rules, read_states, write_states

Read = Callable[[Connection, Sessions, tuple[int, int], Needs, tuple[str, ...] | None], References]
"""Reads what rules need: in a transaction, by the calendar, of the sessions from the first to the last, of
some symbols or of all. It is handed in, for this layer knows nothing of how bars are answered."""


@dataclass(eq=False)
class Alerting:
    """Evaluates the rules at each tick.

    Attributes:
        sessions: the calendar, which reaches beyond today.
        read: reads what rules need.
    """

    sessions: Sessions
    read: Read
    _references: References | None = None
    _of: tuple[object, ...] = ()
    _watched: dict[int, Int32s] = field(default_factory=dict)

    def tick(self, connection: Connection, ordinal: int) -> list[int]:
        """Evaluate the rules on the live rows of a session, store what fires, and return the events' ids.

        Args:
            connection: in the transaction that stored the rows.
            ordinal: the session.

        Raises:
            RuleError: a stored rule does not parse.
            DatabaseError, DatabaseUnavailable: the events cannot be stored.
        """
        rules = [rule for rule in active_rules(connection) if rule.mode == "provisional"]
        if not rules:
            return []
        references = self._present(connection, ordinal, rules)
        live = read_live(connection)
        live = references.counting(live.take(live.ordinal == ordinal))
        if not len(live):
            return []
        market = references.market(ordinal, live.instrument_id, live.daily())
        before = read_states(connection)
        firings, after = fire(rules, market, self._watched, before)
        write_states(connection, ordinal, _changed(before, after))
        if not firings:
            return []
        lock_events(connection)
        return write_events(
            connection,
            [
                _event(firing, moment, references.symbols)
                for firing, moment in _that_may(connection, firings, live, ordinal)
            ],
        )

    def _present(self, connection: Connection, ordinal: int, rules: Sequence[Rule]) -> References:
        """Return what the rules read; what was read before if neither they nor the loads have changed."""
        key = (ordinal, last_load(connection), tuple(rules))
        if self._references is None or key != self._of:
            self._references = self.read(
                connection, self.sessions, (ordinal, ordinal), needs_of(list(rules)), None
            )
            self._watched = watched_by(connection, rules)
            self._of = key
        return self._references


def watched_by(connection: Connection, rules: Sequence[Rule]) -> dict[int, Int32s]:
    """Return, by rule, the instruments of its symbols, ascending; rules that watch all are left out.

    A symbol stands for who carries it now, or carried it last, a label (``X#12``) for its instrument.
    """
    named = [rule for rule in rules if rule.symbols is not None]
    carriers = latest_carriers(
        connection, sorted({symbol for rule in named for symbol in rule.symbols or ()})
    )
    watched: dict[int, Int32s] = {}
    for rule in named:
        ids = [carriers.get(symbol, _labelled(symbol)) for symbol in rule.symbols or ()]
        watched[rule.rule_id] = np.unique(np.array([each for each in ids if each is not None], np.int32))
    return watched


def _labelled(symbol: str) -> int | None:
    label = of_label(symbol)
    return label[1] if label else None


def _changed(before: Mapping[int, Seen], after: Mapping[int, Seen]) -> dict[int, Seen]:
    """Return what has to be written of what rules were seen to be."""
    return {
        rule_id: seen
        for rule_id, seen in after.items()
        if rule_id not in before
        or before[rule_id].window != seen.window
        or before[rule_id].packed() != seen.packed()
    }


def _that_may(
    connection: Connection, firings: Sequence[Firing], live: LiveBars, ordinal: int
) -> Iterator[tuple[Firing, Moment]]:
    """Yield the firings that their rules' cooldown and frequency allow, with when they are."""
    last = last_firings(connection, [(firing.rule.rule_id, firing.instrument_id) for firing in firings])
    for firing in firings:
        now = Moment(firing.window, ordinal, int(live.data_through[firing.row]))
        if may_fire(firing.rule, last.get((firing.rule.rule_id, firing.instrument_id)), now):
            yield firing, now


def _event(firing: Firing, moment: Moment, symbols: Mapping[int, str]) -> Event:
    return Event(
        rule_id=firing.rule.rule_id,
        instrument_id=firing.instrument_id,
        symbol=symbols[firing.instrument_id],
        bar_window=firing.window,
        occurrence=occurrence_of(firing.rule, moment),
        ordinal=moment.ordinal,
        state="fired",
        margin=firing.margin,
        bar_values=firing.values,
        repaint=firing.rule.repaint,
        data_through=dt.datetime.fromtimestamp(moment.at / SECOND, dt.UTC).isoformat(),
    )
