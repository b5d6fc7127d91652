"""The threat model of docs/security.md, line by line: who may do what to the embedded server."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from condvest.batch_layer.database.embedded.account import account_for
from condvest.batch_layer.database.embedded.binaries import find_binaries
from condvest.batch_layer.database.embedded.cluster import write_settings
from condvest.batch_layer.database.embedded.server import EmbeddedServer
from condvest.batch_layer.shared.errors import DatabaseError
from tests.support.databases.embedded_processes import clean_up, short_directory

CANARY = "canary-4711"
STRANGER = 4711


@pytest.fixture
def home():
    directory = short_directory()
    yield directory / "home"
    clean_up(directory / "home")
    shutil.rmtree(directory)


def connect_as(user, url):
    """Try to log in as another user of the system; return what came of it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            with psycopg.connect(url, connect_timeout=5):
                came = "logged in"
        except BaseException as error:  # noqa: BLE001  # all is told to the parent
            came = str(error)
        os.write(writing, came.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as came:
        return came.read()


@pytest.mark.root
@pytest.mark.parametrize("user", [1, STRANGER, 65534])
def test_no_other_user_logs_in_even_where_the_socket_can_be_reached(home, user):
    """Where the socket is opened to all, the operating system's word alone decides."""
    with EmbeddedServer(home).lease() as url:
        at_the_door = connect_as(user, url)
        directory = EmbeddedServer(home).status().socket_directory
        directory.chmod(0o755)
        (directory / ".s.PGSQL.5432").chmod(0o777)
        inside = connect_as(user, url)
        assert connect_as(0, url) == "logged in"
    assert "Permission denied" in at_the_door
    assert "authentication failed" in inside


@pytest.mark.root
def test_the_server_that_root_started_has_no_capability(home):
    with EmbeddedServer(home).lease():
        pid = EmbeddedServer(home).status().pid
        said = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        namespace = Path(f"/proc/{pid}/ns/user").readlink()
    capabilities = {line.split()[0]: line.split()[1] for line in said.splitlines() if line.startswith("Cap")}
    # In a namespace of its own it may have some, which are good for nothing outside it.
    assert namespace != Path("/proc/self/ns/user").readlink() or not int(capabilities["CapEff:"], 16)


def test_the_server_inherits_no_secret(home, monkeypatch):
    for name in ("MASSIVE_API_KEY", "CONDVEST_FLATFILES_SECRET", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD"):
        monkeypatch.setenv(name, CANARY)
    with EmbeddedServer(home).lease() as url, psycopg.connect(url) as connection:
        connection.execute("CREATE TEMPORARY TABLE environment (line text)")
        connection.execute("COPY environment FROM PROGRAM 'env' (DELIMITER E'\\x01')")
        lines = [line for (line,) in connection.execute("SELECT line FROM environment")]
    assert lines
    assert not [line for line in lines if CANARY in line]


@pytest.mark.parametrize("name", ["lock", "lease", "server"])
def test_a_link_in_the_place_of_a_lock_is_not_followed(home, tmp_path, name):
    victim = tmp_path / "victim"
    link = home / "postgres" / name
    link.parent.mkdir(parents=True, mode=0o700)
    link.symlink_to(victim)
    with pytest.raises(DatabaseError), EmbeddedServer(home).lease():
        pass
    link.unlink()
    assert not victim.exists()


@pytest.mark.root
def test_root_writes_into_another_users_directory_as_that_user(home, tmp_path):
    """Links that the user laid, at the log and at the settings, lead no further than the user may go."""
    with EmbeddedServer(home).lease():
        pass
    root = home / "postgres"
    subprocess.run(["chown", "-R", f"{STRANGER}:{STRANGER}", str(home)], check=True)
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (root / "data" / "condvest.conf.new").symlink_to(victim)
    account = account_for(find_binaries(), root)
    assert account.uid == STRANGER
    write_settings(root / "data", account, home)
    assert victim.read_text() == "untouched"
    (root / "log").unlink(missing_ok=True)
    (root / "log").symlink_to(victim)
    with pytest.raises(DatabaseError, match="cannot write its log"), EmbeddedServer(home).lease():
        pass
    assert victim.read_text() == "untouched"
    assert victim.stat().st_uid == 0


@pytest.mark.root
def test_root_does_not_take_over_what_a_link_leads_to(home, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    home.mkdir(parents=True)
    (home / "postgres").symlink_to(elsewhere)
    account = account_for(find_binaries(), elsewhere)
    with pytest.raises(DatabaseError, match="is a link"):
        account.own_files_in(home / "postgres")
    with pytest.raises(DatabaseError, match="is a link"):
        account.own_tree(home / "postgres")


def test_a_lock_keeps_clear_of_the_standard_streams(tmp_path):
    """Closed streams leave their numbers free; what is started later redirects those numbers."""
    script = (
        "import os, sys; from pathlib import Path; from condvest.batch_layer.database.embedded import locks\n"
        "os.close(0); os.close(1)\n"
        "lock = locks.shared(Path(sys.argv[1]))\n"
        "sys.exit(lock.descriptor)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path / "lock")], check=False)
    assert ended.returncode > 2
