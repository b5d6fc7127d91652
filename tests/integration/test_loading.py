"""Loading payloads into PostgreSQL, on each kind of server: what is stored, kept, refused and said."""

import json
import threading

import pytest

from batch_layer.database.postgres.connection import Database
from batch_layer.database.stores import loads
from batch_layer.operations.workspace import Workspace
from tests.support.exchange import NOW
from tests.support.payloads import bar, bars_payload, csv_of, parquet_payload, payload, split
from tests.support.worlds.world import World

SESSIONS = range(5)


@pytest.fixture
def market(any_world):
    """Gives the rows of symbols over sessions."""

    def rows(symbols="AB", sessions=SESSIONS, version=0):
        return [bar(symbol, any_world.date(at), version) for at in sessions for symbol in symbols]

    return rows


def counts(summary):
    return {
        name: getattr(summary, name)
        for name in ("inserted", "changed", "unchanged", "outranked", "duplicates", "withdrawn")
        if getattr(summary, name)
    }


class TestAgain:
    def test_the_same_file_changes_nothing_and_says_so(self, any_world, market):
        """Not one row of any table is another afterwards, nor any sequence."""
        first = any_world.bars(market())
        any_world.resample()
        before = any_world.dump()
        again = any_world.bars(market())
        assert counts(first) == {"inserted": 10}
        assert counts(again) == {"unchanged": 10}
        assert (again.rows, again.sessions, again.altered) == (10, 5, 0)
        assert any_world.dump() == before
        assert any_world.resample().windows == dict.fromkeys((3, 5, 8, 13, 21, 34), 0)

    def test_the_same_rows_in_another_order_are_a_load_without_changes(self, any_world, market):
        any_world.bars(market())
        any_world.resample()
        bars = any_world.ask("SELECT t::text FROM daily_bars t ORDER BY 1")
        again = any_world.bars(market()[::-1])
        assert counts(again) == {"unchanged": 10}
        assert any_world.ask("SELECT load_id, unchanged FROM loads ORDER BY 1") == [(1, 0), (2, 10)]
        assert any_world.ask("SELECT t::text FROM daily_bars t ORDER BY 1") == bars
        assert any_world.number("SELECT count(*) FROM changes") == 0

    def test_the_same_bytes_of_another_provider_are_its_own(self, any_world, market):
        """They complete its sessions, and it supplies the instruments from now on."""
        any_world.bars(market(), provider="massive")
        counts_of_mine = counts(any_world.bars(market(), provider="mine"))
        assert counts_of_mine == {"unchanged": 10}
        assert any_world.ledger("mine") == dict.fromkeys(SESSIONS, "complete")
        assert any_world.number("SELECT count(*) FROM instrument_providers") == 4

    def test_splits_and_dividends_too(self, any_world):
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
        any_world.splits([split("A", any_world.date(3), 1, 2)])
        done = any_world.splits([split("A", any_world.date(3), 1, 4)])
        assert counts(done) == {"changed": 1}
        known = "SELECT split_to, load_id, superseded_by FROM split_revisions"
        assert any_world.ask(known) == [(2.0, 1, 2)]


