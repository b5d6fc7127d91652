"""The symbols that a provider which answers by symbol is asked about."""

from __future__ import annotations

from collections.abc import Sequence

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import rows
from condvest.batch_layer.shared.models.instruments.watched import Watched


def read_watched(connection: Connection, provider: str) -> dict[str, Watched]:
    """Return what is said of symbols, by symbol; of those that are not there, nothing is."""
    said = rows(
        connection,
        "SELECT symbol, state, since, refusals, next_ask, note FROM watched "
        "WHERE provider = %s ORDER BY symbol",
        (provider,),
    )
    return {row[0]: Watched(*row) for row in said}


def write_watched(connection: Connection, provider: str, watched: Sequence[Watched]) -> None:
    """Write what is said of symbols, in the place of what was said before."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO watched (provider, symbol, state, since, refusals, next_ask, note) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (provider, symbol) DO UPDATE "
            "SET state = excluded.state, since = excluded.since, refusals = excluded.refusals, "
            "next_ask = excluded.next_ask, note = excluded.note",
            [(provider, *vars(each).values()) for each in watched],
        )


def forget_watched(connection: Connection, provider: str, symbols: Sequence[str]) -> None:
    """Say nothing of symbols any more."""
    connection.execute(
        "DELETE FROM watched WHERE provider = %s AND symbol = ANY(%s::text[])", (provider, list(symbols))
    )
