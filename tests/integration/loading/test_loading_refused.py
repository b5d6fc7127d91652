"""Loading what is not whole: sessions cut short, refused rows, rehearsals."""

import json

import pytest

from tests.support.payloads import bar, bars_payload, counts, parquet_payload, payload


class TestPartialSessions:
    SYMBOLS = tuple(f"S{number:02}" for number in range(40))

    @pytest.fixture
    def cut_short(self, any_world, rows_of):
        """40 symbols over 30 sessions, of the last one only half."""
        rows = rows_of(self.SYMBOLS, range(30))
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

    def test_a_session_that_was_not_asked_for_is_refused(self, any_world, rows_of):
        summary = any_world.bars(rows_of("A", range(3)), provider="massive", whole=(0, 1))
        assert counts(summary) == {"inserted": 2}
        assert dict(summary.refused) == {"outside_payload": 1}


class TestRehearsals:
    def test_a_rehearsal_says_what_a_load_would_do_and_leaves_all_as_it_was(self, any_world, rows_of):
        any_world.bars(rows_of())
        before, kept = any_world.dump(sequences=False), dict(any_world.archive.payloads)
        rows = [*rows_of(version=1)[:3], *rows_of("C")]
        rehearsed = any_world.load(bars_payload(rows, provider="new"), rehearsal=True)
        assert any_world.dump(sequences=False) == before
        assert any_world.archive.payloads == kept
        assert counts(rehearsed) == {"inserted": 5, "changed": 3}
        assert counts(any_world.bars(rows, provider="new")) == counts(rehearsed)

    def test_rehearsals_use_nothing_up(self, any_world, rows_of):
        """There is room for 63 providers; 70 that were only tried take none of it."""
        for number in range(70):
            any_world.load(bars_payload(rows_of()[:1], provider=f"tried{number}"), rehearsal=True)
        any_world.bars(rows_of())
        assert any_world.ask("SELECT provider_id, provider FROM providers") == [(0, "file")]