class TestWithdrawals:
    def test_a_bar_that_a_whole_market_no_longer_has_is_withdrawn_and_kept(self, any_world, market):
        rows = market()
        any_world.bars(rows, provider="massive", whole=(0, 4))
        gone = next(row for row in rows if (row["symbol"], row["session"]) == ("B", any_world.date(2)))
        done = any_world.bars([row for row in rows if row is not gone], provider="massive", whole=(0, 4))
        assert counts(done) == {"unchanged": 9, "withdrawn": 1}
        kept = "SELECT instrument_id, ordinal, close, load_id, superseded_by FROM daily_bar_revisions"
        assert any_world.ask(kept) == [(any_world.instrument("B"), 2, gone["close"], 1, 2)]
        assert any_world.number("SELECT count(*) FROM daily_bars") == 9
        withdrawn = "SELECT ordinal, withdrawn FROM ledger WHERE withdrawn > 0"
        assert any_world.ask(withdrawn) == [(2, 1)]

    def test_an_import_withdraws_nothing(self, any_world, market):
        any_world.bars(market())
        assert counts(any_world.bars(market("A"))) == {"unchanged": 5}
        assert any_world.number("SELECT count(*) FROM daily_bars") == 10

    def test_nobody_withdraws_what_another_provider_supplied(self, any_world, market):
        any_world.bars(market("B"))
        done = any_world.bars(market("A"), provider="massive", whole=(0, 4))
        assert counts(done) == {"inserted": 5}
        assert any_world.number("SELECT count(*) FROM daily_bars") == 10

    def test_sessions_that_were_not_asked_for_are_left_alone(self, any_world, market):
        any_world.bars(market(), provider="massive", whole=(0, 4))
        done = any_world.bars(market("A", range(1, 3)), provider="massive", whole=(1, 2))
        assert counts(done) == {"unchanged": 2, "withdrawn": 2}

    def test_a_bar_that_comes_back_unreadable_is_no_withdrawal(self, any_world, market):
        """It is refused, and what was known before stands."""
        rows = market()
        any_world.bars(rows, provider="massive", whole=(0, 4))
        broken = [{**row, "high": 0.01} if row is rows[0] else row for row in rows]
        done = any_world.bars(broken, provider="massive", whole=(0, 4))
        assert counts(done) == {"unchanged": 9}
        assert dict(done.refused) == {"high_below_low": 1}
        assert any_world.number("SELECT count(*) FROM daily_bars") == 10


class TestPartialSessions:
    SYMBOLS = tuple(f"S{number:02}" for number in range(40))

    @pytest.fixture
    def cut_short(self, any_world, market):
        """40 symbols over 30 sessions, of the last one only half."""
        rows = market(self.SYMBOLS, range(30))
        summary = any_world.bars(rows[:-20], provider="massive", whole=(0, 29))
        any_world.resample()
        return rows, summary

    COMPLETE = (
        'SELECT count(*) FILTER (WHERE is_complete), count(*) FROM bars WHERE "interval" = 5 AND "window" = 5'
    )

    def test_the_good_rows_are_kept_and_the_session_is_marked(self, any_world, cut_short):
        """Sessions 25 to 29 make window 5 of interval 5: its bars are there, and none is complete."""
        _, summary = cut_short
        assert counts(summary) == {"inserted": 1180}
        assert summary.partial == (any_world.date(29),)
        assert summary.needs_attention
        assert any_world.number("SELECT count(*) FROM daily_bars WHERE ordinal = 29") == 20
        assert any_world.ledger("massive") == {**dict.fromkeys(range(29), "complete"), 29: "partial"}
        assert any_world.ask(self.COMPLETE) == [(0, 40)]
        assert any_world.differences() == []

    def test_it_is_completed_later(self, any_world, cut_short):
        rows, _ = cut_short
        summary = any_world.bars(rows[-40:], provider="massive", whole=(29, 29))
        any_world.resample()
        assert counts(summary) == {"inserted": 20, "unchanged": 20}
        assert summary.partial == ()
        assert any_world.ledger("massive")[29] == "complete"
        assert any_world.ask(self.COMPLETE) == [(40, 40)]
        assert any_world.differences() == []

    def test_a_partial_answer_takes_nothing_back(self, any_world, cut_short):
        """Session 28 was complete; asked for again it comes cut short. Nothing is withdrawn or marked."""
        rows, _ = cut_short
        summary = any_world.bars(rows[28 * 40 : 28 * 40 + 10], provider="massive", whole=(28, 28))
        assert counts(summary) == {"unchanged": 10}
        assert summary.partial == (any_world.date(28),)
        assert any_world.ledger("massive")[28] == "complete"
        assert any_world.number("SELECT count(*) FROM daily_bars WHERE ordinal = 28") == 40

    def test_an_import_is_taken_at_its_word(self, any_world, cut_short):
        rows, _ = cut_short
        summary = any_world.bars(rows[-20:])
        assert summary.partial == ()
        assert any_world.ledger("file") == {29: "complete"}

    def test_an_answer_without_rows_is_partial_each_time(self, any_world):
        """The bytes are the same for both sessions; each is entered all the same."""
        for ordinal in (30, 31):
            summary = any_world.bars([], provider="massive", whole=(ordinal, ordinal))
            assert summary.partial == (any_world.date(ordinal),)
        assert any_world.ledger("massive") == {30: "partial", 31: "partial"}


