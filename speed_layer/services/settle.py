"""Settling sessions: the live rows are held against the official bars, and go."""

from __future__ import annotations

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.speed_layer.core.settlement import Settlement, settle
from condvest.speed_layer.stores.settlements import live_of, official_of, to_settle, write_settlement


def settle_all(database: Database) -> dict[int, Settlement]:
    """Settle every session that has live rows and is official by now; return the comparisons by ordinal.

    Each is one transaction of one state of the database, so a load that comes meanwhile is seen whole or not
    at all. Run it as often as you like: a session without live rows is not settled again.
    """
    with database.transaction(read_only=True) as connection:
        ordinals = to_settle(connection)
    settled = {}
    for ordinal in ordinals:
        with database.transaction(snapshot=True) as connection:
            live, phases = live_of(connection, ordinal)
            if len(live):
                settled[ordinal] = settle(live, phases, official_of(connection, ordinal))
                write_settlement(connection, ordinal, settled[ordinal])
    return settled
