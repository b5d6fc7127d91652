"""Servers for the tests of the database: the embedded one, another one over TCP, or one that is given."""

import itertools
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from condvest.batch_layer.database.embedded.account import account_for
from condvest.batch_layer.database.embedded.binaries import find_binaries, major_of
from condvest.batch_layer.database.embedded.cluster import server_environment
from condvest.batch_layer.database.embedded.server import EmbeddedServer
from condvest.batch_layer.database.migrate import migrate
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores.calendar_extension import extend_sessions

WARDEN = Path(__file__).with_name("warden.py")
OWNER, PASSWORD = "keeper", "o'pen/s@same%4711"
_STOP_EMBEDDED = (
    "import sys; from pathlib import Path; "
    "from condvest.batch_layer.database.embedded.server import EmbeddedServer; "
    "EmbeddedServer(Path(sys.argv[1])).down(now=True)"
)
_FIRST_ICU = 15
# All but the calendar, and the record of what was altered, which no database is without; of the hundred
# partitions only those with a page, for to truncate one takes its time.
_FILLED = (
    "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' "
    "AND relname NOT IN ('sessions', 'calendar_sources', 'schema_migrations', 'touched') "
    "AND (NOT relispartition OR pg_relation_size(oid) > 0)"
)
# What a test may have put beside the schema, to make something fail; and the calendar, which it may change.
_KEPT = (
    "SELECT (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace), "
    "(SELECT sum(hash_record_extended(sessions, 0)) FROM sessions)"
)


def forget(connection):
    """Empty a database of today's schema but for the calendar."""
    filled = [row[0] for row in connection.execute(_FILLED)]
    connection.execute(f"TRUNCATE {', '.join(filled)} RESTART IDENTITY")


@dataclass
class Server:
    """A server on which the tests make databases.

    Attributes:
        kind: embedded, tcp or given.
        url: of a database on it that is there already.
        now: the instant up to which the calendar of a new database reaches.
    """

    kind: str
    url: str
    now: object
    _numbers: itertools.count = field(default_factory=itertools.count)
    _template: str | None = None
    _as_made: tuple | None = None
    _idle: list = field(default_factory=list)

    def url_of(self, name):
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def empty_database(self):
        """Make a database with nothing in it and return its URL."""
        return self._create("CREATE DATABASE {name}")

    def database(self):
        """Make a database of today's schema with the calendar in it, and return its URL."""
        if self._template is None:
            url = self.empty_database()
            with Database(url) as database:
                migrate(database)
                extend_sessions(database, self.now)
                with database.transaction(read_only=True) as connection:
                    self._as_made = connection.execute(_KEPT).fetchone()
            self._template = urlsplit(url).path[1:]
        return self._create("CREATE DATABASE {name} TEMPLATE {template}")

    @contextmanager
    def lent(self):
        """Yield the URL of such a database that nobody else uses meanwhile; it is emptied, not dropped."""
        url = self._idle.pop() if self._idle else self.database()
        yield url
        with psycopg.connect(url, autocommit=True) as connection:
            as_made = connection.execute(_KEPT).fetchone() == self._as_made
            if as_made:
                forget(connection)
                self._idle.append(url)
        if not as_made:
            self.drop(url)

    def drop(self, url):
        name = sql.Identifier(urlsplit(url).path[1:])
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def close(self):
        """Leave nothing behind on a server that is not ours."""
        for url in self._idle:
            self.drop(url)
        if self._template is not None:
            self.drop(self.url_of(self._template))

    def _create(self, command):
        name = f"condvest_test_{os.getpid()}_{next(self._numbers)}"
        parts = {"name": sql.Identifier(name), "template": sql.Identifier(self._template or "template1")}
        self._execute(sql.SQL(command).format(**parts))
        return self.url_of(name)

    def _execute(self, command):
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(command)


@contextmanager
def given_server(url, now):
    server = Server("given", url, now)
    yield server
    server.close()


@contextmanager
def embedded_server(now):
    stopping = (sys.executable, "-c", _STOP_EMBEDDED)
    with _guarded(lambda home: [*stopping, str(home)]) as home, EmbeddedServer(home).lease() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            # Nothing here outlives a crash of the machine.
            connection.execute("ALTER SYSTEM SET fsync = off")
            # With many databases a worker would come every few seconds, and each makes another version of the
            # data, where a test asks twice and expects one.
            connection.execute("ALTER SYSTEM SET autovacuum_naptime = '1h'")
            connection.execute("SELECT pg_reload_conf()")
        yield Server("embedded", url, now)


@contextmanager
def tcp_server(now):
    """A server as an administrator runs it: TCP, passwords, another locale, another time zone.

    The oldest one installed on the system is preferred, for the embedded one is as new as they come.
    """
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    binaries = installed[0] if installed else find_binaries()
    with _guarded(
        lambda root: [str(binaries / "pg_ctl"), "-D", str(root / "data"), "-m", "immediate", "stop"]
    ) as root:
        account = account_for(binaries, root)
        account.own(root)
        secret = root / "password"
        secret.write_text(PASSWORD + "\n")
        account.own(secret)
        locale = ["--encoding=UTF8", "--locale=C"]
        if installed and int(major_of(account.version)) >= _FIRST_ICU:
            locale += ["--locale-provider=icu", "--icu-locale=en-US"]
        _run(
            account,
            [binaries / "initdb", "-D", root / "data", "-U", "postgres"],
            ["--auth=scram-sha-256", f"--pwfile={secret}", *locale],
        )
        port = _start(account, binaries, root)
        address = f"127.0.0.1:{port}/postgres"
        password = quote(PASSWORD, safe="")
        with psycopg.connect(f"postgresql://postgres:{password}@{address}", autocommit=True) as connection:
            role, word = sql.Identifier(OWNER), sql.Literal(PASSWORD)
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(role, word))
        yield Server("tcp", f"postgresql://{OWNER}:{password}@{address}", now)


def _start(account, binaries, root):
    """Start the server on a port that was free a moment ago, and return the port."""
    settings = "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c timezone=Asia/Tokyo"
    for last in (False, False, True):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [binaries / "pg_ctl", "-D", root / "data", "-w", "-l", root / "data" / "log"]
        try:
            _run(account, command, ["-o", f"{settings} -p {port}", "start"])
        except subprocess.CalledProcessError:
            if last:
                raise
        else:
            return port
    raise AssertionError


def _run(account, command, options):
    subprocess.run(
        [*account.prefix, *map(str, command), *options],
        check=True,
        cwd="/",
        env=server_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def _guarded(stopping):
    """Yield a new directory; ``stopping(directory)`` is run at the end, and the directory removed."""
    directory = Path(tempfile.mkdtemp(prefix="condvest-test-"))
    directory.chmod(0o755)
    command = stopping(directory)
    if os.geteuid() == 0 and command[0] != sys.executable:
        command = [*account_for(find_binaries(), directory).prefix, *command]
    warden = subprocess.Popen(
        [sys.executable, str(WARDEN), str(directory), *command],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield directory
    finally:
        warden.stdin.close()
        warden.wait()
