"""Splits and dividends in the database: corrected, withdrawn, given twice, several at once, ahead of time.

Every price is worked by hand: A closes at 100, B at 80, in each of the sessions 0 to 19.
"""

import pytest

from condvest.serving_layer.queries.bars.bars_table import read_bars
from condvest.serving_layer.queries.bars.question import Question
from tests.support.payloads import bar, dividend, dividends_payload, json_payload, split, splits_payload

FRIDAY, SATURDAY = 3, "1962-01-06"
"""Session 3 is 1962-01-05; session 4 is the Monday after."""


@pytest.fixture
def priced(world):
    world.bars([at_close(world, symbol, at) for symbol in ("A", "B") for at in range(20)])
    world.resample()
    yield world
    world.resample()
    assert world.differences() == []


def at_close(world, symbol, at, close=None):
    price = close or {"A": 100, "B": 80}[symbol]
    return bar(symbol, world.date(at), open=price, high=price, low=price, close=price, volume=10)


def closes(world, symbol, adjust, *sessions):
    """Return the adjusted closes of some sessions."""
    question = Question([symbol], interval=1, adjust=adjust, include_open=True)
    table = read_bars(world.workspace.database, world.sessions, question)
    found = dict(zip(table["last_session"].to_pylist(), table["close"].to_pylist(), strict=True))
    return [found[world.date(at)] for at in sessions]


def whole(world, kind, rows):
    """Load all splits or dividends that a vendor knows; there is at least one."""
    everything = (world.sessions.date[0].item(), world.sessions.date[-1].item())
    make = {"splits": splits_payload, "dividends": dividends_payload}[kind]
    return world.load(make(rows, provider="massive", asked=everything))


class TestSplits:
    def test_one_rescales_what_lies_before_its_ex_date(self, priced):
        priced.splits([split("A", priced.date(10), 1, 2)])
        assert closes(priced, "A", "splits", 9, 10) == [50, 100]
        assert closes(priced, "B", "splits", 9, 10) == [80, 80]

    def test_a_reverse_split_and_a_stock_dividend(self, priced):
        """1-for-10 makes 100 to 1000; 5 % in shares make 80 to 80 / 1.05."""
        priced.splits([split("A", priced.date(10), 10, 1), split("B", priced.date(10), 20, 21)])
        assert closes(priced, "A", "splits", 9, 10) == [1000, 100]
        assert closes(priced, "B", "splits", 9, 10) == [pytest.approx(80 / 1.05, rel=1e-15), 80]

    def test_a_correction_replaces_the_ratio(self, priced):
        priced.splits([split("A", priced.date(10), 1, 2)])
        done = priced.splits([split("A", priced.date(10), 1, 4)])
        assert (done.changed, done.inserted) == (1, 0)
        assert closes(priced, "A", "splits", 9, 10) == [25, 100]

    def test_a_corrected_ex_date_is_one_split_less_and_one_more(self, priced):
        """What the vendor no longer has is withdrawn, and kept among the revisions."""
        whole(priced, "splits", [split("A", priced.date(10), 1, 2), split("B", priced.date(10), 1, 2)])
        done = whole(priced, "splits", [split("A", priced.date(12), 1, 2), split("B", priced.date(10), 1, 2)])
        assert (done.inserted, done.withdrawn, done.unchanged) == (1, 1, 1)
        assert closes(priced, "A", "splits", 9, 11, 12) == [50, 50, 100]
        assert priced.ask("SELECT ex_date, superseded_by FROM split_revisions") == [(priced.date(10), 3)]

    def test_one_given_twice_counts_once(self, priced):
        """2-for-1 and 4-for-2 are the same."""
        done = priced.splits([split("A", priced.date(10), 1, 2), split("A", priced.date(10), 2, 4)])
        assert (done.inserted, done.duplicates) == (1, 1)
        again = priced.splits([split("A", priced.date(10), 1, 2), split("B", priced.date(10), 1, 2)])
        assert (again.inserted, again.unchanged) == (1, 1)
        assert closes(priced, "A", "splits", 9) == [50]

    def test_two_that_differ_in_a_file_are_refused_with_what_to_do(self, priced):
        done = priced.splits([split("A", priced.date(10), 1, 2), split("A", priced.date(10), 20, 21)])
        assert dict(done.refused) == {"conflicting_duplicate": 2}
        assert closes(priced, "A", "splits", 9) == [100]
        reasons = {reason for (reason,) in priced.ask("SELECT reason FROM refused_rows")}
        assert len(reasons) == 1
        assert "give one row with the product" in reasons.pop()

    def test_two_kinds_of_a_vendor_take_effect_together(self, priced):
        """2-for-1 and then 5 %: 42-for-20."""
        row = {"ticker": "A", "execution_date": str(priced.date(10))}
        priced.load(
            json_payload(
                "splits",
                [
                    row | {"split_from": 1, "split_to": 2, "adjustment_type": "forward_split"},
                    row | {"split_from": 20, "split_to": 21, "adjustment_type": "stock_dividend"},
                ],
            )
        )
        assert closes(priced, "A", "splits", 9) == [pytest.approx(100 / 2.1, rel=1e-15)]

    def test_an_ex_date_that_is_no_session_is_the_next_ones(self, priced):
        priced.splits([split("A", SATURDAY, 1, 2)])
        assert closes(priced, "A", "splits", FRIDAY, FRIDAY + 1) == [50, 100]

    def test_one_on_a_weekend_and_one_on_the_monday_both_count(self, priced):
        priced.splits([split("A", SATURDAY, 1, 2), split("A", priced.date(FRIDAY + 1), 1, 5)])
        assert closes(priced, "A", "splits", FRIDAY, FRIDAY + 1) == [10, 100]

    def test_one_that_is_announced_takes_effect_when_its_session_is_loaded(self, priced):
        priced.splits([split("A", priced.date(25), 1, 2)])
        assert closes(priced, "A", "splits", 0, 19) == [100, 100]
        priced.bars([at_close(priced, "A", 25, 50)])
        assert closes(priced, "A", "splits", 0, 19, 25) == [50, 50, 50]

    def test_one_before_the_calendar_or_after_it_is_refused(self, priced):
        done = priced.splits([split("A", "1900-01-02"), split("A", "2999-01-02")])
        assert dict(done.refused) == {"before_calendar": 1, "after_calendar": 1}

    def test_one_of_an_instrument_without_bars_waits_for_them(self, priced):
        priced.splits([split("C", priced.date(10), 1, 2)])
        priced.bars([bar("C", priced.date(at), open=8, high=8, low=8, close=8) for at in (9, 10)])
        assert closes(priced, "C", "splits", 9, 10) == [4, 8]


