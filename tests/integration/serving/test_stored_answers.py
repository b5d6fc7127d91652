"""One symbol's bars, daily or stored, are answered by one statement, which says the state that it saw."""

import pyarrow as pa
import pytest

from condvest.serving_layer.http.answers.answering import Answering
from condvest.serving_layer.http.answers.endpoints import ENDPOINTS
from condvest.serving_layer.http.backends import database_backend
from condvest.serving_layer.http.backends.backend import DatabaseBackend
from condvest.serving_layer.queries.bars.answering import answer
from condvest.serving_layer.queries.bars.bars_table import bars_table
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.queries.bars.stored_bars import answer_by_one_statement
from condvest.serving_layer.sources.database import reading
from tests.support.payloads import bar, split

(BARS,) = (endpoint for endpoint in ENDPOINTS if endpoint.path == "/v1/bars")
BARS_OF_A = Question(symbols=["A"], interval=3, include_open=True)
DAILY_OF_A = Question(symbols=["A"], interval=1, include_open=True)


def asked_of(question):
    return [("symbol", "A"), ("interval", str(question.interval)), ("include_open", "true")]


ASKED = asked_of(BARS_OF_A)


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


def whole(backend, asked):
    """Return the answer that reads within a transaction, by a backend that keeps nothing yet."""
    beside = DatabaseBackend(backend._settings)
    try:
        beside.stored = lambda _: None
        return Answering(beside).reply(BARS, asked, {})
    finally:
        beside.close()


@pytest.mark.parametrize("question", [BARS_OF_A, DAILY_OF_A], ids=["stored", "daily"])
def test_it_says_what_a_transaction_says_of_the_same_state(world, backend, statements, question):
    """The first answer after a load reads what was loaded; those after it are single statements."""
    for night in range(3):
        for last in ("9", "2", "1"):
            asked = [*asked_of(question), ("last", last)]
            answer, wanted = Answering(backend).reply(BARS, asked, {}), whole(backend, asked)
            assert (answer.body, answer.headers) == (wanted.body, wanted.headers)
            assert b'"loaded_through":{"file":"' in answer.body
        assert backend.stored(question) is not None
        world.bars([bar(symbol, world.date(8 + night)) for symbol in "AB"])
        world.resample()
        assert backend.stored(question) is None  # nobody has read what was loaded
    assert len(statements) > 6


def test_daily_bars_wait_for_no_resampling(world, backend):
    world.bars([bar("A", world.date(8))])  # not resampled
    asked = asked_of(DAILY_OF_A)
    Answering(backend).reply(BARS, ASKED, {})  # which reads what was loaded
    answered = backend.stored(DAILY_OF_A)
    assert answered is not None
    assert answered[0].bars.window.tolist() == list(range(9))
    assert Answering(backend).reply(BARS, asked, {}).body == whole(backend, asked).body


def in_a_transaction(world, question):
    with reading(world.workspace.database, world.sessions) as source:
        return bars_table(answer(source, question))


def test_daily_bars_are_to_the_bit_what_folding_them_gives(world):
    """Means without volume, unknown means and trades, sessions that are not whole, two providers, splits."""
    symbols = [f"S{at}" for at in range(20)]  # in each of the tables that daily bars are divided into
    world.bars([bar(symbol, world.date(at)) for symbol in symbols for at in range(4, 40)])
    alone = {"open": 2, "high": 3, "low": 1, "close": 2, "vwap": 2}
    world.bars(
        [
            bar("S1", world.date(40), volume=0, trades=None, **alone),
            bar("S1", world.date(41), volume=-0.0, trades=0, **alone),
            bar("S2", world.date(40), volume=1 / 3, trades=7, **alone),
        ],
        provider="massive",
        whole=(40, 43),
    )
    world.splits([split("S1", world.date(9), 1, 2), split("S1", world.date(30), 3, 2)])
    database, sessions = world.workspace.database, world.sessions
    with database.transaction() as connection:
        connection.execute(
            "UPDATE ledger SET status = 'partial', completed_by = NULL WHERE ordinal IN (4, 20, 39, 41)"
        )
    complete = set()
    for symbol in symbols:
        for adjust in ("none", "splits"):
            for include_open in (False, True):
                for start, end in ((None, None), (7, 40), (41, 50), (60, 70)):
                    question = Question(
                        symbols=[symbol],
                        interval=1,
                        start=None if start is None else world.date(start),
                        end=None if end is None else world.date(end),
                        adjust=adjust,
                        include_open=include_open,
                    )
                    ours = answer_by_one_statement(database, sessions, question)
                    assert ours is not None, question
                    table, wanted = bars_table(ours), in_a_transaction(world, question)
                    assert table.schema == wanted.schema
                    assert _bytes(table) == _bytes(wanted), question
                    complete |= set(table["is_complete"].to_pylist())
    assert complete == {True, False}


def _bytes(table):
    """Return which values of each column are known, and their bits."""
    return [
        (column.is_valid().to_pylist(), column.drop_null().to_numpy(zero_copy_only=False).tobytes())
        if column.type != pa.string()
        else column.to_pylist()
        for column in table.columns
    ]


def test_windows_that_wait_and_a_longer_calendar_are_read_in_a_transaction(world, backend):
    Answering(backend).reply(BARS, ASKED, {})
    assert backend.stored(BARS_OF_A) is not None
    world.bars([bar("A", world.date(8))])  # not resampled
    answer = Answering(backend).reply(BARS, ASKED, {})
    assert answer.body == whole(backend, ASKED).body
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
    assert Answering(backend).reply(BARS, ASKED, {}).body == whole(backend, ASKED).body
    assert backend.stored(BARS_OF_A) is not None  # the calendar that the transaction saw was kept
