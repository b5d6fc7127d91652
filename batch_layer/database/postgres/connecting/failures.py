"""What each of PostgreSQL's error codes means for the step that met it, and what to do about it.

Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html. The table is shown in docs/postgres.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psycopg

from condvest.batch_layer.shared.errors import (
    CondvestError,
    DatabaseDamaged,
    DatabaseError,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseRefusedValue,
    DatabaseTimeout,
    DatabaseUnavailable,
)


class Failure(NamedTuple):
    """What an SQLSTATE, or a class of them, means.

    Attributes:
        error: the class raised; a `TransientError` makes AWS Batch try again, any other ends the job.
        what: what happened, before the server's own words.
        to_do: what to do, after them.
    """

    error: type[CondvestError]
    what: str
    to_do: str


_AGAIN = "nothing from this step was saved, run it again"
_AWAY = Failure(DatabaseUnavailable, "cannot reach the database", _AGAIN)
_CONFLICT = Failure(DatabaseUnavailable, "another transaction was in the way", _AGAIN)
_BUSY = Failure(DatabaseUnavailable, "the database is out of memory or connections", _AGAIN)
_LOGIN = Failure(DatabaseError, "the database refused the connection", "check CONDVEST_DATABASE_URL")
_TIMEOUT = "raise {0} for the role (ALTER ROLE ... SET {0} = 0) and run it again"
_POOLED = (
    "a connection pooler in transaction mode does this: connect to the server itself, or to a pool in "
    "session mode"
)
_DAMAGED = Failure(
    DatabaseDamaged,
    "stored data are damaged",
    "condvest resample --full makes the bars of n sessions anew; if it ends so, too, restore a backup, or "
    "move the database away and run: condvest rebuild",
)
_DISK = Failure(DatabaseError, "the server cannot use its disk", "see the server's log")

BY_STATE = {
    "08P01": Failure(DatabaseError, "the server or a pooler before it refused", _POOLED),
    "25006": Failure(
        DatabaseReadOnly,
        "the database takes no writes",
        "connect to the primary server, or as a role whose default_transaction_read_only is off",
    ),
    "25P03": Failure(
        DatabaseError,
        "the server ended an idle transaction",
        _TIMEOUT.format("idle_in_transaction_session_timeout"),
    ),
    "25P04": Failure(
        DatabaseError, "the server ended a long transaction", _TIMEOUT.format("transaction_timeout")
    ),
    "26000": Failure(DatabaseError, "the session was changed under us", _POOLED),
    "28000": _LOGIN,
    "28P01": _LOGIN,
    "3D000": _LOGIN,
    "3F000": Failure(
        DatabaseError,
        "the search path of this role names no schema that is there",
        "make one (CREATE SCHEMA), or name another one, as docs/postgres.md shows",
    ),
    "42501": Failure(
        DatabaseError, "the role may not do this", "grant it what docs/postgres.md lists, and run it again"
    ),
    "42P05": Failure(DatabaseError, "the session was changed under us", _POOLED),
    "53100": Failure(DatabaseFull, "the database has no room on its disk", "free some and run it again"),
    "53400": Failure(DatabaseError, "a limit of the server was reached", "raise the limit and run it again"),
    "55P03": Failure(
        DatabaseTimeout, "a lock was not to be had in the time allowed", _TIMEOUT.format("lock_timeout")
    ),
    "57014": Failure(
        DatabaseTimeout,
        "the statement was cancelled",
        "if nobody cancelled it, " + _TIMEOUT.format("statement_timeout"),
    ),
    "57P05": Failure(
        DatabaseError, "the server ended an idle session", _TIMEOUT.format("idle_session_timeout")
    ),
    "58030": _DISK,
    "58P01": _DISK,
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
}
"""By whole SQLSTATE; these come before those of `BY_CLASS`."""

BY_CLASS = {"08": _AWAY, "40": _CONFLICT, "53": _BUSY, "57": _AWAY}
"""By the first two characters of the SQLSTATE."""

_REFUSALS = (
    "authentication failed",
    "authentication method requirement",
    "no password supplied",
    "no pg_hba.conf entry",
    "not permitted to log in",
    "permission denied",
    "Permission denied",  # of the system, about a socket
    "does not exist",
    "no such database",
    "no such user",
    "certificate verify failed",
    "does not match host name",
    "is required, but",
    "required, but server",
    "was required",
    "encryption required but",
    "has group or world access",
    "may not be used with sslrootcert",
    "invalid connection option",
    "invalid port number",
    "invalid integer value",
    'value: "',
    "could not match",
    "could not parse network address",
    "service file",
    "definition of service",
    "unrecognized configuration parameter",
    "invalid command-line argument",
    "invalid value for parameter",
    "not in hot standby mode",
    "session is not read-only",
    "max_wal_senders",
)
"""Words about a connection that is refused for good. The driver gives no SQLSTATE for such a one."""

_UNSUPPORTED = "unsupported startup parameter"
"""PgBouncer's word for the ``options`` of a URL."""


def failure_of(error: psycopg.Error) -> Failure:
    """Return what an error of the driver means."""
    state = error.sqlstate or ""
    text = str(error)
    if state in BY_STATE:
        return BY_STATE[state]
    if state[:2] in BY_CLASS:
        return BY_CLASS[state[:2]]
    if isinstance(error, psycopg.DataError):
        return Failure(DatabaseRefusedValue, f"the database refused ({state or 'no SQLSTATE'})", "")
    if not state and isinstance(error, psycopg.OperationalError):
        if _UNSUPPORTED in text:
            return BY_STATE["08P01"]
        return _LOGIN if any(phrase in text for phrase in _REFUSALS) else _AWAY
    return Failure(DatabaseError, f"the database refused ({state or 'no SQLSTATE'})", "")


def translation_of(error: psycopg.Error) -> CondvestError:
    """Return the error of ours for an error of the driver, with the server's words in it."""
    failure = failure_of(error)
    text = str(error).strip() or type(error).__name__
    return failure.error("; ".join(filter(None, (f"{failure.what}: {text}", failure.to_do))))


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except psycopg.Error as error:
        raise translation_of(error) from error
