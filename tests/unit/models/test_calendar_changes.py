"""What of a stored calendar may change, and who decides: on one made-up week."""

import datetime as dt

import numpy as np
import pytest

from condvest.batch_layer.shared.errors import CalendarChanged, CalendarDisputed
from condvest.batch_layer.shared.models.calendar_changes import check_agreement, check_past, with_decisions
from condvest.batch_layer.shared.models.sessions import calendar_of
from condvest.batch_layer.shared.utils.calendar import Calendar

WEEK = ("1961-12-28", "1961-12-29", "1962-01-02", "1962-01-03", "1962-01-05")
THEN, NOW = "pandas-market-calendars==5.4.0", "pandas-market-calendars==5.5.0"


def dates(*texts):
    return np.array(texts, dtype="datetime64[D]")


def calendar(*texts):
    date = dates(*texts)
    opens = date.astype("datetime64[s]") + np.timedelta64(15, "h")
    usual = np.zeros(len(date), dtype=bool)
    return Calendar(date, opens, opens + np.timedelta64(6, "h"), usual, usual)


def checked(*fresh, last_fixed):
    check_past(calendar_of(*calendar(*WEEK)), calendar_of(*calendar(*fresh)), last_fixed, THEN, NOW)


class TestThePast:
    @pytest.mark.parametrize(
        ("fresh", "last_fixed"),
        [
            (WEEK, 2),
            ([*WEEK, "1962-01-08"], 2),  # the calendar grows
            ([*WEEK[:4], "1962-01-04"], 1),  # the fifth session has not been, and moves to the 4th
            (WEEK[1:], -3),  # nothing has been
            (["1961-12-26", "1961-12-27", *WEEK], 2),  # it begins earlier, and no ordinal moves
        ],
    )
    def test_what_may_change(self, fresh, last_fixed):
        checked(*fresh, last_fixed=last_fixed)

    @pytest.mark.parametrize(
        ("fresh", "says", "keeps"),
        [
            ([*WEEK[:1], *WEEK[2:]], "no longer has 1961-12-29", "1961-12-29=held"),
            ([*WEEK[:2], "1962-01-01", *WEEK[2:]], "now has 1962-01-01", "1962-01-01=closed"),
            (
                [*WEEK[:1], "1961-12-30", *WEEK[2:]],
                "no longer has 1961-12-29 and now has 1961-12-30",
                "1961-12-29=held,1961-12-30=closed",
            ),
        ],
    )
    def test_what_may_not_is_named_with_the_version_to_pin_and_the_setting_that_keeps_it(
        self, fresh, says, keeps
    ):
        with pytest.raises(CalendarChanged) as refused:
            checked(*fresh, last_fixed=1)
        assert f"{NOW} {says}" in str(refused.value)
        assert f"came from: {THEN}" in str(refused.value)
        assert f"CONDVEST_DISPUTED_SESSIONS={keeps};" in str(refused.value)

    def test_the_session_at_the_bound_may_not_and_the_one_after_it_may(self):
        checked(*WEEK[:4], last_fixed=1)
        with pytest.raises(CalendarChanged, match="1962-01-05"):
            checked(*WEEK[:4], "1962-01-08", last_fixed=2)

    def test_the_same_version_is_not_named_as_the_cure(self):
        with pytest.raises(CalendarChanged, match="look for what changed beside it"):
            check_past(calendar_of(*calendar(*WEEK)), calendar_of(*calendar(*WEEK[1:])), 2, NOW, NOW)

    def test_hours_may_change_everywhere(self):
        fresh = calendar(*WEEK)
        fresh.closes_at[0] -= np.timedelta64(1, "h")
        check_past(calendar_of(*calendar(*WEEK)), calendar_of(*fresh), 2, THEN, NOW)


class TestAgreement:
    ours = ("2025-01-08", "2025-01-10", "2025-01-13")
    theirs = ("2025-01-08", "2025-01-09", "2025-01-10")

    def compare(self, decisions):
        check_agreement(dates(*self.ours), dates(*self.theirs), decisions, "A==1", "B==2")

    def test_each_date_is_named_with_who_holds_it(self):
        with pytest.raises(CalendarDisputed) as refused:
            self.compare({})
        assert "2025-01-13 is a session by A==1 and not by B==2" in str(refused.value)
        assert "2025-01-09 is a session by B==2 and not by A==1" in str(refused.value)
        assert "CONDVEST_DISPUTED_SESSIONS=" in str(refused.value)

    def test_a_decision_settles_one_date_and_no_other(self):
        with pytest.raises(CalendarDisputed) as refused:
            self.compare({dt.date(2025, 1, 9): False})
        assert "2025-01-13 is a session" in str(refused.value)
        assert "2025-01-09" not in str(refused.value)
        self.compare({dt.date(2025, 1, 9): False, dt.date(2025, 1, 13): True})

    def test_those_that_agree_need_nobody(self):
        check_agreement(dates(*self.ours), dates(*self.ours), {}, "A==1", "B==2")
        check_agreement(dates(), dates(), {}, "A==1", "B==2")


class TestDecisions:
    def test_a_closed_date_goes_and_a_held_one_comes_with_the_usual_hours_of_new_york(self):
        """9:30 to 16:00 is 14:30 to 21:00 UTC in winter, 13:30 to 20:00 in summer."""
        before = calendar("2025-01-08", "2025-01-09", "2025-07-02", "2025-12-31")
        after = with_decisions(
            before,
            {dt.date(2025, 1, 9): False, dt.date(2025, 1, 10): True, dt.date(2025, 7, 3): True},
        )
        assert (
            after.date.tolist()
            == dates("2025-01-08", "2025-01-10", "2025-07-02", "2025-07-03", "2025-12-31").tolist()
        )
        assert after.opens_at[[1, 3]].astype(str).tolist() == ["2025-01-10T14:30:00", "2025-07-03T13:30:00"]
        assert after.closes_at[[1, 3]].astype(str).tolist() == ["2025-01-10T21:00:00", "2025-07-03T20:00:00"]
        assert not after.early_close.any()
        assert not after.late_open.any()

    def test_a_decision_that_says_what_is_so_changes_nothing(self):
        before = calendar("2025-01-08", "2025-01-10")
        after = with_decisions(before, {dt.date(2025, 1, 8): True, dt.date(2025, 1, 9): False})
        assert [column.tolist() for column in after] == [column.tolist() for column in before]

    def test_one_on_another_year_is_left_out(self):
        before = calendar("2025-01-08", "2025-01-10")
        assert with_decisions(before, {dt.date(2024, 1, 9): True, dt.date(2026, 1, 9): True}) is before
