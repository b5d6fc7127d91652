"""What `condvest doctor` looks at."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

from batch_layer.database.embedded.binaries import find_binaries
from batch_layer.database.embedded.server import EmbeddedServer
from batch_layer.database.migrate import check_schema, is_empty
from batch_layer.database.postgres.connection import Database
from batch_layer.database.stores.sessions import check_second_opinion
from batch_layer.shared.errors import CondvestError
from batch_layer.shared.models.calendar_changes import with_decisions
from batch_layer.shared.models.sessions import calendar_of
from batch_layer.shared.settings import Settings
from batch_layer.shared.utils.calendar import (
    FIRST_YEAR,
    SECOND_KNOWS_FROM,
    exchange_sessions,
    library_version,
)

_LEAST_FREE = 1 << 30


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        name: what was looked at.
        ok: whether it is as it should be.
        found: what was found.
        mend: what to do if it is not ok.
    """

    name: str
    ok: bool
    found: str
    mend: str = ""


def all_checks(settings: Settings) -> list[Check]:
    """Return what is found, in the order in which things depend on each other. Starts nothing new."""
    return [
        _python(),
        _home(settings),
        _room(settings),
        _attempt("calendar", lambda: _calendar(settings), "make install brings the versions that agree"),
        _attempt("server binaries", lambda: str(find_binaries(settings.database.binaries)), "make install"),
        _attempt(
            "database", lambda: _database(settings), "see the message; condvest db up shows the server's log"
        ),
    ]


def psql(settings: Settings) -> str | None:
    """Return the psql that came with the embedded server, None if there is none."""
    try:
        program = find_binaries(settings.database.binaries) / "psql"
    except CondvestError:
        return None  # an external database needs no embedded server
    return str(program) if program.exists() else None


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check(
        "python",
        ok=sys.version_info >= (3, 11),
        found=f"{version}, condvest {metadata.version('condvest')}",
        mend="install Python 3.11 or later",
    )


def _home(settings: Settings) -> Check:
    nearest = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    ok = nearest.is_dir() and os.access(nearest, os.W_OK)
    return Check(
        "home",
        ok,
        str(settings.home),
        f"{nearest} cannot be written; set CONDVEST_HOME to a directory of yours",
    )


def _room(settings: Settings) -> Check:
    nearest = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(nearest).free
    return Check(
        "disk",
        free >= _LEAST_FREE,
        f"{free / 1e9:.1f} GB free",
        f"free some room below {nearest}, or set CONDVEST_HOME",
    )


def _calendar(settings: Settings) -> str:
    decisions = dict(settings.disputed_sessions)
    next_year = dt.datetime.now(dt.UTC).year + 1
    sessions = calendar_of(*with_decisions(exchange_sessions(FIRST_YEAR, next_year), decisions))
    date = sessions.date
    found = f"{len(date):,} sessions, {date[0]} to {date[-1]}, {library_version()}"
    second = check_second_opinion(sessions, sessions.first_ordinal, decisions)
    if second is None:
        return f"{found}; no second opinion: exchange-calendars is not installed"
    return f"{found}; {second} agrees since {SECOND_KNOWS_FROM.year}"


def _database(settings: Settings) -> str:
    if settings.database.url is not None:
        with Database(settings.database.url) as database:
            return f"{_version(database)}; {_schema(database)}"
    server = EmbeddedServer(settings.home, binaries=settings.database.binaries).status()
    return f"embedded, {'running' if server.running else 'not running'}, data in {server.data_directory}"


def _version(database: Database) -> str:
    with database.transaction(read_only=True) as connection:
        return f"PostgreSQL {connection.info.server_version // 10000}"


def _schema(database: Database) -> str:
    if is_empty(database):
        return "empty; condvest db migrate gives it a schema"
    check_schema(database)
    return "schema up to date"


def _attempt(name: str, look: Callable[[], str], mend: str) -> Check:
    try:
        return Check(name, ok=True, found=look())
    except CondvestError as error:
        return Check(name, ok=False, found="not usable", mend=f"{error} ({mend})")
