"""Moves what an instrument has to another one, when a vendor says anew who carried which symbol."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import column, holds, rows
from condvest.batch_layer.database.postgres.touched import touch
from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.daily import live
from condvest.batch_layer.database.stores.daily.retold import RETOLD, Known, clear_way
from condvest.batch_layer.database.stores.identity.symbols import read_spans
from condvest.batch_layer.shared.core.names.names_of_today import Carriage, Change
from condvest.batch_layer.shared.core.names.symbol_moves import Move, plan_moves
from condvest.batch_layer.shared.models.instruments.symbols import EVER, FOREVER, SymbolSpan
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.models.spans import Spans

_DATED = {
    "daily_bars": "ordinal",
    "daily_bar_revisions": "ordinal",
    "splits": "ex_date",
    "split_revisions": "ex_date",
    "dividends": "ex_date",
    "dividend_revisions": "ex_date",
}
"""The tables of an instrument's rows, and the column of each that says when."""

_WITHIN = {
    "ordinal": sql.SQL("ordinal BETWEEN %(first)s AND %(last)s"),
    "ex_date": sql.SQL("ex_date BETWEEN %(from)s AND %(to)s"),
}

_OWNED = ("metadata", *_DATED)

_LAST_ID = 2**31 - 1
"""The largest instrument id. It and the ids below it hold rows that are on their way between instruments."""


@dataclass(frozen=True)
class Moved:
    """What a change of spans did.

    Attributes:
        made: number of instruments made.
        changed: number of instruments whose symbols changed.
        bars: number of daily bars that now belong to another instrument.
        change: who carried which symbol before, and who does now; None if nothing changed.
        in_the_way: what was removed where other rows came, by data set; which counts, is to be found out.
        may_go: the instruments that are forgotten if they are left without any row.
    """

    made: int = 0
    changed: int = 0
    bars: int = 0
    change: Change | None = None
    in_the_way: Mapping[str, Sequence[Known[Any]]] = field(default_factory=dict)
    may_go: Collection[int] = ()


def _replace_spans(connection: Connection, wanted: Mapping[int, Sequence[SymbolSpan]]) -> None:
    """Store the instruments' spans in place of all that they had."""
    connection.execute("DELETE FROM symbols WHERE instrument_id = ANY(%s)", (list(wanted),))
    with connection.cursor().copy(
        "COPY symbols (symbol, valid_from, valid_to, instrument_id) FROM STDIN"
    ) as copy:
        for instrument_id, spans in wanted.items():
            for span in spans:
                first = "-infinity" if span.first == EVER else span.first
                last = "infinity" if span.last == FOREVER else span.last
                copy.write_row((span.symbol, first, last, instrument_id))


def make_instruments(connection: Connection, count: int) -> list[int]:
    """Make instruments that carry no symbol yet; return their ids, ascending."""
    made = column(
        connection,
        "INSERT INTO instruments (created_at) SELECT clock_timestamp() FROM generate_series(1, %s) "
        "RETURNING instrument_id",
        (count,),
    )
    return sorted(made)


def write_spans(
    connection: Connection,
    wanted: Mapping[int, Sequence[SymbolSpan]],
    sessions: Sessions,
    *,
    may_empty: Collection[int] = (),
) -> Moved:
    """Give instruments the symbols that they carried, with the rows that others have under them.

    What is to move is decided by `plan_moves`. Rows that an instrument has under a symbol and time that it
    gives up, and that no other instrument claims, go to a new instrument: they are another company's.

    Args:
        connection: in a transaction.
        wanted: for each instrument all its spans; spans of different instruments do not overlap.
        sessions: the calendar.
        may_empty: instruments of ``wanted`` that are forgotten if they lose all their rows, as those that are
            not in ``wanted`` are.

    Returns:
        what changed. Instruments whose bars changed are recorded for the resampler.
    """
    before = read_spans(connection)
    plan = plan_moves(before, wanted)
    orphaned = [
        (loser, span) for loser, span in plan.unclaimed if has_rows(connection, loser, span, sessions)
    ]
    heirs = make_instruments(connection, len(orphaned))
    plan = plan.with_heirs(dict(zip(heirs, orphaned, strict=True)))
    _replace_spans(connection, plan.spans)
    bars, in_the_way = _move_rows(connection, plan.moves, sessions)
    may_go = {move.loser for move in plan.moves} - (set(wanted) - set(may_empty))
    gone = forget_emptied(connection, may_go)
    change = None
    if plan.spans:
        after = {instrument: spans for instrument, spans in (before | dict(plan.spans)).items() if spans}
        change = Change(Carriage.of(before), Carriage.of(after).without(gone), plan.moves)
        live.forget_moved(connection, change.before, change.after)
    return Moved(len(heirs), len(plan.spans), bars, change, in_the_way, may_go)


