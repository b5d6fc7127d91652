"""Daily bars that are kept for bars with the live session are never those of before."""

import datetime as dt

import pytest

from condvest.batch_layer.database.postgres.revisioned import RevisionedTable
from condvest.serving_layer.queries.bars.bars_table import bars_table, read_bars
from condvest.serving_layer.queries.bars.question import Question
from condvest.serving_layer.queries.bars.stored_bars import answer
from condvest.serving_layer.sources.database import reading
from condvest.serving_layer.sources.keeping import kept_daily
from tests.support.naive.live import put_live
from tests.support.publishing import quote

THROUGH = dt.datetime(2023, 1, 11, 17, 30, tzinfo=dt.UTC)
LIVE = {"open": 60.0, "high": 70.0, "low": 50.0, "close": 65.0, "volume": 9.0, "vwap": 61.0}


@pytest.fixture
def under_way(year_turn):
    """A market whose session after the last is live; what was kept of others is forgotten."""
    year_turn.resample()
    year_turn.last = year_turn.number("SELECT max(ordinal) FROM daily_bars")
    tell(year_turn, 65.0)
    kept_daily._kept._values.clear()
    return year_turn


@pytest.fixture
def stretches(monkeypatch):
    """The spans of daily bars that are read, each as how many there are, their first and their last."""
    read, asked = RevisionedTable.read, []

    def noted(table, connection, spans, *known_by):
        if table.name == "daily_bars" and len(spans):
            asked.append((len(spans), int(spans.first.min()), int(spans.last.max())))
        return read(table, connection, spans, *known_by)

    monkeypatch.setattr(RevisionedTable, "read", noted)
    return asked


def tell(world, close, symbols="AB"):
    """Make rows of the session after the last live."""
    at = {"ordinal": world.last + 1, "close": close}
    put_live(
        world.looking, [{**LIVE, **at, "instrument_id": world.instrument(each)} for each in symbols], THROUGH
    )


def ask(world, interval=13):
    question = Question(interval=interval, include_open=True, include_live=True, adjust="none")
    return read_bars(world.workspace.database, world.sessions, question)


def test_they_are_read_once_and_live_rows_each_time(under_way, stretches):
    first = ask(under_way)
    begin = (under_way.last + 1) // 13 * 13
    assert stretches == [(3, under_way.last + 1, under_way.last + 1), (3, begin, begin + 12)]
    tell(under_way, 66.5, "ABC")  # C trades for the first time: nothing more of it is read
    second = ask(under_way)
    assert len(stretches) == 2
    assert first.filter(first["is_live"])["close"].to_pylist() == [65.0, 65.0]
    assert second.filter(second["is_live"])["close"].to_pylist() == [66.5, 66.5, 66.5]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE daily_bars SET volume = 123456 WHERE ordinal = %(last)s - 1",
        "DELETE FROM daily_bars WHERE ordinal = %(last)s - 1 AND instrument_id = 1",
        "INSERT INTO daily_bars (instrument_id, ordinal, high, low, close, volume, load_id) "  # noqa: ISC004
        "SELECT instrument_id, ordinal + 1, 2, 1, 2, 77, load_id FROM daily_bars WHERE ordinal = %(last)s",
        "DELETE FROM instrument_providers WHERE instrument_id = 2",
    ],
)
def test_what_anybody_alters_counts_at_once(under_way, statement):
    before = ask(under_way)
    under_way.looking.execute(statement, {"last": under_way.last})
    kept = ask(under_way)
    kept_daily._kept._values.clear()
    assert kept.equals(ask(under_way))
    assert not kept.equals(before)


def test_a_load_counts_at_once(under_way):
    """The correction of a session before, and the official bar of the live one."""
    ask(under_way)
    last = under_way.last
    under_way.bars([quote("A", under_way.date(last - 1), 990.0)])
    (corrected,) = [row for row in ask(under_way).to_pylist() if row["high"] >= 990.0]
    assert (corrected["symbol"], corrected["close"], corrected["is_live"]) == ("A", 65.0, True)
    under_way.bars([quote(symbol, under_way.date(last + 1), 3.0) for symbol in "AB"])
    newest = {row["symbol"]: row for row in ask(under_way).to_pylist()}
    assert [(newest[each]["close"], newest[each]["is_live"]) for each in "AB"] == [(3.0, False)] * 2


def test_a_transaction_that_sees_the_state_of_before_gets_that(under_way):
    """A reader that began before a correction, and ones that began after it, in turns."""
    database = under_way.workspace.database
    question = Question(interval=13, include_open=True, include_live=True, adjust="none")

    def seen_by(source):
        return bars_table(answer(source.with_live(), question))

    before = ask(under_way)
    with database.another() as early, reading(early, under_way.sessions) as source:
        source.names()  # the transaction's first look fixes what it sees
        under_way.looking.execute("UPDATE daily_bars SET volume = 5 WHERE ordinal = %s", (under_way.last,))
        after = ask(under_way)
        assert seen_by(source)["volume"].equals(before["volume"])
        assert ask(under_way).equals(after)
    assert not after["volume"].equals(before["volume"])


def test_what_reaches_too_far_back_is_read_and_not_kept(under_way, stretches, monkeypatch):
    kept = ask(under_way)
    monkeypatch.setattr(kept_daily, "LARGEST", 1)
    stretches.clear()
    assert ask(under_way).equals(kept)
    assert [count for count, _, _ in stretches] == [2, 2]
