"""A person states, corrects and takes back renames, against what vendors say, before and after it.

FB is traded from 06-01 to 06-07 and META from 06-08 on; another company is META until 06-02.
"""

import datetime as dt
from dataclasses import replace

import pytest

from tests.integration.identity.test_identity_stored import Vendor
from tests.support.payloads import bar, dividend, payload, split
from tests.support.worlds.long_world import everything_in

D = dt.date
DAYS = [D(2022, 6, day) for day in (1, 2, 3, 6, 7, 8, 9, 10)]
SERIES = {date: 100.0 + place for place, date in enumerate(DAYS)}
RENAMED = D(2022, 6, 8)
FB = {date: close for date, close in SERIES.items() if date < RENAMED}
META = {date: close for date, close in SERIES.items() if date >= RENAMED}
OTHER = dict.fromkeys(DAYS[:2], 9.0)


def stated_payload(*rows):
    return payload("renames", "\n".join(["from,to,date", *rows]).encode())


class Told(Vendor):
    """A vendor beside whom a person states renames."""

    def __init__(self, workspace, sessions):
        super().__init__(workspace, sessions)
        self._sessions = sessions

    def state(self, *rows, rehearsal=False):
        self._count += 1
        fetched_at = dt.datetime(2024, 1, 2, tzinfo=dt.UTC) + dt.timedelta(hours=self._count)
        loader = self._workspace.loader(self._sessions, rehearsal=rehearsal)
        return loader.load(replace(stated_payload(*rows), fetched_at=fetched_at))


@pytest.fixture
def told(workspace, sessions):
    vendor = Told(workspace, sessions)
    vendor.bars(
        *(("FB", date, close) for date, close in FB.items()),
        *(("META", date, close) for date, close in META.items()),
        *(("META", date, close) for date, close in OTHER.items()),
    )
    return vendor


def every(table, database, column="close"):
    """Return the values of each instrument that has any, in the order of its dates."""
    when = "ordinal" if table == "daily_bars" else "ex_date"
    with database.transaction() as connection:
        return sorted(
            tuple(values)
            for (values,) in connection.execute(
                f"SELECT array_agg({column} ORDER BY {when}) FROM {table} GROUP BY instrument_id"
            )
        )


def test_a_stated_rename_makes_one_series_of_two_and_leaves_another_company_its_own(told, database):
    done = told.state("FB,META,2022-06-08")
    assert (done.changed, dict(done.refused)) == (1, {})
    assert told.closes("META") == told.closes("FB") == SERIES
    assert every("daily_bars", database) == [tuple(OTHER.values()), tuple(SERIES.values())]
    assert told.state("FB,META,2022-06-08").unchanged == 1


def test_splits_and_dividends_move_with_it(world):
    world.bars([bar("FB", DAYS[0]), bar("META", RENAMED)])
    world.splits([split("FB", DAYS[1]), split("META", DAYS[6], 1, 3)])
    world.dividends([dividend("FB", DAYS[2], 1.0), dividend("META", DAYS[7], 2.0)])
    world.load(stated_payload("FB,META,2022-06-08"))
    assert every("splits", world.workspace.database, "split_to") == [(2, 3)]
    assert every("dividends", world.workspace.database, "cash_amount") == [(1, 2)]
    world.resample()
    assert world.differences() == []


@pytest.mark.parametrize("back", ["", "0"])
def test_a_stated_rename_is_taken_back(told, database, back):
    before = every("daily_bars", database)
    told.state("FB,META,2022-06-08")
    done = told.state(f"FB,{back},2022-06-08")
    assert (done.changed, done.notices[0].startswith("1 instruments made")) == (1, True)
    assert every("daily_bars", database) != before, "META of then and of now stay two companies"
    assert every("daily_bars", database) == [
        tuple(OTHER.values()),
        tuple(FB.values()),
        tuple(META.values()),
    ]
    assert told.state("FB,,2022-06-08").unchanged == 1


def test_a_stated_rename_is_corrected(told, database):
    told.state("FB,META,2022-06-09")
    assert told.closes("META") == {date: close for date, close in SERIES.items() if date != RENAMED}
    told.state("FB,META,2022-06-08")
    assert told.closes("META") == SERIES
    with database.transaction() as connection:
        [(superseded,)] = connection.execute(
            "SELECT value FROM metadata_revisions WHERE field = 'stated_renames'"
        ).fetchall()
    assert superseded == '[["2022-06-09", "FB", "META"]]'


VENDOR_SAYS = (("META", D(2022, 6, 9)), ("FB", D(2012, 5, 18)))


def tell(told, step):
    if step == "listings":
        told.listings(("META", "F1", None), ("FBX", "F2", None))
    elif step == "renames":
        told.renames("F1", *VENDOR_SAYS)
    else:
        told.state(step)


