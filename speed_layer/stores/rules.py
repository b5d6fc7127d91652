"""The tables ``alert_rules``, ``alert_webhooks`` and ``alert_states``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import column, number, records, rows
from condvest.batch_layer.database.stores.alert_events import no_rule
from condvest.batch_layer.shared.errors import UsageError
from condvest.speed_layer.core.alerts.rules import Cooldown, Rule, Seen


@dataclass(frozen=True)
class Webhook:
    """Where the events of a rule are sent to, and the secret by which they are signed (``whsec_...``)."""

    url: str
    secret: str


def add_rule(connection: Connection, rule: Rule, webhooks: Sequence[Webhook] = ()) -> int:
    """Store a rule and return its number; that of the rule given does not matter.

    Raises:
        UsageError: there is a rule of this name, or it makes no sense (RuleError: it does not parse).
    """
    rule.checked()
    if column(connection, "SELECT 1 FROM alert_rules WHERE name = %s AND removed_at IS NULL", (rule.name,)):
        raise UsageError(f"there is a rule {rule.name!r}; choose another name, or remove it first")
    rule_id = number(
        connection,
        "INSERT INTO alert_rules (name, expression, sessions, mode, fires, symbols, at_once, once, cooldown, "
        "rearm) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING rule_id",
        (
            rule.name,
            rule.node.text,
            rule.interval,
            rule.mode,
            rule.fires,
            None if rule.symbols is None else list(rule.symbols),
            rule.at_once,
            rule.once,
            None if rule.cooldown is None else rule.cooldown.text,
            rule.rearm_canonical,
        ),
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO alert_webhooks (rule_id, url, secret) VALUES (%s, %s, %s)",
            [(rule_id, webhook.url, webhook.secret) for webhook in webhooks],
        )
    return rule_id


def remove_rule(connection: Connection, name: str) -> int:
    """Remove a rule: it fires no more, and nothing more is sent of it. Its events stay; return its number.

    What it has fired still gets its verdict.

    Raises:
        UnknownName: there is no such rule.
    """
    removed = column(
        connection,
        "UPDATE alert_rules SET removed_at = clock_timestamp() WHERE name = %s AND removed_at IS NULL "
        "RETURNING rule_id",
        (name,),
    )
    if not removed:
        raise no_rule(connection, name)
    connection.execute(
        "UPDATE alert_deliveries SET next_at = NULL, last_error = 'the rule was removed' "
        "FROM alert_webhooks AS hooks WHERE hooks.webhook_id = alert_deliveries.webhook_id "
        "AND hooks.rule_id = %s AND next_at IS NOT NULL",
        (removed[0],),
    )
    return int(removed[0])


def active_rules(connection: Connection) -> list[Rule]:
    """Return the rules that are not removed, by number."""
    return _rules(connection, with_removed=False)


def all_rules(connection: Connection) -> list[Rule]:
    """Return every rule that ever was, by number."""
    return _rules(connection, with_removed=True)


def _rules(connection: Connection, *, with_removed: bool) -> list[Rule]:
    return [
        Rule(
            rule_id,
            name,
            text,
            mode,
            fires,
            None if symbols is None else tuple(symbols),
            at_once,
            once,
            None if cooldown is None else Cooldown.parse(cooldown),
            rearm,
        )
        for rule_id, name, text, mode, fires, symbols, at_once, once, cooldown, rearm in rows(
            connection,
            "SELECT rule_id, name, expression, mode, fires, symbols, at_once, once, cooldown, rearm "
            "FROM alert_rules "
            "WHERE removed_at IS NULL OR %s ORDER BY rule_id",
            (with_removed,),
        )
    ]


def listed_rules(connection: Connection) -> list[dict[str, Any]]:
    """Return the rules that are not removed with their webhooks' URLs and counts of their events."""
    return records(
        connection,
        "SELECT rule_id, name, expression, mode, fires, symbols, at_once, once, cooldown, rearm, created_at, "
        "(SELECT coalesce(array_agg(url ORDER BY webhook_id), '{}') FROM alert_webhooks AS hooks "
        " WHERE hooks.rule_id = rules.rule_id) AS webhooks, "
        "(SELECT count(*) FROM alert_events AS own WHERE own.rule_id = rules.rule_id "
        " AND state = 'fired') AS fired, "
        "(SELECT count(*) FROM alert_events AS own WHERE own.rule_id = rules.rule_id "
        " AND state = 'confirmed') AS confirmed, "
        "(SELECT count(*) FROM alert_events AS own WHERE own.rule_id = rules.rule_id "
        " AND state = 'withdrawn') AS withdrawn, "
        "(SELECT count(*) FROM alert_deliveries JOIN alert_webhooks AS hooks USING (webhook_id) "
        " WHERE hooks.rule_id = rules.rule_id AND next_at IS NOT NULL) AS waiting "
        "FROM alert_rules AS rules WHERE removed_at IS NULL ORDER BY rule_id",
    )


def read_states(connection: Connection) -> dict[int, Seen]:
    """Return what each rule was seen to be, by the rule's number."""
    return {
        rule_id: Seen.of_bytes(window, bytes(bits))
        for rule_id, window, bits in rows(connection, "SELECT rule_id, bar_window, bits FROM alert_states")
    }


def write_states(connection: Connection, ordinal: int, states: Mapping[int, Seen]) -> None:
    """Keep what rules were seen to be in a session, in the place of what was."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO alert_states AS kept (rule_id, ordinal, bar_window, bits) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (rule_id) DO UPDATE SET ordinal = excluded.ordinal, "
            "bar_window = excluded.bar_window, bits = excluded.bits",
            [(rule_id, ordinal, seen.window, seen.packed()) for rule_id, seen in states.items()],
        )
