"""Who carries which symbol when, in the database, and what moves when that is learned anew."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from psycopg import sql

from batch_layer.database.postgres.connection import Connection
from batch_layer.database.stores import changes
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.models.spans import Spans
from batch_layer.shared.models.symbols import SymbolSpan

_BY_DATE = {
    "daily_bars": "ordinal",
    "daily_bar_revisions": "ordinal",
    "splits": "ex_date",
    "split_revisions": "ex_date",
    "dividends": "ex_date",
    "dividend_revisions": "ex_date",
}
"""What an instrument has, and what says when."""

_HELD = ("metadata", *_BY_DATE)

_PASSING = 2**31 - 1
"""The last id of all: on their way bars lie under this one and those before it."""


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


def write_spans(
    connection: Connection, wanted: Mapping[int, Sequence[SymbolSpan]], sessions: Sessions
) -> Moved:
    """Give instruments the symbols that they carried, taking them from others, with the bars and actions.

    Bars that an instrument has under a symbol and time that are no longer its own, and that nobody else
    claims, go to a new instrument: they are somebody's.

    Args:
        connection: in a transaction.
        wanted: for each instrument all its spans; spans of different instruments do not overlap.
        sessions: the calendar.

    Returns:
        what changed. Whatever bars are touched is recorded for the resampler.
    """
    known = read_spans(connection)
    new = {one: list(spans) for one, spans in wanted.items() if list(spans) != known.get(one)}
    moves = _taken(new, known)
    orphans = (
        [
            (part, loser)
            for loser in new
            for part in _left(known.get(loser, ()), [span for spans in wanted.values() for span in spans])
            if _has_any(connection, part, loser, sessions)
        ]
        if any(known.get(one) for one in new)
        else []
    )
    made = make_instruments(connection, len(orphans))
    for (part, loser), instrument_id in zip(orphans, made, strict=True):
        new[instrument_id] = [part]
        moves.append(_Move(part, instrument_id, loser))
    for move in moves:
        if move.loser not in wanted:
            held = new.get(move.loser, known[move.loser])
            new[move.loser] = [part for span in held for part in span.without(move.span)]
    _replace(connection, new)
    bars = _move(connection, moves, sessions)
    _forget_empty(connection, {move.loser for move in moves} - set(wanted))
    return Moved(made=len(made), changed=len(new), bars=bars)


@dataclass(frozen=True)
class _Move:
    span: SymbolSpan
    taker: int
    loser: int


def _taken(new: Mapping[int, Sequence[SymbolSpan]], known: Mapping[int, Sequence[SymbolSpan]]) -> list[_Move]:
    owners: dict[str, list[tuple[SymbolSpan, int]]] = defaultdict(list)
    for instrument_id, spans in known.items():
        for span in spans:
            owners[span.symbol].append((span, instrument_id))
    return [
        _Move(span.shared_with(held), taker, loser)
        for taker, spans in new.items()
        for span in spans
        for held, loser in owners[span.symbol]
        if loser != taker and held.overlaps(span)
    ]


def _left(spans: Sequence[SymbolSpan], claimed: Sequence[SymbolSpan]) -> list[SymbolSpan]:
    left = list(spans)
    names = {span.symbol for span in spans}
    for claim in claimed:
        if claim.symbol in names:
            left = [part for span in left for part in span.without(claim)]
    return left


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


def _has_any(connection: Connection, span: SymbolSpan, instrument_id: int, sessions: Sessions) -> bool:
    first, last = _ordinals(span, sessions)
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM daily_bars WHERE instrument_id = %(id)s "
        "AND ordinal BETWEEN %(first)s AND %(last)s) "
        "OR EXISTS (SELECT FROM splits WHERE instrument_id = %(id)s "
        "AND ex_date BETWEEN %(from)s AND %(to)s) "
        "OR EXISTS (SELECT FROM dividends WHERE instrument_id = %(id)s "
        "AND ex_date BETWEEN %(from)s AND %(to)s)",
        {"id": instrument_id, "first": first, "last": last, "from": span.first, "to": span.last},
    ).fetchone()
    return row is not None and bool(row[0])


def _move(connection: Connection, moves: Sequence[_Move], sessions: Sessions) -> int:
    """Move what the losers have within the spans to the takers; return how many daily bars.

    By way of an id of its own for each move, for one may take at a time what another loses there.
    """
    moved = 0
    for place, move in enumerate(moves):
        _reown(connection, move.span, move.loser, _PASSING - place, sessions)
    for place, move in enumerate(moves):
        bars = _reown(connection, move.span, _PASSING - place, move.taker, sessions)
        moved += bars
        if bars:
            connection.execute(
                "INSERT INTO instrument_providers (instrument_id, provider_id, first_load_id) "
                "SELECT %s, provider_id, first_load_id FROM instrument_providers WHERE instrument_id = %s "
                "ON CONFLICT DO NOTHING",
                (move.taker, move.loser),
            )
    if moves:
        touched = np.unique(np.array([(move.taker, move.loser) for move in moves], dtype=np.int32))
        everything = Spans.within(touched, sessions.first_ordinal, sessions.last_ordinal)
        changes.record_instruments(connection, everything)
    return moved


def _forget_empty(connection: Connection, losers: Collection[int]) -> None:
    """Let nobody supply instruments that lost every bar, nor unlisted ones that lost all carry a symbol."""
    held = sql.SQL(" OR ").join(
        sql.SQL("EXISTS (SELECT FROM {} AS own WHERE own.instrument_id = loser.id)").format(
            sql.Identifier(table)
        )
        for table in _HELD
    )
    query = sql.SQL(
        "SELECT id, {held} FROM unnest(%s::int4[]) AS loser (id) "
        "WHERE NOT EXISTS (SELECT FROM daily_bars AS own WHERE own.instrument_id = loser.id)"
    )
    rows = connection.execute(query.format(held=held), (list(losers),)).fetchall()
    empty = [int(str(instrument_id)) for instrument_id, _ in rows]
    lost_all = [int(str(instrument_id)) for instrument_id, is_held in rows if not is_held]
    connection.execute("DELETE FROM symbols WHERE instrument_id = ANY(%s)", (lost_all,))
    connection.execute("DELETE FROM instrument_providers WHERE instrument_id = ANY(%s)", (empty,))


def _reown(connection: Connection, span: SymbolSpan, old: int, new: int, sessions: Sessions) -> int:
    first, last = _ordinals(span, sessions)
    moved = 0
    for table, key in _BY_DATE.items():
        low, high = (first, last) if key == "ordinal" else (span.first, span.last)
        query = sql.SQL(
            "UPDATE {table} SET instrument_id = %s WHERE instrument_id = %s AND {key} BETWEEN %s AND %s"
        ).format(table=sql.Identifier(table), key=sql.Identifier(key))
        done = connection.execute(query, (new, old, low, high)).rowcount
        moved += done if table == "daily_bars" else 0
    return moved


def _ordinals(span: SymbolSpan, sessions: Sessions) -> tuple[int, int]:
    """Return the ordinals of the first and last session within a span, inclusive."""
    end = span.last if span.last == dt.date.max else span.last + dt.timedelta(1)
    first, after = sessions.ordinals_on_or_after(np.array([span.first, end], "datetime64[D]")).tolist()
    return first, after - 1


def _date(value: object, unbounded: dt.date) -> dt.date:
    return value if isinstance(value, dt.date) else unbounded