class TestRefusedRows:
    def test_they_are_kept_with_code_and_content_and_the_good_ones_go_in(self, any_world):
        content = (
            b"symbol,session,open,high,low,close,volume,note\n"
            b"A,1962-01-02,10,12,9,11,100,first\n"
            b"B,1962-01-02,10,8,9,11,100,upside down\n"
            b"C,1962-01-06,10,12,9,11,100,a Saturday\n"
            b"D,1962-01-02,ten,12,9,11,100,letters\n"
        )
        summary = any_world.load(payload("daily_bars", content))
        assert counts(summary) == {"inserted": 1}
        assert dict(summary.refused) == {"malformed": 1, "high_below_low": 1, "not_a_session": 1}
        rows = any_world.ask(
            "SELECT line, code, symbol, session::text, content FROM refused_rows ORDER BY line"
        )
        assert [row[:4] for row in rows] == [
            (3, "high_below_low", "B", "1962-01-02"),
            (4, "not_a_session", "C", "1962-01-06"),
            (5, "malformed", "D", "1962-01-02"),
        ]
        assert json.loads(rows[0][4])["high"] == "8"
        assert json.loads(rows[2][4])["open"] == "ten"

    def test_a_row_given_twice_counts_once_and_two_that_differ_are_both_refused(self, any_world):
        date = any_world.date(0)
        same, one, other = bar("A", date), bar("B", date), bar("B", date, version=1)
        summary = any_world.bars([same, one, same, other])
        assert counts(summary) == {"inserted": 1, "duplicates": 1}
        assert dict(summary.refused) == {"conflicting_duplicate": 2}
        assert any_world.ask("SELECT line, code FROM refused_rows ORDER BY 1") == [
            (3, "conflicting_duplicate"),
            (5, "conflicting_duplicate"),
        ]

    @pytest.mark.parametrize("symbol", ["A\x00B", "\x00", "\x1b[2J", "é", "\U0001f4c8", "X" * 300, "\ufeff"])
    def test_a_symbol_of_junk_reaches_the_record_and_nothing_else(self, any_world, symbol):
        """In a whole market too, where it is looked for among what may be withdrawn."""
        rows = [bar("A", any_world.date(0)), bar(symbol, any_world.date(0))]
        asked = (any_world.date(0), any_world.date(0))
        summary = any_world.load(parquet_payload(rows, provider="massive", asked=asked))
        assert counts(summary) == {"inserted": 1}
        assert dict(summary.refused) == {"bad_symbol": 1}
        ((kept,),) = any_world.ask("SELECT symbol FROM refused_rows")
        assert "\x00" not in kept
        assert any_world.ask("SELECT symbol FROM symbols") == [("A",)]

    def test_a_file_of_bad_rows_alone_is_recorded(self, any_world):
        summary = any_world.bars([bar("A", any_world.date(0), low=-1.0)])
        assert (summary.rows, summary.altered) == (1, 0)
        assert any_world.ask("SELECT rows, refused FROM loads") == [(1, 1)]
        assert any_world.ledger("file") == {}

    def test_a_session_that_was_not_asked_for_is_refused(self, any_world, market):
        summary = any_world.bars(market("A", range(3)), provider="massive", whole=(0, 1))
        assert counts(summary) == {"inserted": 2}
        assert dict(summary.refused) == {"outside_payload": 1}


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

    def test_the_lower_ranked_fills_in_what_is_not_there(self, any_world, market):
        any_world.bars(market("A", range(2)))
        done = any_world.bars(market("A", range(4), version=1), provider="sample", whole=(0, 3))
        assert counts(done) == {"inserted": 2, "outranked": 2}
        assert any_world.ledger("sample") == dict.fromkeys(range(4), "complete")

    def test_symbols_that_differ_by_case_are_two_instruments_and_a_notice(self, any_world):
        any_world.bars([bar("KIMPL", any_world.date(0))])
        summary = any_world.bars([bar("KIMpL", any_world.date(0))])
        assert any_world.instrument("KIMPL") != any_world.instrument("KIMpL")
        assert len(summary.notices) == 1
        assert "KIMpL differs by case or separator only from KIMPL" in summary.notices[0]


