"""What is known about instruments, field by field, in the database."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import LiteralString

from psycopg import sql

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import column, rows
from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS
from condvest.batch_layer.shared.models.instruments.symbols import Rename

FIGI = "figi"
"""The field by which an instrument is recognised: its composite FIGI."""

HISTORY = "symbols"
"""The field that says from which date on it carried which symbol, by a record of renames: "2012-05-18 FB,
2022-06-09 META"; there once the provider was asked for that."""

STATED = "stated_renames"
"""The field of what a person says about renames, at an instrument that each of them concerns: a JSON list of
[first date, symbol before it, symbol from it on]."""

ACTIVE = "active"
DELISTED = "delisted_date"


def instruments_by_figi(connection: Connection) -> dict[str, int]:
    """Return the instrument known by each composite FIGI."""
    return dict(rows(connection, "SELECT value, instrument_id FROM metadata WHERE field = %s", (FIGI,)))


def listed_instruments(connection: Connection) -> dict[int, dt.date | None]:
    """Return the instruments that a reference knows, with the dates of those that were delisted."""
    query: LiteralString = (
        "SELECT instrument_id, CASE active.value WHEN 'false' THEN gone.value::date END "
        "FROM metadata AS active LEFT JOIN metadata AS gone USING (instrument_id) "
        "WHERE active.field = %s AND gone.field = %s UNION ALL "
        "SELECT instrument_id, NULL FROM metadata AS active WHERE field = %s AND NOT EXISTS "
        "(SELECT FROM metadata AS own WHERE own.instrument_id = active.instrument_id AND own.field = %s)"
    )
    return dict(rows(connection, query, (ACTIVE, DELISTED, ACTIVE, DELISTED)))


def histories(connection: Connection) -> dict[int, list[tuple[dt.date, str]]]:
    """Return (first date, symbol), ascending, of every symbol that instruments took, where that is known."""
    texts = rows(connection, "SELECT instrument_id, value FROM metadata WHERE field = %s", (HISTORY,))
    return {
        instrument_id: [
            (dt.date.fromisoformat(date), symbol)
            for date, symbol in (part.split(" ") for part in text.split(", "))
        ]
        for instrument_id, text in texts
    }


def history_text(history: Iterable[tuple[dt.date, str]]) -> str:
    """Return a history as the field HISTORY holds it."""
    return ", ".join(f"{date} {symbol}" for date, symbol in history)


def stated_renames(connection: Connection) -> dict[Rename, int]:
    """Return what persons say about renames, each with the instrument that keeps it."""
    texts = rows(connection, "SELECT instrument_id, value FROM metadata WHERE field = %s", (STATED,))
    return {
        Rename(dt.date.fromisoformat(date), symbol, to): instrument_id
        for instrument_id, text in texts
        for date, symbol, to in json.loads(text)
    }


def stated_text(renames: Iterable[Rename]) -> str:
    """Return statements as the field STATED holds them."""
    return json.dumps([[str(rename.date), rename.symbol, rename.to] for rename in sorted(renames)])


def without_history(connection: Connection, provider_id: int, since: int | None = None) -> list[str]:
    """Return the instruments that may have had another symbol before the present one, if that is not known.

    Each by its FIGI, or by its symbol if it has none; so one that has neither FIGI nor listing is left out.
    They are those whose first daily bar is later than the first session that the provider loaded, and those
    that a reference showed under more than one symbol. In an order that changes from session to session, so
    that asking for the first few asks for all in time.

    Args:
        connection: in a transaction.
        provider_id: the provider.
        since: only those whose bars, or whose present symbol, begin at this ordinal or later; all if None.
    """
    query = sql.SQL(
        "WITH loaded AS (SELECT min(ordinal) AS first, max(ordinal) AS last FROM ledger "
        "WHERE provider_id = %(provider)s), "
        "named AS (SELECT DISTINCT ON (instrument_id) instrument_id, symbol, valid_from, "
        "count(*) OVER (PARTITION BY instrument_id) AS names FROM symbols "
        "ORDER BY instrument_id, valid_from DESC) "
        "SELECT coalesce(figi.value, symbol) FROM loaded, named "
        "JOIN metadata AS active ON active.instrument_id = named.instrument_id AND active.field = 'active' "
        "LEFT JOIN metadata AS figi ON figi.instrument_id = named.instrument_id AND figi.field = %(figi)s "
        "LEFT JOIN metadata AS past ON past.instrument_id = named.instrument_id AND past.field = %(history)s "
        "CROSS JOIN LATERAL (SELECT min(ordinal) AS first FROM daily_bars "
        "WHERE daily_bars.instrument_id = named.instrument_id "
        "AND {same_part}) AS bars "
        "WHERE (figi.value IS NOT NULL OR active.value = 'true') "
        "AND right(past.value, length(symbol) + 1) IS DISTINCT FROM ' ' || symbol "
        "AND (names > 1 OR bars.first > loaded.first) "
        "AND (%(since)s::int4 IS NULL OR bars.first >= %(since)s "
        "OR valid_from >= (SELECT session FROM sessions WHERE ordinal = %(since)s)) "
        "ORDER BY md5(coalesce(figi.value, symbol) || loaded.last)"
    ).format(same_part=DAILY_BARS.same_part("named"))
    return column(
        connection, query, {"provider": provider_id, "figi": FIGI, "history": HISTORY, "since": since}
    )


def stage_fields(connection: Connection, fields: Iterable[tuple[int, str, str]]) -> tuple[int, int, int]:
    """Take in what a payload says: (instrument, field, value); none twice.

    It lies in a table of this transaction until `store_fields`, or until what the next payload says takes its
    place. Returns how many fields are new, have changed, and are as they were.
    """
    connection.execute("DROP TABLE IF EXISTS pg_temp.staged")
    connection.execute(
        "CREATE TEMPORARY TABLE staged (instrument_id int4, field text, value text) ON COMMIT DROP"
    )
    with connection.cursor().copy("COPY staged (instrument_id, field, value) FROM STDIN") as copy:
        for row in fields:
            copy.write_row(row)
    [(new, changed, same)] = rows(
        connection,
        "SELECT count(*) FILTER (WHERE stored.value IS NULL), "
        "count(*) FILTER (WHERE stored.value <> staged.value), "
        "count(*) FILTER (WHERE stored.value = staged.value) "
        "FROM staged LEFT JOIN metadata AS stored USING (instrument_id, field)",
    )
    return new, changed, same


def store_fields(connection: Connection, load_id: int) -> None:
    """Store what was staged; values that it supersedes are kept among the revisions."""
    connection.execute(
        "INSERT INTO metadata_revisions (instrument_id, field, value, load_id, superseded_by) "
        "SELECT instrument_id, field, stored.value, stored.load_id, %s "
        "FROM metadata AS stored JOIN staged USING (instrument_id, field) WHERE stored.value <> staged.value",
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
    fields: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for instrument_id, field, value in rows(
        connection,
        "SELECT instrument_id, field, value FROM metadata WHERE load_id <= %(known_by)s UNION ALL "
        "SELECT instrument_id, field, value FROM metadata_revisions "
        "WHERE load_id <= %(known_by)s AND %(known_by)s < superseded_by ORDER BY 1, 2",
        {"known_by": known_by},
    ):
        fields[instrument_id][field] = value
    return dict(fields)
