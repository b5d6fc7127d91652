"""Who carries which symbol when, in the database, and what moves when that is learned anew."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from psycopg import sql

from batch_layer.database import changes_store
from batch_layer.database.connection import Connection
from batch_layer.shared.models.bars import Int32s
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.models.spans import always
from batch_layer.shared.models.symbols import SymbolSpan


@dataclass(frozen=True)
class Moved:
    """What was learned about identities.

    Attributes:
        made: instruments that were made.
        changed: instruments whose symbols changed.
        bars: daily bars that now belong to another instrument.
    """

    made: int = 0
    changed: int = 0
    bars: int = 0


def read_spans(connection: Connection) -> dict[int, list[SymbolSpan]]:
    """Return the symbols that each instrument carries or carried, ascending by date."""
    found: dict[int, list[SymbolSpan]] = defaultdict(list)
    rows = connection.execute(
        "SELECT instrument_id, symbol, nullif(valid_from, '-infinity'), nullif(valid_to, 'infinity') "
        "FROM symbols ORDER BY instrument_id, valid_from"
    )
    for instrument_id, symbol, first, last in rows:
        found[int(str(instrument_id))].append(
            SymbolSpan(str(symbol), _date(first, dt.date.min), _date(last, dt.date.max))
        )
    return dict(found)


def make_instruments(connection: Connection, count: int) -> list[int]:
    """Make instruments that carry no symbol yet; return their ids, ascending."""
    rows = connection.execute(
        "INSERT INTO instruments (created_at) SELECT clock_timestamp() FROM generate_series(1, %s) "
        "RETURNING instrument_id",
        (count,),
    )
    return sorted(int(str(row[0])) for row in rows)


def write_spans(connection: Connection, wanted: dict[int, Sequence[SymbolSpan]], sessions: Sessions) -> Moved:
    """Give instruments the symbols that they carried, taking them from others, with the bars and actions.

    Args:
        connection: in a transaction.
        wanted: for each instrument all its spans; spans of different instruments do not overlap.
        sessions: the calendar.

    Returns:
        what changed. Whatever bars are touched is recorded for the resampler.
    """
    known = read_spans(connection)
    new = {one: spans for one, spans in wanted.items() if list(spans) != known.get(one)}
    owners: dict[str, list[tuple[SymbolSpan, int]]] = defaultdict(list)
    for instrument_id, held in known.items():
        for span in held:
            owners[span.symbol].append((span, instrument_id))
    taken = [
        (span, taker, loser)
        for taker, spans in new.items()
        for span in spans
        for held, loser in owners[span.symbol]
        if loser != taker and held.overlaps(span)
    ]
    result = {one: list(spans) for one, spans in new.items()}
    for span, _, loser in taken:
        if loser not in wanted:
            left = result.get(loser, known[loser])
            result[loser] = [part for held in left for part in held.without(span)]
    _replace(connection, result)
    bars = sum(_move(connection, span, taker, loser, sessions) for span, taker, loser in taken)
    return Moved(made=0, changed=len(result), bars=bars)


def _replace(connection: Connection, spans: dict[int, list[SymbolSpan]]) -> None:
    connection.execute("DELETE FROM symbols WHERE instrument_id = ANY(%s)", (list(spans),))
    with connection.cursor().copy(
        "COPY symbols (symbol, valid_from, valid_to, instrument_id) FROM STDIN"
    ) as copy:
        for instrument_id, held in spans.items():
            for span in held:
                first = "-infinity" if span.first == dt.date.min else span.first
                last = "infinity" if span.last == dt.date.max else span.last
                copy.write_row((span.symbol, first, last, instrument_id))


def _move(connection: Connection, span: SymbolSpan, taker: int, loser: int, sessions: Sessions) -> int:
    """Move what the loser has within the span to the taker; what the taker has already stays as it is."""
    first, end = sessions.ordinals_on_or_after(
        np.array(
            [span.first, span.last if span.last == dt.date.max else span.last + dt.timedelta(1)],
            "datetime64[D]",
        )
    ).tolist()
    moved = 0
    for table, key, low, high in (
        ("daily_bars", "ordinal", first, end - 1),
        ("daily_bar_revisions", "ordinal", first, end - 1),
        ("splits", "ex_date", span.first, span.last),
        ("split_revisions", "ex_date", span.first, span.last),
        ("dividends", "ex_date", span.first, span.last),
        ("dividend_revisions", "ex_date", span.first, span.last),
    ):
        query = sql.SQL(
            "UPDATE {table} SET instrument_id = %(taker)s WHERE instrument_id = %(loser)s "
            "AND {key} BETWEEN %(low)s AND %(high)s AND NOT EXISTS (SELECT FROM {table} AS own "
            "WHERE own.instrument_id = %(taker)s AND own.{key} = {table}.{key})"
        ).format(table=sql.Identifier(table), key=sql.Identifier(key))
        bounds = {"taker": taker, "loser": loser, "low": low, "high": high}
        done = connection.execute(query, bounds).rowcount
        moved += done if table == "daily_bars" else 0
    if moved:
        connection.execute(
            "INSERT INTO instrument_providers (instrument_id, provider_id, first_load_id) "
            "SELECT %s, provider_id, first_load_id FROM instrument_providers WHERE instrument_id = %s "
            "ON CONFLICT DO NOTHING",
            (taker, loser),
        )
    touched: Int32s = np.array(sorted((taker, loser)), dtype=np.int32)
    changes_store.record_instruments(connection, always(touched))
    return moved


def _date(value: object, unbounded: dt.date) -> dt.date:
    return value if isinstance(value, dt.date) else unbounded
