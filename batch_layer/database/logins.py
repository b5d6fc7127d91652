"""The database's users on AWS: who logs in by IAM, and what each may do.

RDS has a role ``rds_iam``; whoever is a member of it logs in with a token that AWS signs, and has no
password at all. Where that role is not there, this is no database of RDS and nothing is done.
"""

from __future__ import annotations

from psycopg import sql

from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database
from condvest.batch_layer.shared.settings import INTERVALS

ADMINISTRATORS_OWN = frozenset({"schema_migrations"})
"""What has been applied is for the administrator to say: everybody else reads it."""

BARS = frozenset({"closed_bars", "open_bars"})
"""What is made of daily bars: the functions that load neither read nor write it."""

VIEWS_OF_BARS = frozenset({"bars", *(f"bars_{interval}" for interval in INTERVALS)})
"""What all bars are read by, and nobody writes."""

CALENDAR = frozenset({"sessions", "calendar_sources"})
"""It grows by itself, whoever opens the database."""

MADE_BY_JOBS = BARS | CALENDAR | {"changes", "runs", "touched"}
"""What the jobs that resample and publish write."""

OF_THE_SESSION = ("live_", "alert_")
"""What the tables of the session under way and of alert rules begin with."""

USERS = ("condvest_loader", "condvest_jobs", "condvest_backfill", "condvest_live")
"""The functions that load; the jobs that resample and publish; the job that does all of it for a history; the
job that collects the session under way, which alters nothing official.

Publishing resamples what is left, so it has the rights of resampling. The Terraform names the users alike.
"""

_TABLES = """
SELECT coalesce(parent.relname, one.relname), one.relname FROM pg_class AS one
LEFT JOIN pg_inherits ON inhrelid = one.oid LEFT JOIN pg_class AS parent ON parent.oid = inhparent
WHERE one.relnamespace = 'public'::regnamespace
AND (one.relkind IN ('r', 'p') OR one.relkind = 'v' AND one.relname = ANY(%s)) ORDER BY 2
"""
_READ, _WRITE = "SELECT", "SELECT, INSERT, UPDATE, DELETE"


def rights_of(user: str, table: str) -> str:
    """Return a user's privileges on a view or table (of a partition, its parent's name); none if empty."""
    if table in ADMINISTRATORS_OWN:
        return _READ
    if user == "condvest_loader":
        return "" if table in BARS | VIEWS_OF_BARS else _WRITE
    if table in VIEWS_OF_BARS:
        return _READ
    if user == "condvest_jobs":
        return _WRITE if table in MADE_BY_JOBS else _READ
    if user == "condvest_live":
        return _WRITE if table in CALENDAR or table.startswith(OF_THE_SESSION) else _READ
    return _WRITE


def grant_logins(database: Database) -> list[str]:
    """Make the users that are missing and let each of them do its work and no more; return the users.

    It may be done again at any time, and is after each migration, for the new tables.

    Returns:
        the users; none if the server knows no login by IAM.

    Raises:
        DatabaseError: the present user may not make others.
    """
    with database.locked("condvest migrate"), database.transaction() as connection:
        if not _is_there(connection, "rds_iam"):
            return []
        tables = [
            (str(parent), str(table))
            for parent, table in connection.execute(_TABLES, [sorted(VIEWS_OF_BARS)])
        ]
        for user in USERS:
            name = sql.Identifier(user)
            if not _is_there(connection, user):
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
            connection.execute(sql.SQL("GRANT rds_iam TO {}").format(name))
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(name))
            connection.execute(sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(name))
            # What an earlier version gave and this one does not is taken back.
            connection.execute(sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(name))
            for parent, table in tables:
                if rights := rights_of(user, parent):
                    grant = sql.SQL("GRANT {} ON {} TO {}")
                    connection.execute(grant.format(sql.SQL(rights), sql.Identifier(table), name))
    return list(USERS)


def _is_there(connection: Connection, role: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is not None
