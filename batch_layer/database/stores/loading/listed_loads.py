"""The loads as people see them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from psycopg import sql

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import column, rows
from condvest.batch_layer.database.stores.loading.undone import COUNTS


@dataclass(frozen=True)
class ListedLoad:
    """A load, and whether it still counts.

    Attributes:
        load_id, provider, dataset, name, archive_key, loaded_at, rows, inserted, changed, withdrawn, refused:
            as stored.
        taken_back_by: the load by which it was taken back; None if it counts.
    """

    load_id: int
    provider: str
    dataset: str
    name: str
    archive_key: str
    loaded_at: dt.datetime
    rows: int
    inserted: int
    changed: int
    withdrawn: int
    refused: int
    taken_back_by: int | None


def listed_loads(
    connection: Connection, *, load_id: int | None = None, most: int | None = None
) -> list[ListedLoad]:
    """Return the newest loads, the newest first, at most ``most``; or that of an id alone."""
    listed = rows(
        connection,
        "SELECT load_id, provider, dataset, name, archive_key, loaded_at, rows, inserted, changed, "
        "withdrawn, refused, taken_back_by FROM loads JOIN providers USING (provider_id) "
        "LEFT JOIN taken_back_loads USING (load_id) "
        "WHERE %(load_id)s::int4 IS NULL OR load_id = %(load_id)s ORDER BY load_id DESC LIMIT %(most)s",
        {"load_id": load_id, "most": most},
    )
    return [ListedLoad(*row) for row in listed]


def supplier_of(connection: Connection, instrument_id: int) -> str:
    """Return the name of the provider that has supplied an instrument's daily bars for the longest time."""
    names: list[str] = column(
        connection,
        "SELECT provider FROM instrument_providers JOIN providers USING (provider_id) "
        "WHERE instrument_id = %s ORDER BY first_load_id LIMIT 1",
        (instrument_id,),
    )
    return names[0]


def archive_keys_of(connection: Connection, provider: str) -> list[str]:
    """Return where the archive has what a provider answered for daily bars, in the order of the loads.

    What was taken back is left out.
    """
    return column(
        connection,
        sql.SQL(
            "SELECT archive_key FROM loads JOIN providers USING (provider_id) "
            "WHERE provider = %s AND dataset = 'daily_bars' AND {} ORDER BY load_id"
        ).format(COUNTS),
        (provider,),
    )
