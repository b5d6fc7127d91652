"""What `condvest doctor` looks at."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from condvest.batch_layer.database.embedded.account import account_for
from condvest.batch_layer.database.embedded.binaries import find_binaries
from condvest.batch_layer.database.embedded.server import EmbeddedServer
from condvest.batch_layer.database.migrate import check_schema, is_empty
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores.calendar_extension import check_second_opinion
from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.errors import CondvestError
from condvest.batch_layer.shared.models.calendar_changes import with_decisions
from condvest.batch_layer.shared.models.sessions import calendar_of
from condvest.batch_layer.shared.settings import Settings
from condvest.batch_layer.shared.utils.calendar import (
    FIRST_YEAR,
    SECOND_KNOWS_FROM,
    exchange_sessions,
    library_version,
)

_LEAST_FREE = 1 << 30


@dataclass(frozen=True)
class Check:
    """One check of the installation.

    Attributes:
        name: what was checked.
        ok: whether it is as it should be.
        finding: what was found.
        mend: what to do if it is not ok.
    """

    name: str
    ok: bool
    finding: str
    mend: str = ""


def all_checks(settings: Settings) -> list[Check]:
    """Return the checks, in the order in which their subjects depend on each other; starts no server."""
    return [
        _python(),
        _home(settings),
        _room(settings),
        _attempt(
            "calendar", lambda: _calendar(settings), "make install installs calendar libraries that agree"
        ),
        _attempt("server binaries", lambda: str(find_binaries(settings.database.binaries)), "make install"),
        _attempt(
            "database",
            lambda: _database(settings),
            "follow the message; condvest db up names the server's log",
        ),
    ]


def psql(settings: Settings) -> str | None:
    """Return the psql that came with the embedded server, None if there is none."""
    try:
        program = find_binaries(settings.database.binaries) / "psql"
    except CondvestError:
        return None  # an external database needs no embedded server
    return str(program) if program.exists() else None


def _nearest(path: Path) -> Path:
    """Return the path, or the nearest directory above it that is there for this user."""
    return next(ancestor for ancestor in (path, *path.parents) if os.path.exists(ancestor))  # noqa: PTH110  # Path.exists raises where we may not look


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check(
        "python",
        ok=sys.version_info >= (3, 11),
        finding=f"{version}, condvest {metadata.version('condvest')}",
        mend="install Python 3.11 or later",
    )


def _home(settings: Settings) -> Check:
    nearest = _nearest(settings.home)
    ok = nearest.is_dir() and os.access(nearest, os.W_OK)
    return Check(
        "home",
        ok,
        str(settings.home),
        f"you cannot write to {nearest}; set CONDVEST_HOME to a directory that you own",
    )


def _room(settings: Settings) -> Check:
    nearest = _nearest(settings.home)
    free = shutil.disk_usage(nearest).free
    return Check(
        "disk",
        free >= _LEAST_FREE,
        f"{free / 1e9:.1f} GB free",
        f"free at least {_LEAST_FREE / 1e9:.1f} GB on the disk of {nearest}, or move CONDVEST_HOME",
    )


def _calendar(settings: Settings) -> str:
    decisions = dict(settings.disputed_sessions)
    next_year = dt.datetime.now(dt.UTC).year + 1
    sessions = calendar_of(*with_decisions(exchange_sessions(FIRST_YEAR, next_year), decisions))
    date = sessions.date
    description = f"{len(date):,} sessions, {date[0]} to {date[-1]}, {library_version()}"
    second = check_second_opinion(sessions, sessions.first_ordinal, decisions)
    if second is None:
        return f"{description}; no second opinion: exchange-calendars is not installed"
    return f"{description}; {second} agrees since {SECOND_KNOWS_FROM.year}"


def _database(settings: Settings) -> str:
    if settings.database.url is not None:
        with Database(settings.database.url, aws.database_login(settings)) as database:
            return f"{_version(database)}; {_schema(database)}"
    server = EmbeddedServer(settings.home, binaries=settings.database.binaries).status()
    if not server.running:  # whether it could: the system decides which user may run it, and how
        account_for(find_binaries(settings.database.binaries), _nearest(server.data_directory.parent))
    return f"embedded, {'running' if server.running else 'not running'}, data in {server.data_directory}"


def _version(database: Database) -> str:
    with database.transaction(read_only=True) as connection:
        return f"PostgreSQL {connection.info.server_version // 10000}"


def _schema(database: Database) -> str:
    if is_empty(database):
        return "empty; condvest db migrate creates the schema"
    check_schema(database)
    return "schema up to date"


def _attempt(name: str, look: Callable[[], str], mend: str) -> Check:
    try:
        return Check(name, ok=True, finding=look())
    except CondvestError as error:
        return Check(name, ok=False, finding="not usable", mend=f"{error} ({mend})")
