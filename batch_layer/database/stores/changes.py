"""The record of what changed, from the load that writes it to the resampler that takes it.

A record names a span of ordinals for one instrument, or for all instruments that a provider supplies (a
session was loaded). It lies in the partition of its instrument; one for a provider lies in every
partition, so that each shard takes its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column, copy_out
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of, holds, number, rows
from condvest.batch_layer.database.postgres.reading.packed import read_narrow
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.spans import Spans

PARTITIONS = 64
"""Instruments are divided into this many partitions: instrument_id % PARTITIONS. Never to be changed."""

_SPAN_COLUMNS = (Column("instrument_id", "int4"), Column("first", "int4"), Column("last", "int4"))


def record_instruments(connection: Connection, spans: Spans) -> None:
    """Record that something changed for the instruments in the spans."""
    connection.execute(
        "INSERT INTO changes (partition, instrument_id, first_ordinal, last_ordinal) "
        "SELECT instrument_id %% %s, instrument_id, first, last "
        "FROM unnest(%s::int4[], %s::int4[], %s::int4[]) AS span (instrument_id, first, last)",
        (PARTITIONS, array_of(spans.instrument_id), array_of(spans.first), array_of(spans.last)),
    )


def record_sessions(connection: Connection, provider_id: int, spans: Spans) -> None:
    """Record that sessions were loaded, for every instrument that the provider supplies.

    The spans' ``instrument_id`` does not matter.
    """
    connection.execute(
        "INSERT INTO changes (partition, provider_id, first_ordinal, last_ordinal) "
        "SELECT partition, %s, first, last FROM generate_series(0, %s - 1) AS partition, "
        "unnest(%s::int4[], %s::int4[]) AS span (first, last)",
        (provider_id, PARTITIONS, array_of(spans.first), array_of(spans.last)),
    )


def take_changes(connection: Connection, partitions: Sequence[int]) -> Spans:
    """Remove the records of the partitions; return their spans, by instrument, merged.

    The records are gone when the transaction commits, and there again if it does not.
    """
    query = sql.SQL(
        "WITH taken AS (DELETE FROM changes WHERE partition = ANY(%(partitions)s) RETURNING *) {}"
    )
    return _spans(connection, query.format(_SPANS_OF_TAKEN), partitions)


def peek_changes(connection: Connection, instrument_id: Int32s | None = None) -> Spans:
    """Return the spans of all records (of some instruments, if given), by instrument, merged; they stay."""
    # As a rule nothing waits, and this is all that a reader pays for.
    if not any_waits(connection):
        none = np.empty(0, dtype=np.int32)
        return Spans(none, none, none)
    partitions = (
        range(PARTITIONS) if instrument_id is None else np.unique(instrument_id % PARTITIONS).tolist()
    )
    query = sql.SQL("WITH taken AS (SELECT * FROM changes WHERE partition = ANY(%(partitions)s)) {}")
    spans = _spans(connection, query.format(_SPANS_OF_TAKEN), partitions)
    return spans if instrument_id is None else spans.take(np.isin(spans.instrument_id, instrument_id))


def _spans(connection: Connection, query: sql.Composed, partitions: Sequence[int]) -> Spans:
    parameters = {"partitions": list(partitions), "count": PARTITIONS}
    return Spans(**copy_out(connection, query, _SPAN_COLUMNS, parameters)).merged()


# Sessions are joined to runs first: else those of a whole history, times its instruments, would be as many
# rows as there are daily bars.
_SPANS_OF_TAKEN = sql.SQL(
    "SELECT instrument_id, first_ordinal, last_ordinal FROM taken WHERE instrument_id IS NOT NULL "
    "UNION ALL "
    "SELECT supplied.instrument_id, lower(run), upper(run) - 1 FROM ("
    "  SELECT partition, provider_id, unnest(range_agg(int4range(first_ordinal, last_ordinal, '[]'))) AS run "
    "  FROM taken WHERE provider_id IS NOT NULL GROUP BY 1, 2"
    ") AS loaded JOIN instrument_providers AS supplied ON supplied.provider_id = loaded.provider_id "
    "AND supplied.instrument_id %% %(count)s = loaded.partition"
)


def everything(connection: Connection, partitions: Sequence[int]) -> Spans:
    """Return, for each instrument of the partitions, the span of the whole calendar.

    Not only of its daily bars, for a bar that is stored where none are is to be found too.
    """
    columns = read_narrow(
        connection,
        "SELECT instrument_id, (SELECT min(ordinal) FROM sessions), (SELECT max(ordinal) FROM sessions) "
        "FROM instruments WHERE instrument_id %% %(count)s = ANY(%(partitions)s) ORDER BY instrument_id",
        _SPAN_COLUMNS,
        {"partitions": list(partitions), "count": PARTITIONS},
    )
    return Spans(**columns)


def dividends_since(connection: Connection, load_id: int) -> Spans:
    """Return the sessions of the dividends that loads after ``load_id`` stored, altered or withdrew, merged.

    Their bars are as they were, so no record waits. One with an ex-date beyond the calendar is left out.
    """
    columns = read_narrow(
        connection,
        "SELECT instrument_id, ordinal, ordinal FROM ("
        "  SELECT instrument_id, ex_date FROM dividends WHERE load_id > %(load_id)s UNION ALL "
        "  SELECT instrument_id, ex_date FROM dividend_revisions WHERE superseded_by > %(load_id)s"
        ") AS paid CROSS JOIN LATERAL "
        "(SELECT min(ordinal) AS ordinal FROM sessions WHERE session >= ex_date) AS placed "
        "WHERE ordinal IS NOT NULL",
        _SPAN_COLUMNS,
        {"load_id": load_id},
    )
    return Spans(**columns).merged()


def volumes(connection: Connection, reach: int) -> dict[int, int]:
    """Return about how many daily bars the records of each partition concern; not those with none.

    Each record is taken to reach so many sessions further than it says, for the windows are whole, and no
    further than what is loaded. The estimate is high where records of single instruments lie close together.
    """
    query: LiteralString = (
        "WITH loaded AS (SELECT min(ordinal) AS first, max(ordinal) AS last FROM ledger), "
        "cut AS (SELECT partition, instrument_id, provider_id, "
        "  greatest(first_ordinal, loaded.first) AS first, least(last_ordinal, loaded.last) AS last "
        "  FROM changes, loaded), "
        "market AS (SELECT provider_id, count(*) / %(count)s + 1 AS instruments "
        "  FROM instrument_providers GROUP BY 1) "
        "SELECT partition, sum(bars) FROM ("
        "  SELECT partition, sum(greatest(last - first, 0) + %(reach)s) AS bars "
        "  FROM cut WHERE instrument_id IS NOT NULL GROUP BY 1 UNION ALL "
        "  SELECT partition, (greatest(max(last) - min(first), 0) + %(reach)s) * coalesce(instruments, 1) "
        "  FROM cut LEFT JOIN market USING (provider_id) WHERE provider_id IS NOT NULL "
        "  GROUP BY partition, provider_id, instruments"
        ") AS estimated GROUP BY 1 ORDER BY 1"
    )
    estimates = rows(connection, query, {"reach": reach, "count": PARTITIONS})
    return {partition: int(bars) for partition, bars in estimates}


def any_waits(connection: Connection) -> bool:
    """Return whether any record waits."""
    return holds(connection, "SELECT EXISTS (SELECT FROM changes)")


def waiting(connection: Connection) -> int:
    """Return how many records wait."""
    return number(connection, "SELECT count(*) FROM changes")


def spans_of_ordinals(ordinals: np.ndarray[tuple[int], np.dtype[np.int32]]) -> Spans:
    """Return the runs of consecutive ordinals, under no instrument (0)."""
    return Spans.of_points(np.zeros(len(ordinals), dtype=np.int32), ordinals)
