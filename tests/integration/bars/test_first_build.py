"""The bars of a whole history are built at once, beside the stored ones, and then put in their place."""

import time

import psycopg
import pytest

from condvest.batch_layer.database.postgres import replacing
from condvest.batch_layer.database.postgres.reading import range_read
from condvest.batch_layer.database.stores.bars import bars_rebuilt
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.processing import first_build
from condvest.batch_layer.shared.errors import DatabaseDamaged, DatabaseUnavailable
from condvest.batch_layer.shared.settings import INTERVALS
from tests.support.databases.catalogue import CATALOGUE
from tests.support.payloads import bar, split
from tests.support.worlds.world import World

SYMBOLS = [f"S{number}" for number in range(40)]


@pytest.fixture
def history(world, monkeypatch):
    """Forty instruments over 70 sessions of a vendor's, with a split; nothing is resampled yet."""
    monkeypatch.setattr(first_build, "FEWEST", 1)
    world.bars(
        [bar(symbol, world.date(at)) for symbol in SYMBOLS for at in range(70)],
        provider="massive",
        whole=(0, 69),
    )
    world.splits([split("S3", world.date(40), 1, 2)], provider="massive")
    return world


def test_what_is_built_is_what_a_full_recomputation_gives(history):
    """All windows of all instruments, none of which was there; 70 sessions begin 24, 14, 9, 6, 4 and 3."""
    done = history.resample()
    windows = {3: 24, 5: 14, 8: 9, 13: 6, 21: 4, 34: 3}
    assert done.windows == {n: 40 * count for n, count in windows.items()}
    assert (done.inserted, done.changed, done.removed, done.unchanged) == (40 * 60, 0, 0, 0)
    assert history.differences() == []
    assert history.number("SELECT count(*) FROM changes") == 0
    assert history.resample(full=True).altered == 0


def test_the_tables_are_as_they_were(history):
    """Their names, keys, checks and partitions, in words of PostgreSQL itself."""
    before = history.ask(CATALOGUE)
    history.resample()
    assert history.ask(CATALOGUE) == before


def test_it_is_done_once(history):
    """Where bars are stored, a change is brought to the windows that it touches."""
    history.resample()
    history.bars([bar("S7", history.date(50), high=777.0)], provider="massive")
    assert history.resample().windows == dict.fromkeys(INTERVALS, 1)


def test_bars_whose_page_is_damaged_are_made_anew_without_being_read(history):
    """What PostgreSQL says of such a page is said by a trigger here."""
    history.resample()
    history.looking.execute(
        "CREATE FUNCTION damaged() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
        "RAISE EXCEPTION 'invalid page in block 1' USING ERRCODE = 'XX001'; END$$;"
        "CREATE TRIGGER damaged BEFORE INSERT OR UPDATE OR DELETE ON closed_bars_5 EXECUTE FUNCTION damaged()"
    )
    history.bars([bar("S7", history.date(50), high=777.0)], provider="massive")
    for how in ({}, {"full": True, "partitions": range(32)}):
        with pytest.raises(DatabaseDamaged, match="condvest resample --full makes the bars"):
            history.resample(**how)
    assert history.resample(full=True).inserted == 40 * 60
    assert history.differences() == []
    assert history.number("SELECT count(*) FROM changes") == 0
    assert history.resample().altered == 0
    history.looking.execute("DROP FUNCTION damaged CASCADE")


def test_a_shard_builds_nothing(history):
    """It knows of its own instruments only."""
    done = history.resample(partitions=range(0, 64, 2))
    assert 0 < done.inserted < 40 * 60
    history.resample(partitions=range(1, 64, 2))
    assert history.differences() == []


def test_others_read_all_the_while(history):
    """Until the switch they read the bars of before, of which there are none, and wait for nothing."""
    seen = []

    def look(_done, _of):
        with psycopg.connect(history.url, options="-c lock_timeout=1") as reader:
            seen.append(reader.execute("SELECT count(*) FROM bars").fetchone())

    history.resample(on_progress=look)
    assert seen == [(0,)] * 16
    assert history.number("SELECT count(*) FROM bars") == 40 * 60