def has_rows(connection: Connection, instrument_id: int, span: SymbolSpan, sessions: Sessions) -> bool:
    """Return whether an instrument has daily bars, splits or dividends on the dates of a span.

    Superseded ones count too: what was known of a company stays with it, though nothing of it is left.
    """
    first, last = _ordinals(span, sessions)
    any_table = sql.SQL(" OR ").join(
        sql.SQL("EXISTS (SELECT FROM {table} WHERE instrument_id = %(id)s AND {within})").format(
            table=sql.Identifier(table), within=_WITHIN[key]
        )
        for table, key in _DATED.items()
    )
    return holds(
        connection,
        sql.SQL("SELECT {}").format(any_table),
        {"id": instrument_id, "first": first, "last": last, "from": span.first, "to": span.last},
    )


def _move_rows(
    connection: Connection, moves: Sequence[Move], sessions: Sessions
) -> tuple[int, dict[str, list[Known[Any]]]]:
    """Move what the losers have within the spans to the takers; return what `Moved` says of it.

    Each move goes by way of an id of its own, because two instruments may swap a symbol: written directly,
    what 7 takes from 8 would be taken back by 8 with its own.
    """
    bars_moved = 0
    in_the_way: defaultdict[str, list[Known[Any]]] = defaultdict(list)
    for index, move in enumerate(moves):
        _reown(connection, move.span, move.loser, _LAST_ID - index, sessions)
    for index, move in enumerate(moves):
        for table in RETOLD:
            removed = clear_way(connection, table, _LAST_ID - index, move.taker)
            if removed is not None:
                in_the_way[table.name].append(removed)
        bars = _reown(connection, move.span, _LAST_ID - index, move.taker, sessions)
        bars_moved += bars
        if bars:
            connection.execute(
                "INSERT INTO instrument_providers AS own (instrument_id, provider_id, first_load_id) "
                "SELECT %s, provider_id, first_load_id FROM instrument_providers WHERE instrument_id = %s "
                "ON CONFLICT (instrument_id, provider_id) DO UPDATE "
                "SET first_load_id = least(own.first_load_id, excluded.first_load_id)",
                (move.taker, move.loser),
            )
    if moves:
        touched = np.unique(np.array([(move.taker, move.loser) for move in moves], dtype=np.int32))
        everything = Spans.within(touched, sessions.first_ordinal, sessions.last_ordinal)
        changes.record_instruments(connection, everything)
    return bars_moved, in_the_way


def forget_emptied(connection: Connection, losers: Collection[int]) -> list[int]:
    """Remove providers of losers without a daily bar, and symbols of losers without any row; return these."""
    owns_any = sql.SQL(" OR ").join(
        sql.SQL("EXISTS (SELECT FROM {} AS own WHERE own.instrument_id = loser.id)").format(
            sql.Identifier(table)
        )
        for table in _OWNED
    )
    query = sql.SQL(
        "SELECT id, {owns_any} FROM unnest(%s::int4[]) AS loser (id) "
        "WHERE NOT EXISTS (SELECT FROM daily_bars AS own WHERE own.instrument_id = loser.id)"
    )
    without_bars = rows(connection, query.format(owns_any=owns_any), (list(losers),))
    without_rows = [instrument_id for instrument_id, owns_rows in without_bars if not owns_rows]
    connection.execute("DELETE FROM symbols WHERE instrument_id = ANY(%s)", (without_rows,))
    connection.execute(
        "DELETE FROM instrument_providers WHERE instrument_id = ANY(%s)",
        ([instrument_id for instrument_id, _ in without_bars],),
    )
    return without_rows


def _reown(connection: Connection, span: SymbolSpan, old: int, new: int, sessions: Sessions) -> int:
    """Give the rows of instrument ``old`` within a span to ``new``; return the number of daily bars."""
    first, last = _ordinals(span, sessions)
    bars = 0
    for table, key in _DATED.items():
        low, high = (first, last) if key == "ordinal" else (span.first, span.last)
        query = sql.SQL(
            "UPDATE {table} SET instrument_id = %s WHERE instrument_id = %s AND {key} BETWEEN %s AND %s"
        ).format(table=sql.Identifier(table), key=sql.Identifier(key))
        if key == "ex_date" or _touch(connection, table, old, first, last):
            updated = connection.execute(query, (new, old, low, high)).rowcount
            bars += updated if table == "daily_bars" else 0
    return bars


def _touch(connection: Connection, table: str, instrument_id: int, first: int, last: int) -> bool:
    """Record the rows of an instrument within ordinals as altered; return whether there are any."""
    query = sql.SQL(
        "SELECT min(ordinal), max(ordinal) FROM {} WHERE instrument_id = %s AND ordinal BETWEEN %s AND %s"
    ).format(sql.Identifier(table))
    [(least, greatest)] = rows(connection, query, (instrument_id, first, last))
    if least is not None:
        touch(connection, table, least, greatest, 0)
    return least is not None


def _ordinals(span: SymbolSpan, sessions: Sessions) -> tuple[int, int]:
    """Return the ordinals of the first and last session within a span, inclusive."""
    end = span.last if span.last == FOREVER else span.last + dt.timedelta(1)
    first, after = sessions.ordinals_on_or_after(np.array([span.first, end], "datetime64[D]")).tolist()
    return first, after - 1
