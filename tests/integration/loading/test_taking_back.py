"""A person takes splits and dividends back: zeros or nothing in place of the values. Vendors do not undo it.

A closes at 100 in each of the sessions 0 to 19, so every adjusted close is worked by hand.
"""

import numpy as np
import pytest

from condvest.batch_layer.fetching.check_archive import check_archive
from tests.integration.loading.test_corporate_actions import at_close, closes, whole
from tests.support.payloads import bar, dividend, dividends_payload, payload, split, splits_payload


@pytest.fixture
def priced(world):
    world.archive = world.workspace.archive
    world.bars([at_close(world, "A", at) for at in range(20)])
    world.resample()
    yield world
    world.resample()
    assert world.differences() == []
    assert list(check_archive(world.loader(), None, 0)) == []


def listed(world, kind, *lines):
    """Load a user's file of splits or dividends."""
    columns = {"splits": "symbol,ex_date,split_from,split_to", "dividends": "symbol,ex_date,cash_amount"}
    text = "\n".join([columns[kind], *lines]) + "\n"
    return world.load(payload(kind, text.encode()))


@pytest.mark.parametrize("values", ["0,0", ","])
def test_a_split_taken_back_counts_no_longer_whoever_gave_it(priced, values):
    whole(priced, "splits", [split("A", priced.date(10), 1, 2)])
    done = listed(priced, "splits", f"A,{priced.date(10)},{values}")
    assert (done.withdrawn, done.unchanged, dict(done.refused)) == (1, 1, {})
    assert closes(priced, "A", "splits", 9, 10) == [100, 100]


@pytest.mark.parametrize("value", ["0", "0.00", ""])
def test_a_dividend_taken_back_counts_no_longer(priced, value):
    listed(priced, "dividends", f"A,{priced.date(10)},25")
    assert closes(priced, "A", "total", 9) == [80]
    assert listed(priced, "dividends", f"A,{priced.date(10)},{value}").withdrawn == 1
    assert closes(priced, "A", "total", 9) == [100]


def test_a_vendor_that_tells_it_again_is_not_believed_and_alarms_nobody(priced):
    priced.load(dividends_payload([dividend("A", priced.date(10), 25)], provider="massive"))
    listed(priced, "dividends", f"A,{priced.date(10)},0")
    again = whole(priced, "dividends", [dividend("A", priced.date(10), 25)])
    assert (again.inserted, dict(again.refused), again.needs_attention) == (0, {"taken_back": 1}, False)
    other = priced.load(splits_payload([split("A", priced.date(10), 1, 2)], provider="massive"))
    assert other.inserted == 1


def test_what_was_taken_back_can_be_given_again(priced):
    for amount in ("25", "0", "25"):
        done = listed(priced, "dividends", f"A,{priced.date(10)},{amount}")
    assert (done.inserted, closes(priced, "A", "total", 9)) == (1, [80])


def test_what_is_not_stored_is_named(priced):
    done = listed(priced, "splits", f"A,{priced.date(10)},0,0")
    said = f"nothing is stored that could be taken back of A {priced.date(10)}"
    done = listed(priced, "splits", *(f"A,{priced.date(at)},0,0" for at in range(4, 12)))
    named = ", ".join(f"A {priced.date(at)}" for at in range(4, 9))
    assert done.notices == (f"nothing is stored that could be taken back of {named} and 3 more",)
    done = listed(priced, "splits", f"A,{priced.date(10)},0,0")
    assert (done.withdrawn, done.notices) == (0, (said,))


def test_half_a_row_takes_nothing_back(priced):
    done = listed(
        priced, "splits", f"A,{priced.date(10)},,2", f"A,{priced.date(11)},0,2", f"A,{priced.date(12)},x,"
    )
    assert dict(done.refused) == {"malformed": 1, "missing_value": 1, "ratio_not_positive": 1}


def test_a_vendors_zero_takes_nothing_back(priced):
    listed(priced, "dividends", f"A,{priced.date(10)},25")
    done = priced.load(dividends_payload([dividend("A", priced.date(10), 0)], provider="massive"))
    assert (dict(done.refused), closes(priced, "A", "total", 9)) == ({"amount_not_positive": 1}, [80])


def test_the_last_word_on_an_action_without_bars_counts_when_the_bars_come(priced):
    priced.load(dividends_payload([dividend("B", priced.date(10), 9)], provider="massive"))
    for amount, at in (("20", 10), ("25", 10), ("5", 11), ("0", 11)):
        listed(priced, "dividends", f"B,{priced.date(at)},{amount}")
    prices = dict.fromkeys(("open", "high", "low", "close"), 100)
    priced.bars([bar("B", priced.date(at), **prices, volume=10) for at in range(20)])
    assert np.allclose(closes(priced, "B", "total", 9, 10), [80, 100], rtol=1e-15)
