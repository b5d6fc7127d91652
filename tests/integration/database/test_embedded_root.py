"""The embedded server that root starts: PostgreSQL refuses root, so root has cases that no other user has."""

import subprocess

import psycopg
import pytest

from condvest.batch_layer.database.embedded.server import EmbeddedServer


def owners_of(home):
    return {path.lstat().st_uid for path in (home / "postgres").rglob("*")}


@pytest.mark.root
def test_root_runs_the_server_as_the_user_whose_data_they_are(new_home):
    """After root used it, the user finds everything still the user's."""
    with EmbeddedServer(new_home).lease():
        pass
    subprocess.run(["chown", "-R", "12345:12345", str(new_home / "postgres")], check=True)
    server = EmbeddedServer(new_home)
    with server.lease() as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert server.status().socket_directory.stat().st_uid == 12345
    assert owners_of(new_home) == {12345}


@pytest.mark.root
def test_root_takes_over_what_was_roots_own(new_home):
    """Data written through a user namespace, or restored by root, get the server's account."""
    with EmbeddedServer(new_home).lease():
        pass
    subprocess.run(["chown", "-R", "0:0", str(new_home / "postgres")], check=True)
    with EmbeddedServer(new_home).lease() as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert owners_of(new_home) == {0}


@pytest.mark.root
def test_root_takes_over_what_nobody_owned(new_home):
    """As a server that root started did, up to version 0.1."""
    with EmbeddedServer(new_home).lease():
        pass
    subprocess.run(["chown", "-R", "65534:65534", str(new_home / "postgres")], check=True)
    with EmbeddedServer(new_home).lease() as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert owners_of(new_home) == {0}


@pytest.mark.root
def test_a_home_that_only_root_may_enter_is_reached(new_home):
    """Such as one below /root."""
    new_home.mkdir(mode=0o700)
    new_home.parent.chmod(0o700)
    with EmbeddedServer(new_home).lease() as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
