"""From Yahoo's wire to the database: what is stored, and what a night does."""

import datetime as dt

import pytest

from condvest.batch_layer.database.stores.calendar_extension import extend_sessions
from condvest.batch_layer.fetching.fetch import Fetcher, FetchReport
from condvest.batch_layer.fetching.loading.loader import Loader
from condvest.batch_layer.shared.clients.archive.directory import DirectoryArchive
from condvest.batch_layer.shared.clients.yahoo import YahooProvider, parse
from tests.support.emulators.yahoo import YahooEmulator
from tests.support.emulators.yahoo.sample import sample_histories

D = dt.date
NOW = dt.datetime(2013, 3, 4, 12, tzinfo=dt.UTC)


@pytest.fixture
def emulator():
    with YahooEmulator(histories=sample_histories(), now=NOW) as running:
        yield running


@pytest.fixture
def ingest_of(database, emulator, tmp_path):
    def make(*symbols):
        provider = YahooProvider(
            symbols,
            base_url=emulator.url,
            cache_dir=tmp_path / "yahoo",
            start=D(2013, 2, 1),
            clock=lambda: NOW,
            sleep=lambda _seconds: None,
        )
        sessions = extend_sessions(database, NOW)
        loader = Loader(database, DirectoryArchive(tmp_path / "archive"), sessions, parse, NOW)
        return Fetcher(provider, loader)

    return make


def night(ingest, ask_again=3):
    fetched = FetchReport()
    ingest.nightly(fetched, ask_again=ask_again)
    return fetched


def bar_loads(fetched):
    """The loads of daily bars; a chart is one of splits and one of dividends too."""
    return [load for load in fetched.loads if load.dataset == "daily_bars"]


def backfill(ingest, sessions):
    fetched = FetchReport()
    ingest.backfill(sessions, fetched)
    return fetched


def bars(database, symbol):
    query = (
        "SELECT session, open, high, low, close, volume FROM daily_bars JOIN sessions USING (ordinal) "
        "JOIN symbols USING (instrument_id) WHERE symbol = %s ORDER BY session"
    )
    with database.transaction(read_only=True) as connection:
        return connection.execute(query, (symbol,)).fetchall()


def real(symbol, first):
    (history,) = [one for one in sample_histories() if one.symbol == symbol]
    columns = (history.session, history.open, history.high, history.low, history.close, history.volume)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [row for row in rows if row[0] >= first]


def test_a_night_stores_the_good_symbols_and_fails_by_the_bad_ones_name(database, ingest_of):
    ingest = ingest_of("AAPL", "NOPE", "IBM")
    (failure,) = night(ingest).failed
    assert failure.name == "NOPE"
    assert "Yahoo has no symbol NOPE" in str(failure.error)
    assert bars(database, "AAPL") == real("AAPL", D(2013, 2, 1))
    assert bars(database, "IBM") == real("IBM", D(2013, 2, 1))
    assert len(bars(database, "IBM")) == 20
    assert ingest.due.missing() == []


def test_the_next_night_asks_once_a_symbol_and_changes_nothing(database, ingest_of, emulator):
    night(ingest_of("AAPL", "IBM"))
    stored = bars(database, "AAPL")
    emulator.log.clear()
    fetched = night(ingest_of("AAPL", "IBM"))
    assert emulator.calls["chart"] == 2
    # So few symbols are asked for as a whole each night.
    assert [(load.rows, load.altered, load.refused) for load in bar_loads(fetched)] == [(20, 0, {})] * 2
    assert bars(database, "AAPL") == stored


def test_a_row_of_nulls_is_refused_by_name_and_filled_when_it_comes(database, ingest_of, emulator):
    emulator.knobs.update({"nulls": {"AAPL": ["2013-02-28"]}})
    fetched = night(ingest_of("AAPL"))
    assert [load.refused for load in bar_loads(fetched)] == [{"missing_value": 1}]
    assert fetched.loads[0].needs_attention
    ingest = ingest_of("AAPL")
    assert ingest.due.missing() == [D(2013, 2, 28)]
    emulator.knobs.update({"nulls": {}})
    night(ingest, ask_again=0)
    assert bars(database, "AAPL") == real("AAPL", D(2013, 2, 1))


def test_a_holiday_asked_for_loads_nothing_and_harms_nothing(database, ingest_of):
    """2013-02-18 was Presidents' Day."""
    fetched = backfill(ingest_of("AAPL"), [D(2013, 2, 18)])
    assert [(load.rows, load.inserted) for load in bar_loads(fetched)] == [(0, 0)]
    assert bars(database, "AAPL") == []


def test_splits_and_dividends_are_stored_from_the_same_answers(database, ingest_of, emulator):
    """A backfill of 2005 alone, asked for in 2013: AAPL's split of 2005-02-28 is in the answer."""
    backfill(ingest_of("AAPL"), [D(2005, 2, 25), D(2005, 2, 28)])
    assert emulator.calls["chart"] == 1
    with database.transaction(read_only=True) as connection:
        splits = connection.execute("SELECT ex_date, split_from, split_to FROM splits").fetchall()
    assert splits == [(D(2005, 2, 28), 1, 2)]
    assert bars(database, "AAPL") == [row for row in real("AAPL", D(2005, 2, 25)) if row[0] <= D(2005, 2, 28)]
