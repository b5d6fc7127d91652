"""Parts of published data sets: which windows belong to which year or month."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.published.parts import DIVIDED, Division, compacting_starts, year_of
from tests.support.judged import SESSIONS

DATES = np.arange("2020-12-28", "2022-01-01", dtype="datetime64[D]")
DATES = DATES[np.is_busday(DATES)]


def calendar(dates=DATES, first_ordinal=26):
    """Return a calendar whose hours do not matter here."""
    none = np.zeros(len(dates), dtype=bool)
    instants = dates.astype("datetime64[s]")
    return replace(
        SESSIONS,
        first_ordinal=first_ordinal,
        date=dates,
        opens_at=instants,
        closes_at=instants,
        early_close=none,
        late_open=none,
    )


def part_of(starts, names, window):
    return names[np.searchsorted(starts, window, side="right") - 1]


def test_years_are_whole_until_months_begin():
    assert Division.of(calendar(), None).names == ["2020", "2021"]
    months = [f"2021-{month:02}" for month in range(1, 13)]
    assert Division.of(calendar(), 2021).names == ["2020", *months]
    assert Division.of(calendar(), 2022).names == ["2020", "2021"]
    assert [year_of(name) for name in ("2020", "2021-07")] == ["2020", "2021"]


def test_a_window_belongs_to_the_month_of_its_last_session():
    # 28, 29, 30 and 31 December are the ordinals 26 to 29; January of 2021 has 30 to 50, February 51 to 70.
    division = Division.of(calendar(), 2021)
    daily = division.starts(calendar(), "daily_bars")
    assert daily[:3].tolist() == [26, 30, 51]
    # Window 9 of bars of 3 is 27 to 29, window 10 begins with the year; window 16 is 48 to 50 ends January.
    of_three = division.starts(calendar(), "bars_3")
    assert of_three[:3].tolist() == [8, 10, 17]
    # Window 0 of bars of 34 is 0 to 33 and ends in January; 1 ends in February (34 to 67), 2 in April.
    of_thirty_four = division.starts(calendar(), "bars_34")
    assert [part_of(of_thirty_four, division.names, window) for window in (0, 1, 2)] == [
        "2021-01",
        "2021-02",
        "2021-04",
    ]


@given(months_from=st.sampled_from([None, 2020, 2021, 2022]), dataset=st.sampled_from(sorted(DIVIDED)))
def test_every_window_is_in_the_part_in_which_it_ends(months_from, dataset):
    sessions, interval = calendar(), DIVIDED[dataset]
    division = Division.of(sessions, months_from)
    starts = division.starts(sessions, dataset)
    for window in range(26 // interval, (sessions.last_ordinal + 1) // interval):
        date = str(sessions.session(window * interval + interval - 1))
        assert date.startswith(part_of(starts, division.names, window))


@pytest.mark.parametrize("months_from", [None, 2020, 2021])
def test_a_division_has_no_border_that_compacting_does_not_have(months_from):
    sessions = calendar()
    finest = compacting_starts(sessions)
    for dataset in DIVIDED:
        assert set(Division.of(sessions, months_from).starts(sessions, dataset)) <= set(finest[dataset])


def test_a_month_without_a_session_has_no_part_of_its_own():
    # The exchange was closed from August to November of 1914.
    is_closed = (np.datetime64("2021-08-01") <= DATES) & (np.datetime64("2021-12-01") > DATES)
    sessions = calendar(DATES[~is_closed])
    division = Division.of(sessions, 2021)
    starts = division.starts(sessions, "daily_bars")
    august, december = division.names.index("2021-08"), division.names.index("2021-12")
    assert len(set(starts[august : december + 1])) == 1
    assert part_of(starts, division.names, starts[december]) == "2021-12"
