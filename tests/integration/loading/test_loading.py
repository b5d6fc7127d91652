"""Loading payloads into PostgreSQL, on each kind of server: what is stored, kept, refused and said."""

import threading

import pytest

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.stores.loading import loads
from condvest.batch_layer.operations.workspace import Workspace
from tests.support.exchange import NOW
from tests.support.payloads import bar, counts, csv_of, payload, split
from tests.support.worlds.world import World


class TestAgain:
    def test_the_same_file_changes_nothing_and_says_so(self, any_world, rows_of):
        """Not one row of any table is another afterwards, nor any sequence."""
        first = any_world.bars(rows_of())
        any_world.resample()
        before = any_world.dump()
        again = any_world.bars(rows_of())
        assert counts(first) == {"inserted": 10}
        assert counts(again) == {"unchanged": 10}
        assert (again.rows, again.sessions, again.altered) == (10, 5, 0)
        assert any_world.dump() == before
        assert any_world.resample().windows == dict.fromkeys((3, 5, 8, 13, 21, 34), 0)

    def test_the_same_rows_in_another_order_are_a_load_without_changes(self, any_world, rows_of):
        any_world.bars(rows_of())
        any_world.resample()
        bars = any_world.ask("SELECT t::text FROM daily_bars t ORDER BY 1")
        again = any_world.bars(rows_of()[::-1])
        assert counts(again) == {"unchanged": 10}
        assert any_world.ask("SELECT load_id, unchanged FROM loads ORDER BY 1") == [(1, 0), (2, 10)]
        assert any_world.ask("SELECT t::text FROM daily_bars t ORDER BY 1") == bars
        assert any_world.number("SELECT count(*) FROM changes") == 0

    def test_the_same_bytes_of_another_provider_are_its_own(self, any_world, rows_of):
        """They complete its sessions, and it supplies the instruments from now on."""
        any_world.bars(rows_of(), provider="massive")
        counts_of_mine = counts(any_world.bars(rows_of(), provider="mine"))
        assert counts_of_mine == {"unchanged": 10}
        assert any_world.ledger("mine") == dict.fromkeys(range(5), "complete")
        assert any_world.number("SELECT count(*) FROM instrument_providers") == 4

    def test_splits_and_dividends_too(self, any_world):
        any_world.bars([bar("A", any_world.date(1))])
        dividend = {"symbol": "A", "ex_date": any_world.date(3), "cash_amount": 0.25}
        assert counts(any_world.splits([split("A", any_world.date(3))])) == {"inserted": 1}
        assert counts(any_world.dividends([dividend])) == {"inserted": 1}
        any_world.resample()
        before = any_world.dump()
        assert counts(any_world.splits([split("A", any_world.date(3))])) == {"unchanged": 1}
        assert counts(any_world.dividends([dividend])) == {"unchanged": 1}
        assert any_world.dump() == before


class TestCorrections:
    def test_the_superseded_bar_is_kept_with_the_loads_between_which_it_was_known(self, any_world):
        """Three loads: the bar as it came, corrected, and as it came at first once more."""
        date = any_world.date(2)
        old, new = (
            bar("A", date, open=10, high=12, low=9, close=11),
            bar("A", date, open=10, high=12, low=9, close=9),
        )
        summaries = [any_world.bars([row]) for row in (old, new, old)]
        assert [counts(one) for one in summaries] == [{"inserted": 1}, {"changed": 1}, {"changed": 1}]
        known = "SELECT close, load_id, superseded_by FROM daily_bar_revisions ORDER BY load_id"
        assert any_world.ask(known) == [(11.0, 1, 2), (9.0, 2, 3)]
        assert any_world.ask("SELECT close, load_id FROM daily_bars") == [(11.0, 3)]

    def test_what_was_unknown_and_becomes_known_is_a_correction(self, any_world):
        date = any_world.date(2)
        any_world.bars([bar("A", date, vwap=None, trades=None)])
        assert any_world.ask("SELECT vwap, trades FROM daily_bars") == [(None, None)]
        low = bar("A", date)["low"]
        assert counts(any_world.bars([bar("A", date, vwap=low, trades=0)])) == {"changed": 1}
        assert any_world.ask("SELECT vwap, trades FROM daily_bars") == [(low, 0)]

    @pytest.mark.parametrize("unknown", ["vwap", "trades"])
    def test_what_was_known_and_is_not_told_again_stays_known(self, any_world, unknown):
        """A vendor's files have no vwap; its service had given it."""
        row = bar("A", any_world.date(0), vwap=11.25, trades=7, low=11, high=12, open=11, close=12)
        any_world.bars([row])
        summary = any_world.bars([row | {unknown: None}], name="less.csv")
        assert counts(summary) | {"unchanged": 1} == counts(summary)
        assert any_world.ask("SELECT vwap, trades FROM daily_bars") == [(11.25, 7)]
        assert any_world.number("SELECT count(*) FROM daily_bar_revisions") == 0

    def test_a_correction_takes_back_what_it_does_not_know(self, any_world):
        """The mean price of before is not that of the corrected bar."""
        row = bar("A", any_world.date(0), vwap=11.25, trades=7, low=11, high=12, open=11, close=12)
        any_world.bars([row])
        any_world.bars([row | {"vwap": None, "close": 11.5}])
        assert any_world.ask("SELECT close, vwap, trades FROM daily_bars") == [(11.5, None, 7)]

    def test_a_changed_split_is_kept_too(self, any_world):
        any_world.bars([bar("A", any_world.date(1))])
        any_world.splits([split("A", any_world.date(3), 1, 2)])
        done = any_world.splits([split("A", any_world.date(3), 1, 4)])
        assert counts(done) == {"changed": 1}
        known = "SELECT split_to, load_id, superseded_by FROM split_revisions"
        assert any_world.ask(known) == [(2.0, 2, 3)]


