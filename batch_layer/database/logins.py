"""The database's users on AWS: who logs in by IAM, and what each may do.

RDS has a role ``rds_iam``; whoever is a member of it logs in with a token that AWS signs, and has no
password at all. Where that role is not there, this is no database of RDS and nothing is done.
"""

from __future__ import annotations

from psycopg import sql

from batch_layer.database.postgres.connection import Connection, Database

USERS = ("condvest_loader", "condvest_jobs")
"""The functions that load, and the jobs; the Terraform names them alike."""

_GRANTS = (
    "GRANT rds_iam TO {user}",
    "GRANT USAGE ON SCHEMA public TO {user}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {user}",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {user}",
    # What has been applied is for the administrator to say.
    "REVOKE INSERT, UPDATE, DELETE ON schema_migrations FROM {user}",
)


def grant_logins(database: Database) -> list[str]:
    """Make the users that are missing and let all of them do their work; return the users.

    It may be done again at any time, and is after each migration, for the new tables.

    Returns:
        the users; none if the server knows no login by IAM.

    Raises:
        DatabaseError: the present user may not make others.
    """
    with database.locked("condvest migrate"), database.transaction() as connection:
        if not _is_there(connection, "rds_iam"):
            return []
        for user in USERS:
            name = sql.Identifier(user)
            if not _is_there(connection, user):
                connection.execute(sql.SQL("CREATE ROLE {user} LOGIN").format(user=name))
            for grant in _GRANTS:
                connection.execute(sql.SQL(grant).format(user=name))
    return list(USERS)


def _is_there(connection: Connection, role: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is not None
