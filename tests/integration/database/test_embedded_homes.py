"""Where the embedded server's home may be, and what does not matter to it."""

import errno
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from condvest.batch_layer.database.embedded import account
from condvest.batch_layer.database.embedded.server import EmbeddedServer
from condvest.batch_layer.database.embedded.states import Down
from condvest.batch_layer.operations.doctor import all_checks
from condvest.batch_layer.shared.errors import DatabaseError
from condvest.batch_layer.shared.settings import Settings
from tests.support.databases.embedded_processes import (
    Client,
    is_dead,
)


@pytest.mark.parametrize(
    "name",
    ["a" * 120 + "/" + "b" * 120, 'it\'s a "home", $HOME; \\ ü', "no UTF-8 \udcff\udcfe"],
    ids=["long", "odd", "bytes"],
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


def stored_in(url):
    """Store a row and return how many there are."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS stored (number int)")
        connection.execute("INSERT INTO stored VALUES (1)")
        return connection.execute("SELECT count(*) FROM stored").fetchone()[0]


def ends(pid):
    """Wait until a process has ended; a server is nobody's child of ours."""
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}/cwd").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not Path(f"/proc/{pid}/cwd").exists()


def filled(url):
    """Write so much that PostgreSQL uses the files of its log of changes anew at the next checkpoint."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE filler AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 5)"
        )
        for _ in range(2):
            connection.execute("SELECT pg_switch_wal()")
            connection.execute("INSERT INTO filler VALUES ('more')")


@pytest.fixture(params=["by itself", "by its path"])
def how_started(request, monkeypatch):
    """As servers are started today; and as an earlier version did, by the path of the data directory."""
    if request.param == "by its path":
        monkeypatch.setattr("condvest.batch_layer.database.embedded.process.HERE", Path("/no/such/name"))
    yield request.param
    monkeypatch.undo()


def test_a_home_that_was_moved_while_its_server_ran_is_used_where_it_is(new_home, how_started, monkeypatch):
    """Also if there is a new home in the old place, whose files it leaves alone, and whatever ends first.

    PostgreSQL writes its control file by the path that it was started with: into the new home, if it may.
    """
    first = EmbeddedServer(new_home)
    assert stored_in(first.up()) == 1
    pid = first.status().pid
    filled(first.url())
    moved = new_home.rename(new_home.with_name("moved"))
    monkeypatch.undo()
    new = EmbeddedServer(new_home)
    try:
        with new.lease() as url:
            assert stored_in(url) == 1
        control = (new_home / "postgres" / "data" / "global" / "pg_control").read_bytes()
        with EmbeddedServer(moved, start_timeout=10).lease() as url:
            assert stored_in(url) == 2
            assert (EmbeddedServer(moved).status().pid == pid) == (how_started == "by itself")
        EmbeddedServer(moved).down(now=True)
        assert ends(pid)
        assert (new_home / "postgres" / "data" / "global" / "pg_control").read_bytes() == control
        with EmbeddedServer(moved).lease() as url:
            assert stored_in(url) == 3
        with new.lease() as url:
            assert stored_in(url) == 2
    finally:
        new.down(now=True)
        EmbeddedServer(moved).down(now=True)


def test_a_home_that_is_reached_by_two_paths_has_one_server(new_home, tmp_path):
    """By itself and by a link; and where another file system shows it, for the lock is of the file."""
    first = EmbeddedServer(new_home)
    link = tmp_path / "link"
    link.symlink_to(new_home)
    try:
        assert stored_in(first.up()) == 1
        assert stored_in(EmbeddedServer(link).up()) == 2
        assert EmbeddedServer(link).status().pid == first.status().pid
    finally:
        first.down(now=True)


@pytest.mark.usefixtures("how_started")
def test_the_server_of_a_moved_home_is_stopped_by_name(new_home):
    first = EmbeddedServer(new_home)
    first.up()
    pid = first.status().pid
    moved = EmbeddedServer(new_home.rename(new_home.with_name("moved")), start_timeout=10)
    assert moved.down(now=True) is Down.STOPPED
    assert ends(pid)


def test_the_server_of_a_home_that_was_removed_writes_into_no_other(new_home):
    """It ends in order, and would write its control file by the path of the home that has its place now."""
    old = EmbeddedServer(new_home)
    filled(old.up())
    status = old.status()
    shutil.rmtree(new_home)
    with EmbeddedServer(new_home).lease() as url:
        assert stored_in(url) == 1
    control = (new_home / "postgres" / "data" / "global" / "pg_control").read_bytes()
    os.kill(status.pid, signal.SIGINT)
    assert ends(status.pid)
    assert (new_home / "postgres" / "data" / "global" / "pg_control").read_bytes() == control
    with EmbeddedServer(new_home).lease() as url:
        assert stored_in(url) == 2
    shutil.rmtree(status.socket_directory, ignore_errors=True)


def test_a_home_that_is_made_anew_has_a_socket_of_its_own(new_home):
    """The server of a home that was removed ends a minute later, and takes only its own socket with it."""
    server = EmbeddedServer(new_home)
    server.up()
    old = server.status()
    shutil.rmtree(new_home)
    try:
        url = server.up()
        assert server.status().socket_directory != old.socket_directory
        os.kill(old.pid, signal.SIGINT)
        assert ends(old.pid)
        assert value_of(url, "SELECT 1") == 1
    finally:
        server.down(now=True)
        shutil.rmtree(old.socket_directory, ignore_errors=True)


def test_down_leaves_the_clients_of_the_url_alone(new_home):
    """Nobody would notice when they leave; so the server stays up as before, and the user is told."""
    server = EmbeddedServer(new_home)
    url = server.up()
    try:
        with psycopg.connect(url) as stranger, server.lease():
            with pytest.raises(DatabaseError, match=r"stays up.*1 of them.*db down --now"):
                server.down()
            assert stranger.execute("SELECT 1").fetchone() == (1,)
        assert server.status().kept
        assert server.down() is Down.STOPPED
        with psycopg.connect(server.up()):
            assert server.down(now=True) is Down.STOPPED
    finally:
        server.down(now=True)


@pytest.mark.root
def test_root_leaves_a_new_server_in_a_users_home_to_the_user(new_home):
    """The user, who could not use what root made, has the whole of it."""
    new_home.mkdir()
    user = pwd.getpwuid(1)
    os.chown(new_home, user.pw_uid, user.pw_gid)
    with EmbeddedServer(new_home).lease() as url:
        assert value_of(url, "SELECT 1") == 1
    assert {path.lstat().st_uid for path in new_home.rglob("*")} == {user.pw_uid}


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EROFS, "Make its disk writable"),
        (errno.ENOTDIR, "Set CONDVEST_HOME to a directory"),
        (errno.ENOLCK, "Its disk knows no locks"),
    ],
)
def test_each_refusal_of_the_system_has_its_own_advice(tmp_path, monkeypatch, number, advice):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DatabaseError, match=advice) as refused:
        EmbeddedServer(tmp_path / "home").up()
    assert str(refused.value).count("CONDVEST_HOME") == 1
    assert ("locks" in str(refused.value)) == (number == errno.ENOLCK)


def test_a_version_file_of_bytes_is_refused(new_home):
    (new_home / "postgres" / "data").mkdir(parents=True)
    (new_home / "postgres" / "data" / "PG_VERSION").write_bytes(b"\xff\xfe\x00\x1b[2J")
    with pytest.raises(DatabaseError, match="was made by PostgreSQL"):
        EmbeddedServer(new_home).up()


def test_the_doctor_says_that_a_user_id_without_a_name_cannot_run_the_server(tmp_path, monkeypatch):
    barred = tmp_path / "unshare"
    barred.write_text("#!/bin/sh\necho not allowed >&2; exit 1\n")
    barred.chmod(0o755)
    monkeypatch.setattr(account.os, "geteuid", lambda: 12345)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    (check,) = (one for one in all_checks(Settings(home=tmp_path)) if one.name == "database")
    assert not check.ok
    assert "12345 has no name" in check.mend


def test_on_windows_the_import_succeeds_and_the_use_says_what_to_do(tmp_path):
    """Nothing of POSIX is needed until the server is used."""
    script = (
        "import sys, psycopg; sys.platform = 'win32'; sys.modules['fcntl'] = None\n"
        "from pathlib import Path; from condvest.batch_layer.database.embedded.server import EmbeddedServer\n"
        "from condvest.batch_layer.shared.errors import DatabaseError\n"
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