class TestDividends:
    """25 a share at a close of 100 multiply what lies before by 100 / 125, which is 0.8."""

    def test_one_is_reinvested_at_the_close_of_its_ex_date(self, priced):
        priced.dividends([dividend("A", priced.date(10), 25)])
        assert closes(priced, "A", "total", 9, 10) == [80, 100]
        assert closes(priced, "A", "splits", 9, 10) == [100, 100]

    def test_with_a_split_after_it(self, priced):
        """The amount is per share as then traded: the factor is the same, 0.8, and the split halves."""
        priced.dividends([dividend("A", priced.date(10), 25)])
        priced.splits([split("A", priced.date(15), 1, 2)])
        assert closes(priced, "A", "total", 9, 10, 15) == [40, 50, 100]

    def test_a_correction_and_a_withdrawal(self, priced):
        whole(priced, "dividends", [dividend("A", priced.date(10), 300), dividend("B", priced.date(10), 20)])
        assert closes(priced, "A", "total", 9) == [25]
        done = whole(
            priced, "dividends", [dividend("A", priced.date(10), 25), dividend("B", priced.date(10), 20)]
        )
        assert (done.changed, done.unchanged) == (1, 1)
        assert closes(priced, "A", "total", 9) == [80]
        assert whole(priced, "dividends", [dividend("B", priced.date(10), 20)]).withdrawn == 1
        assert closes(priced, "A", "total", 9) == [100]
        assert closes(priced, "B", "total", 9) == [64]
        assert priced.ask("SELECT cash_amount, superseded_by FROM dividend_revisions ORDER BY 2") == [
            (300.0, 3),
            (25.0, 4),
        ]

    def test_one_given_twice_counts_once(self, priced):
        done = priced.dividends([dividend("A", priced.date(10), 25)] * 2)
        assert (done.inserted, done.duplicates) == (1, 1)
        assert closes(priced, "A", "total", 9) == [80]

    def test_two_that_differ_in_a_file_are_refused_with_what_to_do(self, priced):
        done = priced.dividends([dividend("A", priced.date(10), 20), dividend("A", priced.date(10), 5)])
        assert dict(done.refused) == {"conflicting_duplicate": 2}
        assert "give one with the sum" in priced.ask("SELECT reason FROM refused_rows")[0][0]

    def test_a_regular_and_a_special_one_of_a_vendor_add_up(self, priced):
        """20 and 5 are 25."""
        row = {"ticker": "A", "ex_dividend_date": str(priced.date(10)), "currency": "USD"}
        priced.load(
            json_payload(
                "dividends",
                [
                    row | {"cash_amount": 20, "distribution_type": "recurring"},
                    row | {"cash_amount": 5, "distribution_type": "special"},
                ],
            )
        )
        assert closes(priced, "A", "total", 9, 10) == [80, 100]

    def test_an_ex_date_that_is_no_session_is_the_next_ones(self, priced):
        priced.dividends([dividend("A", SATURDAY, 25)])
        assert closes(priced, "A", "total", FRIDAY, FRIDAY + 1) == [80, 100]

    def test_two_that_fall_on_one_session_add_up(self, priced):
        """One of Saturday and one of Monday, 20 and 5: over that session the holder gets 25."""
        priced.dividends([dividend("A", SATURDAY, 20), dividend("A", priced.date(FRIDAY + 1), 5)])
        assert closes(priced, "A", "total", FRIDAY) == [80]

    def test_one_that_is_announced_takes_effect_when_its_session_is_loaded(self, priced):
        priced.dividends([dividend("A", priced.date(25), 25)])
        assert closes(priced, "A", "total", 0, 19) == [100, 100]
        priced.bars([at_close(priced, "A", 25)])
        assert closes(priced, "A", "total", 0, 19, 25) == [80, 80, 100]

    def test_without_a_bar_on_the_ex_date_the_next_bars_close_counts(self, priced):
        """B does not trade on 20 and 21; on 22 it closes at 60: 60 / (60 + 20) is 0.75."""
        priced.dividends([dividend("B", priced.date(20), 20)])
        priced.bars([at_close(priced, "A", 20), at_close(priced, "B", 22, 60)])
        assert closes(priced, "B", "total", 19, 22) == [60, 60]

    def test_no_stored_bar_changes(self, priced):
        before = priced.ask("SELECT t::text FROM bars t ORDER BY 1")
        priced.dividends([dividend("A", priced.date(10), 25)])
        assert priced.number("SELECT count(*) FROM changes") == 0
        assert priced.resample().windows == dict.fromkeys((3, 5, 8, 13, 21, 34), 0)
        assert priced.ask("SELECT t::text FROM bars t ORDER BY 1") == before
