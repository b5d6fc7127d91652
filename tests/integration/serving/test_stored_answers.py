"""One symbol's stored bars are answered by one statement, which says the state that it saw."""

import pytest

from condvest.serving_layer.http.answers.answering import Answering
from condvest.serving_layer.http.answers.endpoints import ENDPOINTS
from condvest.serving_layer.http.backends import database_backend
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.queries.bars.question import Question
from tests.support.payloads import bar, split

(BARS,) = (endpoint for endpoint in ENDPOINTS if endpoint.path == "/v1/bars")
BARS_OF_A = Question(symbols=["A"], interval=3, include_open=True)
ASKED = [("symbol", "A"), ("interval", "3"), ("include_open", "true")]


@pytest.fixture
def backend(world):
    world.bars([bar(symbol, world.date(at)) for symbol in "AB" for at in range(8)])
    world.splits([split("A", world.date(4), 1, 2)])
    world.resample()
    made = DatabaseBackend(world.workspace.settings)
    yield made
    made.close()


@pytest.fixture
def statements(monkeypatch):
    """The names of the statements that read a symbol's bars."""
    names, ask = [], database_backend.ask

    def counted(database, statement):
        names.append(statement.name)
        return ask(database, statement)

    monkeypatch.setattr(database_backend, "ask", counted)
    return names


def whole(backend, asked=ASKED):
    """Return the answer that reads within a transaction, by a backend that keeps nothing yet."""
    beside = DatabaseBackend(backend._settings)
    try:
        beside.stored = lambda _: None
        return Answering(beside).reply(BARS, asked, {})
    finally:
        beside.close()


def test_it_says_what_a_transaction_says_of_the_same_state(world, backend, statements):
    """The first answer after a load reads what was loaded; those after it are single statements."""
    for night in range(3):
        for last in ("9", "2", "1"):
            asked = [*ASKED, ("last", last)]
            answer, wanted = Answering(backend).reply(BARS, asked, {}), whole(backend, asked)
            assert (answer.body, answer.headers) == (wanted.body, wanted.headers)
            assert b'"loaded_through":{"file":"' in answer.body
        assert backend.stored(BARS_OF_A) is not None
        world.bars([bar(symbol, world.date(8 + night)) for symbol in "AB"])
        world.resample()
        assert backend.stored(BARS_OF_A) is None  # nobody has read what was loaded
    assert len(statements) > 6


def test_windows_that_wait_and_a_longer_calendar_are_read_in_a_transaction(world, backend):
    Answering(backend).reply(BARS, ASKED, {})
    assert backend.stored(BARS_OF_A) is not None
    world.bars([bar("A", world.date(8))])  # not resampled
    answer = Answering(backend).reply(BARS, ASKED, {})
    assert answer.body == whole(backend).body
    assert backend.stored(BARS_OF_A) is None
    world.resample()
    with world.workspace.database.transaction() as connection:
        connection.execute(
            "INSERT INTO sessions SELECT (jsonb_populate_record(s, jsonb_build_object("
            "'ordinal', ordinal + 1, 'session', session + 1, 'opens_at', opens_at + interval '1 day', "
            "'closes_at', closes_at + interval '1 day'))).* FROM sessions AS s "
            "ORDER BY s.ordinal DESC LIMIT 1"
        )
    assert backend.stored(BARS_OF_A) is None
    assert Answering(backend).reply(BARS, ASKED, {}).body == whole(backend).body
    assert backend.stored(BARS_OF_A) is not None  # the calendar that the transaction saw was kept