class TestWithdrawals:
    def test_a_bar_that_a_whole_market_no_longer_has_is_withdrawn_and_kept(self, any_world, rows_of):
        rows = rows_of()
        any_world.bars(rows, provider="massive", whole=(0, 4))
        gone = next(row for row in rows if (row["symbol"], row["session"]) == ("B", any_world.date(2)))
        done = any_world.bars([row for row in rows if row is not gone], provider="massive", whole=(0, 4))
        assert counts(done) == {"unchanged": 9, "withdrawn": 1}
        kept = "SELECT instrument_id, ordinal, close, load_id, superseded_by FROM daily_bar_revisions"
        assert any_world.ask(kept) == [(any_world.instrument("B"), 2, gone["close"], 1, 2)]
        assert any_world.number("SELECT count(*) FROM daily_bars") == 9
        withdrawn = "SELECT ordinal, withdrawn FROM ledger WHERE withdrawn > 0"
        assert any_world.ask(withdrawn) == [(2, 1)]

    def test_an_import_withdraws_nothing(self, any_world, rows_of):
        any_world.bars(rows_of())
        assert counts(any_world.bars(rows_of("A"))) == {"unchanged": 5}
        assert any_world.number("SELECT count(*) FROM daily_bars") == 10

    def test_nobody_withdraws_what_another_provider_supplied(self, any_world, rows_of):
        any_world.bars(rows_of("B"))
        done = any_world.bars(rows_of("A"), provider="massive", whole=(0, 4))
        assert counts(done) == {"inserted": 5}
        assert any_world.number("SELECT count(*) FROM daily_bars") == 10

    def test_sessions_that_were_not_asked_for_are_left_alone(self, any_world, rows_of):
        any_world.bars(rows_of(), provider="massive", whole=(0, 4))
        done = any_world.bars(rows_of("A", range(1, 3)), provider="massive", whole=(1, 2))
        assert counts(done) == {"unchanged": 2, "withdrawn": 2}

    def test_a_bar_that_comes_back_unreadable_is_no_withdrawal(self, any_world, rows_of):
        """It is refused, and what was known before stands."""
        rows = rows_of()
        any_world.bars(rows, provider="massive", whole=(0, 4))
        broken = [{**row, "high": 0.01} if row is rows[0] else row for row in rows]
        done = any_world.bars(broken, provider="massive", whole=(0, 4))
        assert counts(done) == {"unchanged": 9}
        assert dict(done.refused) == {"high_below_low": 1}
        assert any_world.number("SELECT count(*) FROM daily_bars") == 10


class TestProviders:
    def test_a_bar_gives_way_only_to_one_of_the_same_or_a_higher_rank(self, any_world):
        """In ascending rank: the sample, a vendor, an import."""
        date = any_world.date(0)
        outcomes = [
            counts(any_world.bars([bar("A", date, version)], provider=provider))
            for version, provider in enumerate(("sample", "massive", "file", "massive", "sample", "mine"))
        ]
        assert outcomes == [
            {"inserted": 1},
            {"changed": 1},
            {"changed": 1},
            {"outranked": 1},
            {"outranked": 1},
            {"changed": 1},
        ]
        assert any_world.number("SELECT close FROM daily_bars") == bar("A", date, 5)["close"]

    def test_the_lower_ranked_fills_in_what_is_not_there(self, any_world, rows_of):
        any_world.bars(rows_of("A", range(2)))
        done = any_world.bars(rows_of("A", range(4), version=1), provider="sample", whole=(0, 3))
        assert counts(done) == {"inserted": 2, "outranked": 2}
        assert any_world.ledger("sample") == dict.fromkeys(range(4), "complete")

    def test_symbols_that_differ_by_case_are_two_instruments_and_a_notice(self, any_world):
        any_world.bars([bar("KIMPL", any_world.date(0))])
        summary = any_world.bars([bar("KIMpL", any_world.date(0))])
        assert any_world.instrument("KIMPL") != any_world.instrument("KIMpL")
        assert len(summary.notices) == 1
        assert "KIMpL differs by case or separator only from KIMPL" in summary.notices[0]


