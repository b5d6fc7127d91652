"""The table ``live_daily_bars``, for readers: the provisional bars of the session under way.

The collector of the speed layer writes it; it lies here because the serving layer, which knows nothing of the
speed layer, reads it in the transaction of its other answers.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column, select_list
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.packed import MOST_ROWS, read_out
from condvest.batch_layer.database.postgres.queries import array_of, column, records
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
    rows = LiveBars(**read_out(connection, query, _COLUMNS, parameters, MOST_ROWS))
    return rows.in_order(keys_of(rows))


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
