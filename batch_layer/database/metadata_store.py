"""What is known about instruments, field by field, in the database."""

from __future__ import annotations

from collections.abc import Iterable

from batch_layer.database.connection import Connection

FIGI = "figi"
"""The field by which an instrument is recognised: its composite FIGI."""

SYMBOL_DATE = "symbol_date"
"""The field that says from which date on it carries its symbol; there once its renames are known."""


def instruments_by_figi(connection: Connection) -> dict[str, int]:
    """Return the instrument known by each composite FIGI."""
    rows = connection.execute("SELECT value, instrument_id FROM metadata WHERE field = %s", (FIGI,))
    return {str(value): int(str(instrument_id)) for value, instrument_id in rows}


def figis_without_history(connection: Connection, provider_id: int) -> list[str]:
    """Return the FIGIs of instruments that may have had another symbol before, and were not asked about.

    Those are listed ones whose first daily bar is later than the first session that the provider loaded. In
    an order that changes from session to session, so that asking for the first few asks for all in time.
    """
    rows = connection.execute(
        "WITH loaded AS (SELECT min(ordinal) AS first, max(ordinal) AS last FROM ledger "
        "WHERE provider_id = %s) "
        "SELECT figi.value FROM metadata AS figi JOIN metadata AS active USING (instrument_id), loaded "
        "WHERE figi.field = %s AND active.field = 'active' AND active.value = 'true' "
        "AND NOT EXISTS (SELECT FROM metadata AS own WHERE own.instrument_id = figi.instrument_id "
        "AND own.field = %s) "
        "AND (SELECT min(ordinal) FROM daily_bars WHERE daily_bars.instrument_id = figi.instrument_id) "
        "> loaded.first ORDER BY md5(figi.value || loaded.last)",
        (provider_id, FIGI, SYMBOL_DATE),
    )
    return [str(row[0]) for row in rows]


def stage_fields(connection: Connection, fields: Iterable[tuple[int, str, str]]) -> tuple[int, int, int]:
    """Take in what a payload says: (instrument, field, value); none twice.

    It lies in a table of this transaction until `store_fields`. Returns how many fields are new, have
    changed, and are as they were.
    """
    connection.execute(
        "CREATE TEMPORARY TABLE staged (instrument_id int4, field text, value text) ON COMMIT DROP"
    )
    with connection.cursor().copy("COPY staged (instrument_id, field, value) FROM STDIN") as copy:
        for row in fields:
            copy.write_row(row)
    counts = connection.execute(
        "SELECT count(*) FILTER (WHERE held.value IS NULL), "
        "count(*) FILTER (WHERE held.value <> staged.value), "
        "count(*) FILTER (WHERE held.value = staged.value) "
        "FROM staged LEFT JOIN metadata AS held USING (instrument_id, field)"
    ).fetchone()
    new, changed, same = (int(str(count)) for count in counts or ())
    return new, changed, same


def store_fields(connection: Connection, load_id: int) -> None:
    """Store what was staged; values that it supersedes are kept among the revisions."""
    connection.execute(
        "INSERT INTO metadata_revisions (instrument_id, field, value, load_id, superseded_by) "
        "SELECT instrument_id, field, held.value, held.load_id, %s "
        "FROM metadata AS held JOIN staged USING (instrument_id, field) WHERE held.value <> staged.value",
        (load_id,),
    )
    connection.execute(
        "INSERT INTO metadata (instrument_id, field, value, load_id) "
        "SELECT instrument_id, field, value, %s FROM staged "
        "ON CONFLICT (instrument_id, field) DO UPDATE SET value = excluded.value, load_id = excluded.load_id "
        "WHERE metadata.value <> excluded.value",
        (load_id,),
    )


def read_fields(connection: Connection, known_by: int) -> dict[int, dict[str, str]]:
    """Return what is known about each instrument, as it was known when a load had been stored."""
    found: dict[int, dict[str, str]] = {}
    rows = connection.execute(
        "SELECT instrument_id, field, value FROM metadata WHERE load_id <= %(known_by)s UNION ALL "
        "SELECT instrument_id, field, value FROM metadata_revisions "
        "WHERE load_id <= %(known_by)s AND %(known_by)s < superseded_by ORDER BY 1, 2",
        {"known_by": known_by},
    )
    for instrument_id, field, value in rows:
        found.setdefault(int(str(instrument_id)), {})[str(field)] = str(value)
    return found