class TestSplits:
    @pytest.mark.parametrize("order", ["splits first", "bars first"])
    def test_their_order_does_not_matter(self, any_world, rows_of, order):
        """By hand: the split halves the first three of the five closes, which no bar of three shows."""
        steps = [
            lambda: any_world.splits([split("A", any_world.date(3), 1, 2)]),
            lambda: any_world.bars(rows_of("A")),
        ]
        for step in steps if order == "splits first" else steps[::-1]:
            step()
            any_world.resample()
        rows = rows_of("A")
        high = max([row["high"] / 2 for row in rows[:3]] + [row["high"] for row in rows[3:]])
        bars = 'SELECT open, high, close FROM bars WHERE "interval" = 5'
        assert any_world.ask(bars) == [(rows[0]["open"] / 2, high, rows[4]["close"])]
        assert any_world.differences() == []

    def test_one_that_a_vendor_no_longer_knows_is_withdrawn(self, any_world, rows_of):
        any_world.bars(rows_of("A"), provider="massive", whole=(0, 4))
        any_world.resample()
        before = any_world.ask("SELECT t::text FROM bars t ORDER BY 1")
        any_world.splits([split("A", any_world.date(3))], provider="massive", whole=True)
        any_world.resample()
        assert any_world.ask("SELECT t::text FROM bars t ORDER BY 1") != before
        done = any_world.splits([], provider="massive", whole=True)
        any_world.resample()
        assert counts(done) == {"withdrawn": 1}
        assert any_world.ask("SELECT t::text FROM bars t ORDER BY 1") == before
        assert any_world.ask("SELECT load_id, superseded_by FROM split_revisions") == [(2, 3)]

    def test_one_of_a_file_stays_when_a_vendor_does_not_know_it(self, any_world, rows_of):
        any_world.bars(rows_of("A"), provider="massive", whole=(0, 4))
        any_world.splits([split("A", any_world.date(3))])
        assert counts(any_world.splits([], provider="massive", whole=True)) == {}
        assert any_world.number("SELECT count(*) FROM splits") == 1


def test_two_loaders_of_one_file_at_once_store_it_once(any_world, rows_of):
    """Both wait for a third; when it lets go, one stores all and the other finds nothing left to do."""
    done = []

    def load():
        with Database(any_world.url) as database:
            settings = any_world.workspace.settings
            other = World(Workspace(settings, database, NOW), any_world.sessions)
            done.append(other.bars(rows_of()))

    threads = [threading.Thread(target=load) for _ in range(2)]
    with any_world.workspace.database.transaction() as connection:
        loads.lock_loads(connection)
        for thread in threads:
            thread.start()
        waiting = (
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        while any_world.number(waiting) < 2:
            assert all(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join()
    assert sorted((one.inserted, one.unchanged) for one in done) == [(0, 10), (10, 0)]
    assert any_world.number("SELECT count(*) FROM loads") == 1
    assert any_world.number("SELECT count(*) FROM daily_bars") == 10


def test_a_load_that_fails_leaves_nothing(any_world, rows_of):
    """The last statement of the load fails: no row of it is there, and the next one goes as if first."""
    any_world.looking.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'no changes today'; END$$; "
        "CREATE TRIGGER refuse BEFORE INSERT ON changes FOR EACH STATEMENT EXECUTE FUNCTION refuse()"
    )
    before = any_world.dump(sequences=False)
    with pytest.raises(Exception, match="no changes today"):
        any_world.bars(rows_of())
    assert any_world.dump(sequences=False) == before
    any_world.looking.execute("DROP TRIGGER refuse ON changes")
    assert counts(any_world.bars(rows_of())) == {"inserted": 10}


def test_a_float_comes_back_to_the_last_bit(any_world):
    """Written as text with 17 digits, stored in binary, read as text by another client."""
    prices = {"open": 0.1 + 0.2, "high": 1 / 3, "low": 1e-300, "close": 0.1 + 0.2}
    row = bar("A", any_world.date(0), **prices, volume=1e15 / 3)
    any_world.load(payload("daily_bars", csv_of(tuple(row), [row])))
    assert any_world.ask("SELECT open, high, low, volume FROM daily_bars") == [
        (0.1 + 0.2, 1 / 3, 1e-300, 1e15 / 3)
    ]
