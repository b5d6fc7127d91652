"""A record of renames may be some sessions late; the bars show when the new symbol was traded first.

FB is traded from 06-01 to 06-07 and META from 06-08 on, but the record has the rename on 06-09.
"""

import datetime as dt

import pytest

from tests.integration.identity.test_identity_stored import Vendor

D = dt.date
DAYS = [D(2022, 6, day) for day in (1, 2, 3, 6, 7, 8, 9, 10)]
SERIES = {date: 100.0 + place for place, date in enumerate(DAYS)}


@pytest.fixture
def vendor(workspace, sessions):
    return Vendor(workspace, sessions)


def traded(first_of_meta):
    return [("FB" if date < first_of_meta else "META", date, close) for date, close in SERIES.items()]


def tell(vendor, step):
    if step == "bars":
        vendor.bars(*traded(D(2022, 6, 8)))
    elif step == "listings":
        vendor.listings(("META", "F1", None))
    else:
        vendor.renames("F1", ("META", D(2022, 6, 9)), ("FB", D(2012, 5, 18)))


ORDERS = (("bars", "listings", "renames"), ("listings", "bars", "renames"), ("listings", "renames", "bars"))


@pytest.mark.parametrize("order", ORDERS)
def test_it_begins_with_the_first_bar_of_the_new_symbol(vendor, order):
    for step in order:
        tell(vendor, step)
    assert vendor.closes("META") == SERIES
    tell(vendor, "listings")
    tell(vendor, "renames")
    assert vendor.closes("META") == vendor.closes("FB") == SERIES


def test_one_session_after_the_other(vendor):
    tell(vendor, "listings")
    tell(vendor, "renames")
    for one in traded(D(2022, 6, 8)):
        vendor.bars(one)
    assert vendor.closes("META") == SERIES


def test_not_where_the_old_symbol_was_traded_then(vendor):
    """06-08 is a day of FB, so a bar of META on it is another company's."""
    tell(vendor, "listings")
    tell(vendor, "renames")
    vendor.bars(*traded(D(2022, 6, 9)), ("META", D(2022, 6, 8), 9.0))
    assert vendor.closes("META") == SERIES


def test_not_with_bars_of_who_was_there_before(vendor):
    """Another company carried META since 06-01; FB was halted on 06-08."""
    tell(vendor, "listings")
    tell(vendor, "renames")
    others = [("META", date, 9.0) for date in DAYS[:6]]
    vendor.bars(*(one for one in traded(D(2022, 6, 9)) if one[1] != D(2022, 6, 8)), *others)
    assert vendor.closes("META") == {date: close for date, close in SERIES.items() if date != D(2022, 6, 8)}
