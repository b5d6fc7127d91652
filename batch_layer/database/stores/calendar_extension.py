"""Bringing the stored sessions to what the calendar libraries say now.

Apart from `stores.sessions`, which reads them: a reader of bars waits for no library.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database
from condvest.batch_layer.database.postgres.queries import number, rows
from condvest.batch_layer.database.stores.sessions import read_sessions
from condvest.batch_layer.shared.models.bars import Bools
from condvest.batch_layer.shared.models.calendar_changes import check_agreement, check_past, with_decisions
from condvest.batch_layer.shared.models.sessions import NO_ORDINAL, Sessions, calendar_of
from condvest.batch_layer.shared.utils.calendar import (
    FIRST_YEAR,
    SECOND_KNOWS_FROM,
    exchange_sessions,
    library_version,
    second_library_version,
    second_opinion,
)

_AHEAD = dt.timedelta(days=400)
"""How far the calendar reaches at least: beyond the end of the longest window, of 252 sessions."""

_NO_DECISIONS: Mapping[dt.date, bool] = MappingProxyType({})
_COLUMNS = ("ordinal", "session", "opens_at", "closes_at", "early_close", "late_open")
_NOT_RECORDED = "exchange-calendars (its version was not recorded), with an earlier version of Condvest"


def sessions_ahead(
    database: Database, now: dt.datetime, decisions: Mapping[dt.date, bool] = _NO_DECISIONS
) -> Sessions:
    """Return the sessions as stored, extended as `extend_sessions` does only if need be.

    There is need if they do not reach far enough, if they stand on another version of a library than is
    installed now, or if they differ from a decision. The libraries take a second to load.

    Raises:
        CalendarChanged, CalendarDisputed: as for `extend_sessions`.
    """
    with database.transaction(read_only=True) as connection:
        stored = read_sessions(connection)
        is_current = _source(connection) == (library_version(), second_library_version())
    if stored is not None and is_current and _reaches(stored, now) and _is_as_decided(stored, decisions):
        return stored
    return extend_sessions(database, now, decisions)


def extend_sessions(
    database: Database, now: dt.datetime, decisions: Mapping[dt.date, bool] = _NO_DECISIONS
) -> Sessions:
    """Bring the stored sessions to what the library says now, and return them all.

    They begin with FIRST_YEAR and end with the year that it is in 400 days. The dates of sessions that have
    closed, or that anything has been loaded for, never change; later ones become what the library says now.
    Hours are corrected whenever they were. Earlier sessions may come before the first one stored.

    Args:
        database: the database.
        now: an aware datetime.
        decisions: by date, whether a person says that it is a session.

    Raises:
        CalendarChanged: the library disagrees about a session that may not change.
        CalendarDisputed: a second library disagrees about a session that may still change.
    """
    with database.locked("condvest sessions"), database.transaction() as connection:
        stored, source = read_sessions(connection), _source(connection)
        fresh = calendar_of(*with_decisions(exchange_sessions(*_years(stored, now)), decisions))
        last_fixed = int(NO_ORDINAL)
        if stored is not None:
            last_fixed = max(stored.last_closed(now), _last_loaded(connection))
            check_past(stored, fresh, last_fixed, source[0] if source else _NOT_RECORDED, library_version())
        second = check_second_opinion(fresh, last_fixed + 1, decisions)
        _put(connection, stored, fresh, last_fixed)
        if source != (library_version(), second):
            connection.execute(
                "INSERT INTO calendar_sources (library, second_library) VALUES (%s, %s)",
                (library_version(), second),
            )
        return fresh


def check_second_opinion(
    sessions: Sessions, first_ordinal: int, decisions: Mapping[dt.date, bool]
) -> str | None:
    """Make sure that a second library holds the same dates for sessions, as far back as it knows.

    Args:
        sessions: the calendar, to the end of a year.
        first_ordinal: of the first session to ask about; all that can be are asked about if it lies before
            the calendar.
        decisions: by date, whether a person says that it is a session; such a date needs no agreement.

    Returns:
        the second library and its version; None if it is not installed.

    Raises:
        CalendarDisputed: it disagrees; the message names each date.
    """
    second = second_library_version()
    # From the date after the session before, to the year's end: the second library may have one more there.
    position = first_ordinal - sessions.first_ordinal
    first = sessions.date[position - 1].item() + dt.timedelta(1) if position > 0 else SECOND_KNOWS_FROM
    first, last = max(first, SECOND_KNOWS_FROM), sessions.date[-1].item().replace(month=12, day=31)
    if second is None or first > last:
        return second
    theirs = second_opinion(first, last)
    if theirs is not None:
        ours = sessions.date[sessions.date >= np.datetime64(first)]
        check_agreement(ours, theirs, decisions, library_version(), second)
    return second


def _years(stored: Sessions | None, now: dt.datetime) -> tuple[int, int]:
    """Return the first and last year of the calendar; a clock that went back takes nothing back."""
    if stored is None:
        return FIRST_YEAR, _last_year(now)
    first, last = (date.year for date in stored.date[[0, -1]].tolist())
    return min(FIRST_YEAR, first), max(_last_year(now), last)


def _last_year(now: dt.datetime) -> int:
    return (now.astimezone(dt.UTC) + _AHEAD).year


def _reaches(stored: Sessions, now: dt.datetime) -> bool:
    return bool(stored.date[-1].item().year >= _last_year(now))


def _is_as_decided(stored: Sessions, decisions: Mapping[dt.date, bool]) -> bool:
    """Return whether each date that a person decided on, within the calendar, is stored so."""
    dates = np.array(list(decisions), dtype="datetime64[D]")
    is_session = np.array(list(decisions.values()), dtype=bool)
    within = (dates >= stored.date[0]) & (dates <= stored.date[-1])
    return np.array_equal(np.isin(dates, stored.date)[within], is_session[within])


def _source(connection: Connection) -> tuple[str, str | None] | None:
    """Return both libraries with the versions that last agreed with the stored sessions, None if unknown."""
    query = "SELECT library, second_library FROM calendar_sources ORDER BY source_id DESC LIMIT 1"
    return next(((library, second) for library, second in rows(connection, query)), None)


def _last_loaded(connection: Connection) -> int:
    return number(connection, "SELECT coalesce(max(ordinal), %s) FROM ledger", (int(NO_ORDINAL),))


def _put(connection: Connection, stored: Sessions | None, fresh: Sessions, last_fixed: int) -> None:
    """Store the calendar in place of the stored one; rows that are as they should be are not written."""
    changed = _changed(stored, fresh)
    ordinals = np.arange(fresh.first_ordinal, fresh.last_ordinal + 1)
    beyond = stored is not None and stored.last_ordinal > fresh.last_ordinal
    if changed[ordinals > last_fixed].any() or beyond:
        # All that follow are made anew, since dates that move up would meet each other on the way.
        changed |= ordinals > last_fixed
        connection.execute("DELETE FROM sessions WHERE ordinal > %s", (int(last_fixed),))
    if not changed.any():
        return
    connection.execute("CREATE TEMPORARY TABLE sessions_staged (LIKE sessions) ON COMMIT DROP")
    with connection.cursor().copy(
        f"COPY sessions_staged ({', '.join(_COLUMNS)}) FROM STDIN".encode()
    ) as copy:
        for row in _rows(fresh, np.flatnonzero(changed)):
            copy.write_row(row)
    connection.execute(
        "INSERT INTO sessions AS stored SELECT * FROM sessions_staged ON CONFLICT (ordinal) DO UPDATE SET "
        "(opens_at, closes_at, early_close, late_open) = "
        "(excluded.opens_at, excluded.closes_at, excluded.early_close, excluded.late_open)"
    )


def _changed(stored: Sessions | None, fresh: Sessions) -> Bools:
    """Return, for each session of ``fresh``, whether the stored one of its ordinal is missing or differs."""
    changed = np.ones(len(fresh), dtype=bool)
    if stored is None:
        return changed
    first = max(stored.first_ordinal, fresh.first_ordinal)
    count = min(stored.last_ordinal, fresh.last_ordinal) - first + 1
    old, new = (
        slice(first - calendar.first_ordinal, first - calendar.first_ordinal + count)
        for calendar in (stored, fresh)
    )
    changed[new] = (
        (stored.date[old] != fresh.date[new])
        | (stored.opens_at[old] != fresh.opens_at[new])
        | (stored.closes_at[old] != fresh.closes_at[new])
        | (stored.early_close[old] != fresh.early_close[new])
        | (stored.late_open[old] != fresh.late_open[new])
    )
    return changed


def _rows(sessions: Sessions, places: npt.NDArray[np.intp]) -> list[tuple[object, ...]]:
    """Return rows of the table, in the order of _COLUMNS."""
    return [
        (ordinal, date, opens_at.replace(tzinfo=dt.UTC), closes_at.replace(tzinfo=dt.UTC), early, late)
        for ordinal, date, opens_at, closes_at, early, late in zip(
            (places + sessions.first_ordinal).tolist(),
            sessions.date[places].tolist(),
            sessions.opens_at[places].tolist(),
            sessions.closes_at[places].tolist(),
            sessions.early_close[places].tolist(),
            sessions.late_open[places].tolist(),
            strict=True,
        )
    ]
