"""A line that a firewall cuts without a word ends in an error, and in bounded time."""

import os
import shutil
import socket

import psycopg
import pytest

from condvest.batch_layer.database.postgres.connecting.connection import Database
from tests.support.databases.silent_cut import run_cut_off
from tests.support.payloads import bar


@pytest.fixture
def one_bar(world):
    """URL of a database with a daily bar of A."""
    world.bars([bar("A", world.date(0))])
    return world.workspace.settings.database.url


@pytest.mark.skipif(
    shutil.which("unshare") is None and not os.environ.get("CI"), reason="needs unshare, of util-linux"
)
class TestCutInSilence:
    def test_between_two_reads(self, one_bar):
        """The question is never acknowledged; to ask once more does not help either."""
        kind, said = run_cut_off("between", one_bar)
        assert kind == "DatabaseUnavailable"
        assert "run it again" in said

    def test_while_the_answer_is_waited_for(self, one_bar):
        """Nothing is under way to the server, so only keeping alive finds out."""
        with psycopg.connect(one_bar) as other:
            other.execute("SELECT pg_advisory_lock(4711)")
            kind, said = run_cut_off("waiting", one_bar)
        assert kind == "DatabaseUnavailable"
        assert "run it again" in said


OPTIONS = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")


def options(url):
    with Database(url) as database, database.transaction() as connection:
        link = socket.socket(fileno=os.dup(connection.pgconn.socket))
        with link:
            return [link.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in OPTIONS]


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux knows it alone")
def test_a_url_that_says_nothing_gets_timeouts_and_one_that_does_keeps_its_own(other_server):
    url = other_server.url
    assert options(url) == [60, 10, 3, 30_000]
    more = "&" if "?" in url else "?"
    assert options(f"{url}{more}keepalives_idle=7&tcp_user_timeout=8000") == [7, 10, 3, 8000]


@pytest.mark.parametrize(("reads_environment", "patience"), [(True, b"7"), (False, b"10")])
def test_the_patience_of_the_environment_counts(monkeypatch, url, reads_environment, patience):
    """libpq's own variable completes a URL, as its others do; it has no effect on the embedded server."""
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "7")
    with Database(url, reads_environment=reads_environment) as database, database.transaction() as connection:
        given = {one.keyword: one.val for one in connection.pgconn.info}
    assert given[b"connect_timeout"] == patience
