"""The commands about the database itself: db up, db down, db url, db migrate, db shell, doctor."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from condvest.batch_layer.database.embedded.listening import Listening, listening_of
from condvest.batch_layer.database.embedded.server import EmbeddedServer
from condvest.batch_layer.database.logins import grant_logins
from condvest.batch_layer.database.migrate import migrate as apply_migrations
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.postgres.connecting.variables import psql_environment
from condvest.batch_layer.database.readers import grant_reader, reader_password
from condvest.batch_layer.operations.doctor import all_checks, psql
from condvest.batch_layer.shared import exit_codes
from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.postgres_url import PostgresUrl
from condvest.cli.context import Cli, pass_cli
from condvest.cli.options import json_option
from condvest.cli.output import screen, streams
from condvest.cli.output.data import write_json
from condvest.cli.output.messages import message


@click.group()
def db() -> None:
    """Start, stop and reach the database."""


@db.command()
@click.option(
    "--listen",
    metavar="ADDRESS",
    help="Listen on TCP too, for readers with a password: 127.0.0.1 or ::1, this machine alone.",
)
@click.option("--port", type=int, default=5433, show_default=True, help="Port to listen on.")
@pass_cli
def up(cli: Cli, listen: str | None, port: int) -> None:
    """Start the embedded server and keep it running.

    Stop it with: condvest db down
    """
    listening = None if listen is None else listening_of(listen, port)
    address = _keep_up(cli, listening)
    message(f"the embedded server is up; its log: {_embedded(cli).status().log}")
    if listening is not None:
        message(
            f"it listens on {listening.address}, port {listening.port}, for roles that `condvest db "
            "grant-reader NAME --password-file FILE` has given a password"
        )
    if streams.has_output():  # the server is up, whether or not anybody wants its address
        click.echo(address)


@db.command()
@click.option(
    "--now", is_flag=True, help="Stop it even while commands use it; PostgreSQL rolls their work back."
)
@pass_cli
def down(cli: Cli, now: bool) -> None:
    """Stop the embedded server."""
    message(f"the embedded server {_embedded(cli).down(now=now).value}")


@db.command(short_help="Print the URL of the database.")
@pass_cli
def url(cli: Cli) -> None:
    """Print the URL of the database.

    Starts the embedded server, if the database is that one, and keeps it running.
    """
    click.echo(cli.settings.database.url or _keep_up(cli))


@db.command(short_help="Bring the schema to this version.")
@json_option
@pass_cli
def migrate(cli: Cli, as_json: bool) -> None:
    """Bring the schema to this version; on RDS, create the users of the functions and jobs."""
    if cli.settings.database.url is not None:
        with Database(cli.settings.database.url, aws.database_login(cli.settings)) as database:
            applied = apply_migrations(database)
            users = grant_logins(database)
    else:
        with _embedded(cli).lease() as address, Database(address, reads_environment=False) as database:
            applied, users = apply_migrations(database), []
    if as_json:
        write_json({"applied": applied, "users": users})
    else:
        message(f"applied {', '.join(applied)}" if applied else "nothing to apply: the schema is up to date")
        if users:
            message(f"users who may log in by IAM: {', '.join(users)}")


@db.command("grant-reader", short_help="Let a role read the views.")
@click.argument("name")
@click.option(
    "--password-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that holds the role's password; made with a random one if it is not there.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@json_option
@pass_cli
def grant_reader_command(
    cli: Cli, name: str, password_file: Path | None, dry_run: bool, as_json: bool
) -> None:
    """Let the role NAME read the views of docs/sql.md, and nothing else.

    Makes the role if it is missing. It can be run again at any time.
    """
    password = None if password_file is None else reader_password(password_file, may_make=not dry_run)
    with cli.workspace() as workspace:
        reader = grant_reader(workspace.database, name, password=password, rehearsal=dry_run)
    if as_json:
        write_json({"role": name, "views": reader.views, "is_new": reader.is_new, "done": not dry_run})
        return
    for statement in reader.statements:
        message(f"{statement};")
    made = "would read" if dry_run else "reads"
    message(f"{name} {made} the views in schema {reader.views}, and nothing else")


@db.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PSQL ARGUMENT...]")
@pass_cli
def shell(cli: Cli, arguments: tuple[str, ...]) -> None:
    """Open psql on the database, with the given arguments."""
    if cli.settings.database.url is not None:
        sys.exit(_psql(cli, PostgresUrl.parse(cli.settings.database.url), arguments))
    with cli.workspace() as workspace:
        code = _psql(cli, workspace.database.url, arguments)
    sys.exit(code)


@click.command(short_help="Check the installation.")
@json_option
@pass_cli
def doctor(cli: Cli, as_json: bool) -> None:
    """Check the installation and say how to fix what is wrong; the exit code is 1 if anything is."""
    checks = all_checks(cli.settings)
    if as_json:
        write_json(
            {
                "checks": [
                    {"name": check.name, "ok": check.ok, "found": check.finding, "mend": check.mend}
                    for check in checks
                ]
            }
        )
    else:
        rows = [("ok" if check.ok else "WRONG", check.name, check.finding) for check in checks]
        screen.table(("", "check", "found"), rows)
        for check in checks:
            if not check.ok:
                message(f"\n{check.name}: {check.mend}")
    sys.exit(exit_codes.check_code(passed=all(check.ok for check in checks)))


COMMANDS = (db, doctor)


def _embedded(cli: Cli) -> EmbeddedServer:
    if cli.settings.database.url is not None:
        raise UsageError("CONDVEST_DATABASE_URL names another database; unset it to use db up and db down")
    return EmbeddedServer(cli.settings.home, binaries=cli.settings.database.binaries)


def _keep_up(cli: Cli, listening: Listening | None = None) -> str:
    address = _embedded(cli).up(listening)
    with cli.workspace():
        return address


def _psql(cli: Cli, address: PostgresUrl, arguments: tuple[str, ...]) -> int:
    program = psql(cli.settings) or shutil.which("psql")
    if program is None:
        raise UsageError(
            "psql is not installed; install it, or give another client the URL that `condvest db url` prints"
        )
    # By the environment: the arguments of a process are shown to everybody on the machine.
    environ = psql_environment(address, os.environ, ours_alone=cli.settings.database.url is None)
    return subprocess.run([program, *arguments], env=environ, check=False).returncode
