"""Which version of a provider's published files was loaded, in the database."""

from __future__ import annotations

import datetime as dt

from batch_layer.database.connection import Connection

UNDER_WAY = ""
"""In the place of the ETag of a file that is being loaded: if that never ends, no version counts."""


def read_etags(connection: Connection, provider_id: int) -> dict[str, str]:
    """Return the ETag of each file that was loaded, by the file's name."""
    rows = connection.execute("SELECT name, etag FROM published_files WHERE provider_id = %s", (provider_id,))
    return {str(name): str(etag) for name, etag in rows}


def keep_etag(
    connection: Connection, provider_id: int, name: str, etag: str, fetched_at: dt.datetime
) -> None:
    """Keep the ETag of a file that was loaded, in the place of what it had before."""
    connection.execute(
        "INSERT INTO published_files (provider_id, name, etag, fetched_at) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (provider_id, name) "
        "DO UPDATE SET etag = excluded.etag, fetched_at = excluded.fetched_at",
        (provider_id, name, etag, fetched_at),
    )