@pytest.mark.parametrize(
    "steps",
    [
        ("listings", "renames", "FB,META,2022-06-08", "listings", "renames"),
        ("FB,META,2022-06-08", "listings", "renames", "listings"),
        ("listings", "FB,META,2022-06-08", "renames"),
    ],
)
def test_what_is_stated_ranks_above_a_vendors_record(told, database, steps):
    for step in steps:
        tell(told, step)
    assert told.closes("META") == SERIES
    assert every("daily_bars", database) == [tuple(OTHER.values()), tuple(SERIES.values())]


@pytest.mark.parametrize("again", [(), ("renames",), ("listings", "renames", "listings")])
def test_a_vendors_rename_is_taken_back_for_good(told, database, again):
    """The vendor's record says 06-09, but the bars show 06-08, from which it is held."""
    for step in ("listings", "renames", "FB,,2022-06-08", *again):
        tell(told, step)
    assert told.closes("META") == META
    assert told.closes("FB") == FB
    ids = "SELECT DISTINCT instrument_id FROM daily_bars"
    with database.transaction() as connection:
        before = connection.execute(ids).fetchall()
    tell(told, "listings")
    with database.transaction() as connection:
        assert connection.execute(ids).fetchall() == before, "nothing is made anew night after night"


def test_what_the_symbol_became_can_be_said_to_be_another(told):
    for step in ("listings", "renames", "FB,FBX,2022-06-08", "listings", "renames"):
        tell(told, step)
    told.bars(("FBX", DAYS[6], 50.0))
    assert told.closes("META") == META
    assert told.closes("FBX") == FB | {DAYS[6]: 50.0}


def test_a_rename_ahead_keeps_the_series_when_the_bars_come(told):
    told.state("FB,FBX,2022-06-08")
    told.bars(("FBX", RENAMED, 50.0))
    assert told.closes("FBX") == FB | {RENAMED: 50.0}


def test_a_rehearsal_says_what_would_be_done_and_stores_nothing(told, database):
    before = every("daily_bars", database)
    assert told.state("FB,META,2022-06-08", rehearsal=True).changed == 1
    assert every("daily_bars", database) == before
    assert told.state("FB,META,2022-06-08").changed == 1


@pytest.mark.parametrize(
    ("rows", "refused"),
    [
        (["FB,FB,2022-06-08"], {"bad_rename": 1}),
        (["FB,META,2022-06-08", "FB,FBX,2022-06-08"], {"conflicting_duplicate": 2}),
        (["FB,META,2022-06-08", "META,FB,2022-06-08"], {"bad_rename": 2}),
        (["FB,META,2022-06-08", "MSFT,META,2022-06-08"], {"bad_rename": 2}),
        (["NONE,META,2022-06-08"], {"unknown_symbol": 1}),
        (["FB,META,June 8"], {"malformed": 1}),
        (["FB,META,"], {"missing_value": 1}),
        ([",META,2022-06-08"], {"missing_value": 1}),
        (["FB,ME TA,2022-06-08"], {"bad_symbol": 1}),
        (["FB,META,1822-06-08"], {"before_calendar": 1}),
        (["FB,META,2922-06-08"], {"after_calendar": 1}),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(told, database, rows, refused):
    before = every("daily_bars", database)
    done = told.state(*rows)
    assert (dict(done.refused), done.needs_attention) == (refused, True)
    assert every("daily_bars", database) == before
    with database.transaction() as connection:
        lines = connection.execute("SELECT line, reason FROM refused_rows ORDER BY line").fetchall()
    assert [line for line, _ in lines] == list(range(2, 2 + len(rows)))
    assert all(reason for _, reason in lines)


def test_a_circle_with_what_is_held_is_refused(told):
    told.state("FB,META,2022-06-08")
    done = told.state("META,FB,2022-06-08")
    assert dict(done.refused) == {"bad_rename": 1}


def test_taking_back_what_is_not_there_is_named(told):
    done = told.state("FB,,2022-06-08")
    assert (done.changed, done.unchanged) == (0, 1)
    assert done.notices == ("FB 2022-06-08: takes back a rename that is not stored",)


def test_a_rebuild_ends_in_the_same_rows(lasting_world):
    world = lasting_world
    world.empty()
    rows = [bar("FB", date) for date in FB] + [bar("META", date) for date in (*OTHER, *META)]
    world.bars(rows)
    world.load(stated_payload("FB,META,2022-06-09", "FB,FB,2022-06-07"))
    world.load(stated_payload("FB,META,2022-06-08"))
    world.bars([bar("FBX", DAYS[7])])
    world.load(stated_payload("FB,,2022-06-08", "FB,FBX,2022-06-09"))
    world.resample()
    before = everything_in(world)
    world.rebuild()
    world.resample()
    assert everything_in(world) == before