class TestRehearsals:
    def test_a_rehearsal_says_what_a_load_would_do_and_leaves_all_as_it_was(self, any_world, market):
        any_world.bars(market())
        before, kept = any_world.dump(sequences=False), dict(any_world.archive.payloads)
        rows = [*market(version=1)[:3], *market("C")]
        rehearsed = any_world.load(bars_payload(rows, provider="new"), rehearsal=True)
        assert any_world.dump(sequences=False) == before
        assert any_world.archive.payloads == kept
        assert counts(rehearsed) == {"inserted": 5, "changed": 3}
        assert counts(any_world.bars(rows, provider="new")) == counts(rehearsed)

    def test_rehearsals_use_nothing_up(self, any_world, market):
        """There is room for 63 providers; 70 that were only tried take none of it."""
        for number in range(70):
            any_world.load(bars_payload(market()[:1], provider=f"tried{number}"), rehearsal=True)
        any_world.bars(market())
        assert any_world.ask("SELECT provider_id, provider FROM providers") == [(0, "file")]


class TestSplits:
    @pytest.mark.parametrize("order", ["splits first", "bars first"])
    def test_their_order_does_not_matter(self, any_world, market, order):
        """By hand: the split halves the first three of the five closes, which no bar of three shows."""
        steps = [
            lambda: any_world.splits([split("A", any_world.date(3), 1, 2)]),
            lambda: any_world.bars(market("A")),
        ]
        for step in steps if order == "splits first" else steps[::-1]:
            step()
            any_world.resample()
        rows = market("A")
        high = max([row["high"] / 2 for row in rows[:3]] + [row["high"] for row in rows[3:]])
        bars = 'SELECT open, high, close FROM bars WHERE "interval" = 5'
        assert any_world.ask(bars) == [(rows[0]["open"] / 2, high, rows[4]["close"])]
        assert any_world.differences() == []

    def test_one_that_a_vendor_no_longer_knows_is_withdrawn(self, any_world, market):
        any_world.bars(market("A"), provider="massive", whole=(0, 4))
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

    def test_one_of_a_file_stays_when_a_vendor_does_not_know_it(self, any_world, market):
        any_world.bars(market("A"), provider="massive", whole=(0, 4))
        any_world.splits([split("A", any_world.date(3))])
        assert counts(any_world.splits([], provider="massive", whole=True)) == {}
        assert any_world.number("SELECT count(*) FROM splits") == 1


def test_two_loaders_of_one_file_at_once_store_it_once(any_world, market):
    """Both wait for a third; when it lets go, one stores all and the other finds nothing left to do."""
    done = []

    def load():
        with Database(any_world.url) as database:
            settings = any_world.workspace.settings
            other = World(Workspace(settings, database, NOW), any_world.sessions)
            done.append(other.bars(market()))

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


def test_a_load_that_fails_leaves_nothing(any_world, market):
    """The last statement of the load fails: no row of it is there, and the next one goes as if first."""
    any_world.looking.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'no changes today'; END$$; "
        "CREATE TRIGGER refuse BEFORE INSERT ON changes FOR EACH STATEMENT EXECUTE FUNCTION refuse()"
    )
    before = any_world.dump(sequences=False)
    with pytest.raises(Exception, match="no changes today"):
        any_world.bars(market())
    assert any_world.dump(sequences=False) == before
    any_world.looking.execute("DROP TRIGGER refuse ON changes")
    assert counts(any_world.bars(market())) == {"inserted": 10}


def test_a_float_comes_back_to_the_last_bit(any_world):
    """Written as text with 17 digits, stored in binary, read as text by another client."""
    row = bar("A", any_world.date(0), open=0.1 + 0.2, high=1 / 3, low=1e-300, close=0.1 + 0.2, volume=1e300)
    any_world.load(payload("daily_bars", csv_of(tuple(row), [row])))
    assert any_world.ask("SELECT open, high, low, volume FROM daily_bars") == [
        (0.1 + 0.2, 1 / 3, 1e-300, 1e300)
    ]