def test_what_is_loaded_meanwhile_is_left_for_the_next_time(history):
    """Its record stays, whether the build saw its daily bars or not."""
    other = history.workspace.database.another()
    with other:
        beside = World(Workspace(history.workspace.settings, other, history.workspace.now), history.sessions)

        def load(done, _of):
            if done == 8:
                beside.bars(
                    [bar(symbol, beside.date(20), 1) for symbol in SYMBOLS],
                    provider="massive",
                    whole=(20, 20),
                )

        history.resample(on_progress=load)
        beside.close()
    assert history.number("SELECT count(*) FROM changes") > 0
    done = history.resample()
    assert done.windows == dict.fromkeys(INTERVALS, 40)
    assert history.differences() == []


def test_a_reader_that_does_not_end_is_waited_for(history, monkeypatch):
    """And not for ever: then everything is as before."""
    monkeypatch.setattr(bars_rebuilt, "_TRIES", 2)
    monkeypatch.setattr(replacing, "PATIENCE", "1ms")
    before = history.dump()
    with psycopg.connect(history.url) as reader:
        reader.execute("SELECT count(*) FROM bars_8")
        with pytest.raises(
            bars_rebuilt.DatabaseUnavailable, match="others read the stored ones without a pause"
        ):
            history.resample()
    assert history.dump() == before
    history.resample()
    assert history.differences() == []


def test_an_index_that_cannot_be_brought_up_to_date_undoes_nothing(history, monkeypatch):
    """It makes the night after quicker, and is no part of what is built."""
    asked = []

    def away(_database, table):
        asked.append(table)
        raise DatabaseUnavailable("the test has taken the server away")

    monkeypatch.setattr(range_read, "summarize", away)
    assert history.resample().inserted == 40 * 60
    assert asked == ["daily_bars"]
    assert history.differences() == []


def test_an_error_in_making_the_keys_is_raised_and_ends_what_runs_beside(history, monkeypatch):
    """The index is being brought up to date then, and would be for as long as it likes."""

    def too_long(database, _table):
        with database.transaction() as connection:
            connection.execute("SELECT pg_sleep(600)")

    def fails_when_the_other_is_under_way(_connection, _interval):
        sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
        deadline = time.monotonic() + 60
        while not history.number(sleeping):
            assert time.monotonic() < deadline, "nothing is under way"
        raise ValueError("the key cannot be made")

    monkeypatch.setattr(range_read, "summarize", too_long)
    monkeypatch.setattr(bars_rebuilt, "make_key", fails_when_the_other_is_under_way)
    before = history.dump()
    with pytest.raises(ValueError, match="the key cannot be made"):
        history.resample()
    assert history.dump() == before


def test_one_that_is_stopped_leaves_nothing_behind(history):
    """Neither a table nor a bar, and the records wait as before."""
    tables, before = history.tables(), history.dump()

    def stop(done, _of):
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        history.resample(on_progress=stop)
    assert (history.tables(), history.dump()) == (tables, before)
    history.resample()
    assert history.differences() == []


def test_the_rights_of_others_stay(history):
    """Who might read a table of bars may read the one in its place."""
    role = f"condvest_test_reader_{history.number('SELECT txid_current()')}"
    history.looking.execute(f"CREATE ROLE {role}")
    history.looking.execute(f"GRANT SELECT ON closed_bars_13 TO {role}")
    history.looking.execute("GRANT SELECT ON closed_bars_21 TO PUBLIC")
    history.resample()
    may = "SELECT has_table_privilege(%s, %s, 'SELECT')"
    assert history.number(may, role, "closed_bars_13") is True
    assert history.number(may, role, "closed_bars_21") is True
    assert history.number(may, role, "closed_bars_34") is False
    history.looking.execute("REVOKE ALL ON closed_bars_21 FROM PUBLIC")
    history.looking.execute(f"DROP OWNED BY {role}")
    history.looking.execute(f"DROP ROLE {role}")


def test_who_does_not_own_the_tables_builds_nothing(history):
    """As the jobs on AWS: they store the bars one window after the other."""
    role = f"condvest_test_worker_{history.number('SELECT txid_current()')}"
    history.looking.execute(f"CREATE ROLE {role}")
    history.looking.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    with psycopg.connect(history.url) as connection:
        assert bars_rebuilt.may_build(connection)
        connection.execute(f"SET ROLE {role}")
        assert not bars_rebuilt.may_build(connection)
    history.looking.execute(f"DROP OWNED BY {role}")
    history.looking.execute(f"DROP ROLE {role}")
