"""The sessions of the exchange, in the database."""

from __future__ import annotations

import datetime as dt

import numpy as np

from batch_layer.database.postgres.binary_copy import Column, copy_out
from batch_layer.database.postgres.connection import Connection, Database
from batch_layer.database.postgres.queries import number
from batch_layer.shared.models.sessions import Sessions, calendar_of, extension
from batch_layer.shared.utils.calendar import FIRST_YEAR, exchange_sessions

_EPOCH = np.datetime64("1970-01-01", "D")
_AHEAD = dt.timedelta(days=400)
"""How far the calendar reaches at least: beyond the end of the longest window, of 252 sessions."""


def read_sessions(connection: Connection) -> Sessions | None:
    """Return the stored sessions, None if there are none."""
    columns = copy_out(
        connection,
        "SELECT ordinal, (session - date '1970-01-01')::int4, extract(epoch FROM opens_at)::int8, "
        "extract(epoch FROM closes_at)::int8, early_close FROM sessions ORDER BY ordinal",
        (
            Column("ordinal", "int4"),
            Column("session", "int4"),
            Column("opens_at", "int8"),
            Column("closes_at", "int8"),
            Column("early_close", "bool"),
        ),
    )
    if not len(columns["ordinal"]):
        return None
    return Sessions(
        int(columns["ordinal"][0]),
        _EPOCH + columns["session"].astype("timedelta64[D]"),
        columns["opens_at"].astype("datetime64[s]"),
        columns["closes_at"].astype("datetime64[s]"),
        columns["early_close"],
    )


def sessions_ahead(database: Database, now: dt.datetime) -> Sessions:
    """Return the sessions as stored, extended as `extend_sessions` does only if they do not reach as far.

    The library takes a second to load.

    Raises:
        CalendarChanged: as for `extend_sessions`.
    """
    with database.transaction(read_only=True) as connection:
        stored = read_sessions(connection)
    if stored is not None and stored.session(stored.last_ordinal).year >= _last_year(now):
        return stored
    return extend_sessions(database, now)


def extend_sessions(database: Database, now: dt.datetime) -> Sessions:
    """Bring the stored sessions to the end of the year that it is in 400 days, and return them all.

    Sessions that have closed, or that anything has been loaded for, are never changed; later ones
    become what the library says now.

    Args:
        database: the database.
        now: an aware datetime.

    Raises:
        CalendarChanged: the library disagrees about a session that may not change.
    """
    with database.locked("condvest sessions"), database.transaction() as connection:
        stored = read_sessions(connection)
        last_year = _last_year(now)
        if stored is not None:
            # A clock that went back takes nothing back.
            last_year = max(last_year, stored.session(stored.last_ordinal).year)
        fresh = calendar_of(*exchange_sessions(FIRST_YEAR, last_year))
        if stored is None:
            _insert(connection, fresh)
            return fresh
        before_all = stored.first_ordinal - 1
        last_loaded = number(connection, "SELECT coalesce(max(ordinal), %s) FROM ledger", (before_all,))
        fixed = max(stored.last_closed(now), last_loaded)
        coming = extension(stored, fresh, fixed)
        if not _same_tail(stored, coming):
            connection.execute("DELETE FROM sessions WHERE ordinal > %s", (coming.first_ordinal - 1,))
            _insert(connection, coming)
        return read_sessions(connection) or fresh


def _last_year(now: dt.datetime) -> int:
    return (now.astimezone(dt.UTC) + _AHEAD).year


def _same_tail(stored: Sessions, coming: Sessions) -> bool:
    start = coming.first_ordinal - stored.first_ordinal
    return all(
        np.array_equal(ours[start:], theirs)
        for ours, theirs in (
            (stored.date, coming.date),
            (stored.opens_at, coming.opens_at),
            (stored.closes_at, coming.closes_at),
            (stored.early_close, coming.early_close),
        )
    )


def _insert(connection: Connection, sessions: Sessions) -> None:
    rows = zip(
        range(sessions.first_ordinal, sessions.last_ordinal + 1),
        sessions.date.tolist(),
        sessions.opens_at.tolist(),
        sessions.closes_at.tolist(),
        sessions.early_close.tolist(),
        strict=True,
    )
    with connection.cursor().copy(
        "COPY sessions (ordinal, session, opens_at, closes_at, early_close) FROM STDIN"
    ) as copy:
        for ordinal, session, opens_at, closes_at, early_close in rows:
            copy.write_row(
                (
                    ordinal,
                    session,
                    opens_at.replace(tzinfo=dt.UTC),
                    closes_at.replace(tzinfo=dt.UTC),
                    early_close,
                )
            )
