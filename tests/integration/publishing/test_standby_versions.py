"""Versions of the data on a hot standby, whose own text of a snapshot hides which transactions are over."""

import time
from contextlib import ExitStack

import psycopg
import pytest

from condvest.batch_layer.database.embedded.binaries import find_binaries, major_of, version_of
from condvest.batch_layer.database.migrate import migrate
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores.calendar_extension import extend_sessions
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings
from condvest.serving_layer.http.answers.answering import Answering
from condvest.serving_layer.http.answers.endpoints import ENDPOINTS
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from tests.support.databases.releases import primary_and_standby
from tests.support.exchange import NOW

RUNS = next(endpoint for endpoint in ENDPOINTS if endpoint.path == "/v1/runs")


@pytest.fixture(scope="module")
def primary_and_backend(tmp_path_factory):
    with primary_and_standby(major_of(version_of(find_binaries()))) as (primary, standby):
        with Database(primary) as database:
            migrate(database)
            extend_sessions(database, NOW)
        followed(primary, standby)
        settings = Settings(home=tmp_path_factory.mktemp("home"), database=DatabaseSettings(url=standby))
        backend = DatabaseBackend(settings)
        yield primary, standby, backend
        backend.close()


def followed(primary, standby):
    """Wait until the standby has what the primary has, and return the text of its snapshot."""
    with (
        psycopg.connect(primary, autocommit=True) as one,
        psycopg.connect(standby, autocommit=True) as other,
    ):
        (place,) = one.execute("SELECT pg_current_wal_flush_lsn()").fetchone()
        deadline = time.monotonic() + 30
        while not other.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (place,)).fetchone()[0]:
            assert time.monotonic() < deadline, "the standby does not follow"
        return other.execute("SELECT pg_current_snapshot()::text").fetchone()[0]


def test_transactions_that_end_out_of_order_make_versions_of_their_own(primary_and_backend):
    primary, standby, backend = primary_and_backend
    answering = Answering(backend)
    with ExitStack() as stack:
        begun = [stack.enter_context(psycopg.connect(primary)) for _ in range(3)]
        for connection in begun:
            connection.execute("INSERT INTO runs (command) VALUES ('load')")
        followed(primary, standby)
        backend.state()
        replies, texts = [answering.reply(RUNS, [], {})], []
        for connection in reversed(begun):
            connection.commit()
            texts.append(followed(primary, standby))
            tag = {"if-none-match": replies[-1].headers["ETag"]}
            replies.append(answering.reply(RUNS, [], tag))
            assert answering.reply(RUNS, [], {"if-none-match": replies[-1].headers["ETag"]}).status == 304
    assert texts[0] == texts[1], "PostgreSQL has learnt to tell them apart: prepare() can go"
    assert [reply.status for reply in replies] == [200] * 4
    assert [reply.body.count(b'"load"') for reply in replies] == [0, 1, 2, 3]
    assert len({reply.headers["Condvest-Version"] for reply in replies}) == 4
