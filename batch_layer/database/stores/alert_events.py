"""The table ``alert_events``, for readers: what rules said of running bars, and the verdict on each.

The speed layer writes it; the serving layer and the command line read it here. Events are numbered in the
order in which they become visible, for whoever writes one has the lock first: who has read up to an id has
missed none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import column, number, records
from condvest.batch_layer.shared.errors import UnknownName, UnknownSymbol
from condvest.batch_layer.shared.utils.naming import unknown_name

CHANNEL = "condvest_alerts"
"""Notified with the newest id when events are stored."""

_EVENTS: LiteralString = (
    "SELECT event_id, state, rule_id, name AS rule, expression, mode, once, cooldown, rearm, symbol, "
    "instrument_id, bar_window, occurrence, "
    "session, (bar_window + 1) * rules.sessions - 1 - ordinal AS sessions_left, margin, "
    "bar_values AS values, "
    "reason, repaint, fired_id, data_through, events.created_at "
    "FROM (SELECT event_id, state, rule_id, symbol, instrument_id, bar_window, occurrence, ordinal, margin, "
    "bar_values, "
    "reason, repaint, fired_id, data_through, created_at FROM alert_events) AS events "
    "JOIN (SELECT rule_id, name, expression, mode, once, cooldown, rearm, sessions FROM alert_rules) AS "
    "rules USING (rule_id) "
    "LEFT JOIN (SELECT ordinal, session FROM sessions) AS dates USING (ordinal) "
)


def events_after(connection: Connection, event_id: int, most: int) -> list[dict[str, Any]]:
    """Return the events after one, ascending by id, at most ``most``.

    Each has event_id, state (fired, confirmed, withdrawn), rule_id, rule (its name), expression, mode, once
    (bar, session or minute), cooldown and rearm (None for none), symbol, instrument_id, bar_window,
    occurrence (which of the times in the window at which the rule may fire), session (whose data it is of),
    sessions_left (of its bar), margin (by how much the rule is true, as a fraction; None if unknown), values
    (by text of what the rule reads), reason (of a verdict without a bar), repaint, fired_id (the firing that
    a verdict is on), data_through and created_at (aware datetimes).
    """
    return records(connection, _EVENTS + "WHERE event_id > %s ORDER BY event_id LIMIT %s", (event_id, most))


def events_of(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return events as `events_after` does, by id."""
    given = records(connection, _EVENTS + "WHERE event_id = ANY(%s::int8[])", (list(ids),)) if ids else []
    return {event["event_id"]: event for event in given}


def newest_events(
    connection: Connection, most: int, rule: str | None = None, symbols: list[str] | None = None
) -> list[dict[str, Any]]:
    """Return the newest events as `events_after` does, but descending by id; of one rule, of some symbols."""
    return records(
        connection,
        _EVENTS + "WHERE (%(rule)s::text IS NULL OR name = %(rule)s) "
        "AND (%(symbols)s::text[] IS NULL OR symbol = ANY(%(symbols)s)) "
        "ORDER BY event_id DESC LIMIT %(most)s",
        {"rule": rule, "symbols": symbols, "most": most},
    )


def check_names(connection: Connection, rule: str | None, symbols: Sequence[str] | None) -> None:
    """Check the names that events are chosen by; None chooses by none.

    Raises:
        UnknownName: there is no rule of the name, and never was.
        UnknownSymbol: no instrument carries or carried a symbol.
    """
    if rule is not None and not column(connection, "SELECT 1 FROM alert_rules WHERE name = %s", (rule,)):
        raise no_rule(connection, rule)
    unknown = column(
        connection,
        "SELECT given FROM unnest(%s::text[]) AS given "
        "WHERE NOT EXISTS (SELECT FROM symbols WHERE symbol = given) "
        # An event names an instrument by its label (X#12) once its symbol has passed to another one.
        "AND NOT EXISTS (SELECT FROM alert_events WHERE symbol = given) ORDER BY 1",
        (list(symbols or ()),),
    )
    if unknown:
        raise UnknownSymbol(f"no instrument carries or carried the symbol {', '.join(unknown)}", unknown)


def no_rule(connection: Connection, name: str) -> UnknownName:
    """Return the error of a name that no rule has."""
    names = column(connection, "SELECT name FROM alert_rules WHERE removed_at IS NULL")
    return unknown_name("rule", name, names, "rule")


def last_event(connection: Connection) -> int:
    """Return the id of the newest event, 0 if there is none."""
    return number(connection, "SELECT coalesce(max(event_id), 0) FROM alert_events")
