"""The sessions of the exchange, as stored."""

from __future__ import annotations

from condvest.batch_layer.database.postgres.binary_copy import Column
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import rows
from condvest.batch_layer.database.postgres.reading.packed import read_narrow
from condvest.batch_layer.shared.models.sessions import Sessions


def read_sessions(connection: Connection) -> Sessions | None:
    """Return the stored sessions, None if there are none."""
    columns = read_narrow(
        connection,
        "SELECT ordinal, session, extract(epoch FROM opens_at)::int8, "
        "extract(epoch FROM closes_at)::int8, early_close, late_open FROM sessions ORDER BY ordinal",
        (
            Column("ordinal", "int4"),
            Column("session", "date"),
            Column("opens_at", "int8"),
            Column("closes_at", "int8"),
            Column("early_close", "bool"),
            Column("late_open", "bool"),
        ),
    )
    if not len(columns["ordinal"]):
        return None
    return Sessions(
        int(columns["ordinal"][0]),
        columns["session"],
        columns["opens_at"].astype("datetime64[s]"),
        columns["closes_at"].astype("datetime64[s]"),
        columns["early_close"],
        columns["late_open"],
    )


def present_sessions(connection: Connection, earlier: Sessions) -> Sessions:
    """Return the sessions as the transaction sees them: those that were kept, or others if they changed.

    What is kept for long, as by a service, may be extended meanwhile, or lose a session to come; then every
    later ordinal is another date's.
    """
    newest = rows(connection, "SELECT max(ordinal), max(session) FROM sessions")
    if newest == [(earlier.last_ordinal, earlier.date[-1].item())]:
        return earlier
    return read_sessions(connection) or earlier
