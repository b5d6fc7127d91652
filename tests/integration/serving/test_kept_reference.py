"""What is kept of all instruments between questions about the whole market is never that of before."""

import pytest

from condvest.serving_layer.queries.bars.bars_table import read_bars
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.sources.keeping import kept_reference
from tests.support.payloads import split
from tests.support.publishing import from_database, quote


@pytest.fixture
def asked(monkeypatch):
    """The times that what is kept was read."""
    read, times = kept_reference.Reference.read, []
    monkeypatch.setattr(kept_reference.Reference, "read", lambda *state: (times.append(1), read(*state))[1])
    return times


def test_it_is_read_once_for_all_that_ask(year_turn, asked):
    year_turn.resample()
    answers = [from_database(year_turn, interval=13) for _ in range(3)]
    assert answers[0].equals(answers[1])
    assert answers[0].equals(answers[2])
    assert len(asked) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE symbols SET symbol = 'Z' WHERE symbol = 'A'",
        "UPDATE splits SET split_to = 7",
        "DELETE FROM splits",
        "TRUNCATE splits",
        "UPDATE ledger SET status = 'partial', completed_by = NULL WHERE ordinal % 5 = 0",
        "DELETE FROM instrument_providers WHERE instrument_id = 2",
    ],
)
@pytest.mark.parametrize("interval", [1, 13])
def test_what_anybody_alters_counts_at_once(year_turn, statement, interval):
    year_turn.resample()
    from_database(year_turn, interval=interval)
    year_turn.looking.execute(statement)
    kept = from_database(year_turn, interval=interval)
    kept_reference._kept._values.clear()
    assert kept.equals(from_database(year_turn, interval=interval))


def test_what_is_loaded_counts_at_once(year_turn):
    year_turn.resample()
    from_database(year_turn, interval=13)
    last = year_turn.looking.execute("SELECT max(ordinal) FROM daily_bars").fetchone()[0]
    year_turn.bars([quote("NEW", year_turn.date(last + 1), 5.0)])
    year_turn.splits([split("B", year_turn.date(last), 1, 2)])
    kept = from_database(year_turn, interval=1)
    assert "NEW" in kept["symbol"].to_pylist()
    kept_reference._kept._values.clear()
    assert kept.equals(from_database(year_turn, interval=1))


def test_a_transaction_that_sees_the_state_of_before_gets_that(year_turn):
    """A reader that began before a rename, and one that began after it, side by side."""
    year_turn.resample()
    database = year_turn.workspace.database
    with database.another() as early, early.transaction(snapshot=True, read_only=True) as connection:
        before = kept_reference.reference(connection)
        year_turn.looking.execute("UPDATE symbols SET symbol = 'Z' WHERE symbol = 'A'")
        after = read_bars(database, year_turn.sessions, Question(interval=13))
        assert "Z" in after["symbol"].to_pylist()
        assert kept_reference.reference(connection).names == before.names
        assert "Z" not in before.names.values()
