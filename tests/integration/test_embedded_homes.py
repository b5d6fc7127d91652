"""Where the embedded server's home may be, and what does not matter to it."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from batch_layer.database.embedded.server import EmbeddedServer
from tests.support.databases.embedded_processes import (
    Client,
    is_dead,
)


@pytest.mark.parametrize(
    "name",
    ["a" * 120 + "/" + "b" * 120, 'it\'s a "home", $HOME; \\ ü'],
    ids=["long", "odd"],
)
def test_any_path_can_be_a_home(new_home, name):
    """The socket lies elsewhere in a short directory, and no shell ever reads the path."""
    home = new_home / name
    server = EmbeddedServer(home)
    with server.lease() as url:
        assert value_of(url, "SELECT 1") == 1
        socket = server.status().socket_directory / ".s.PGSQL.5432"
        assert socket.is_socket()
        assert len(os.fsencode(socket)) <= 100
    assert is_dead(home)


def test_the_environment_of_a_client_does_not_matter(home, new_home):
    """PostgreSQL's variables, another time zone and other directories for sockets lead to the same server."""
    runtime = new_home.parent / "runtime"
    runtime.mkdir(mode=0o700)
    odd = {
        "PGPORT": "1",
        "PGHOST": "nowhere.invalid",
        "PGDATA": "/nowhere",
        "PGUSER": "nobody",
        "PGSERVICE": "of_another_database",
        "PGCHANNELBINDING": "require",
        "PGDATESTYLE": "German",
        "TZ": "Asia/Tokyo",
    }
    first, second = Client(home, environ={**odd, "XDG_RUNTIME_DIR": str(runtime)}), Client(home)
    try:
        url = first.tell("lease")
        assert str(runtime).replace("/", "%2F") in url
        assert second.tell("lease") == url
        assert value_of(url, "SHOW TimeZone") == "UTC"
        assert second.tell("pid") == first.tell("pid")
        first.tell("leave")
        second.tell("leave")
    finally:
        first.close()
        second.close()
    assert is_dead(home)
    assert Path(runtime).exists()


def test_new_settings_of_ours_hold_from_the_next_start(new_home):
    """The file of our settings is written anew, and what the user set by ALTER SYSTEM prevails."""
    with EmbeddedServer(new_home).lease():
        pass
    (new_home / "postgres" / "data" / "condvest.conf").write_text("max_connections = 7\n")
    with EmbeddedServer(new_home).lease() as url, psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("SHOW max_connections").fetchone() == ("40",)
        connection.execute("ALTER SYSTEM SET max_connections = 11")
    with EmbeddedServer(new_home).lease() as url:
        assert value_of(url, "SHOW max_connections") == "11"


def test_on_windows_the_import_succeeds_and_the_use_says_what_to_do(tmp_path):
    """Nothing of POSIX is needed until the server is used."""
    script = (
        "import sys, psycopg; sys.platform = 'win32'; sys.modules['fcntl'] = None\n"
        "from pathlib import Path; from batch_layer.database.embedded.server import EmbeddedServer\n"
        "from batch_layer.shared.errors import DatabaseError\n"
        "server = EmbeddedServer(Path(sys.argv[1]))\n"
        "for use in (server.up, server.down, server.url, server.status, server.lease().__enter__):\n"
        "    try: use()\n"
        "    except DatabaseError as error: print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert said.stdout.count("CONDVEST_DATABASE_URL") == 5


def value_of(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchone()[0]
