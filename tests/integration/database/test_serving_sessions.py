"""The sessions in which the server reads: they write nothing, and give up what takes too long."""

import json

import psycopg
import pytest

from condvest.batch_layer.shared.errors import DatabaseReadOnly, DatabaseTimeout
from condvest.serving_layer.http.answers.answering import Answering
from condvest.serving_layer.http.answers.endpoints import ENDPOINTS
from condvest.serving_layer.http.answers.problems import problem
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from tests.support.publishing import quote

DIVIDENDS = next(endpoint for endpoint in ENDPOINTS if endpoint.path == "/v1/dividends")


@pytest.fixture
def backend_with(world):
    """Make backends of the world's database, with further settings of their sessions."""
    world.bars([quote("A", world.date(at), 20.0 + at) for at in range(6)])
    made = []

    def make(**session):
        made.append(DatabaseBackend(world.workspace.settings, session) if session else None)
        made[-1] = made[-1] or DatabaseBackend(world.workspace.settings)
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_they_can_write_nothing(backend_with):
    database = backend_with().opened.database
    with pytest.raises(DatabaseReadOnly), database.transaction() as connection:
        connection.execute("DELETE FROM splits")
    with database.another() as another, pytest.raises(DatabaseReadOnly), another.transaction() as connection:
        connection.execute("DELETE FROM splits")


def test_the_bounds_hold_on_a_line_that_was_lost(backend_with, world):
    """Who is cut off between two answers gets a new line, with the same settings."""
    backend = backend_with()
    backend.state()
    world.ask(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with backend.opened.database.transaction() as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("30s",)
        assert connection.execute("SHOW transaction_read_only").fetchone() == ("on",)


@pytest.mark.parametrize("bound", ["statement_timeout", "lock_timeout"])
def test_what_takes_too_long_is_504_and_the_next_answer_comes(backend_with, world, bound):
    backend = backend_with(**{bound: "50ms"})
    answering = Answering(backend)
    answering.reply(DIVIDENDS, [("start", "1999-01-04")], {})
    with psycopg.connect(world.url) as other:
        other.execute("LOCK TABLE dividends IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DatabaseTimeout) as raised:
            answering.reply(DIVIDENDS, [], {})
    status, members = problem(raised.value, "id")
    assert (status, members["type"]) == (504, "/problems/timeout")
    assert "ask for fewer symbols or sessions" in members["detail"]
    assert json.loads(answering.reply(DIVIDENDS, [], {}).body)["rows"] == []
