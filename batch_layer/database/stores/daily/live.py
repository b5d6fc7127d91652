"""The table ``live_daily_bars``, for readers: the provisional bars of the session under way.

The collector of the speed layer writes it; it lies here because the serving layer, which knows nothing of the
speed layer, reads it in the transaction of its other answers, and loads say whose rows they are.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column, select_list
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of, column, records, rows
from condvest.batch_layer.database.postgres.reading.packed import MOST_ROWS, read_out
from condvest.batch_layer.shared.core.names.names_of_today import Carriage
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.difference import keys_of
from condvest.batch_layer.shared.models.live import LiveBars

_COLUMNS = (
    Column("instrument_id", "int4"),
    Column("ordinal", "int4"),
    Column("open", "float8", float("nan")),
    *(Column(name, "float8") for name in ("high", "low", "close", "volume")),
    Column("vwap", "float8", float("nan")),
    Column("data_through", "timestamptz"),
)
_TABLE = "live_daily_bars"
_OF_SOME = sql.SQL(" WHERE instrument_id = ANY(%(ids)s::int4[])")


def read_live(connection: Connection, instrument_id: Int32s | None = None) -> LiveBars:
    """Return the live rows of the instruments (of all if None), by instrument and ordinal.

    Whether a row counts beside the daily bars is for `condvest.batch_layer.shared.core.live` to say.
    """
    query = sql.SQL("SELECT {} FROM {}{}").format(
        select_list(_COLUMNS, _TABLE),
        sql.Identifier(_TABLE),
        sql.SQL("") if instrument_id is None else _OF_SOME,
    )
    parameters = None if instrument_id is None else {"ids": array_of(instrument_id)}
    # They are of the session under way, and perhaps of a few before it: always few enough for one value.
    live = LiveBars(**read_out(connection, query, _COLUMNS, parameters, MOST_ROWS))
    return live.in_order(keys_of(live))


def forget_moved(connection: Connection, before: Carriage, after: Carriage) -> None:
    """Remove the live rows of instruments that carry another symbol on their session than was thought.

    What is known of a symbol is stored anew by whoever collects it, with whom it is of now. Rows that a
    collector is writing in this instant are left to it: it looks who carries what after each load.
    """
    every = before.spans.keys() | after.spans.keys()
    ids = [each for each in every if before.spans.get(each) != after.spans.get(each)]
    stored = rows(
        connection,
        "SELECT ordinal, session, instrument_id FROM live_daily_bars JOIN sessions USING (ordinal) "
        "WHERE instrument_id = ANY(%s)",
        (ids,),
    )
    moved = [
        (ordinal, instrument_id)
        for ordinal, session, instrument_id in stored
        if before.symbol(instrument_id, session) != after.symbol(instrument_id, session)
    ]
    if moved:
        ordinals, ids = (list(each) for each in zip(*moved, strict=True))
        connection.execute(
            "DELETE FROM live_daily_bars WHERE (ordinal, instrument_id) IN (SELECT ordinal, instrument_id "
            "FROM live_daily_bars JOIN unnest(%s::int4[], %s::int4[]) AS moved (ordinal, instrument_id) "
            "USING (ordinal, instrument_id) FOR UPDATE OF live_daily_bars SKIP LOCKED)",
            (ordinals, ids),
        )


def first_live(connection: Connection) -> dt.date | None:
    """Return the first session that has live rows; None if none has."""
    sessions = column(
        connection,
        "SELECT session FROM live_daily_bars JOIN sessions USING (ordinal) ORDER BY ordinal LIMIT 1",
    )
    return sessions[0] if sessions else None


def live_state(connection: Connection) -> dict[str, Any] | None:
    """Return how far the newest run of a collector has got; None if there was none.

    Returns:
        run_id, session (date), phase, state, data_through and anchored_at (aware datetimes), delay_s
        (seconds), ticks.
    """
    newest = records(
        connection,
        "SELECT run_id, session, phase, state, data_through, anchored_at, delay_s, ticks FROM live_runs "
        "LEFT JOIN sessions USING (ordinal) ORDER BY run_id DESC LIMIT 1",
    )
    return newest[0] if newest else None
