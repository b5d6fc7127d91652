"""Tables of Stooq's, Lean's and qlib's: read by what is known of them, or refused with what to do."""

import pytest

from condvest.batch_layer.shared.clients.files import parse
from condvest.batch_layer.shared.errors import InputError
from tests.unit.clients.files.test_files_adjusted import payload

STOOQ = """<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>
AAPL.US,D,20240604,000000,25,26,24,25.5,4400,0
AAPL.US,D,20240605,000000,25,26,24,25.25,4800,0
"""
SPLITS = (("AAPL", "2024-06-05", 4.0),)


def test_stooqs_split_adjusted_prices_are_brought_back():
    rows = parse(payload(STOOQ, prices="split-adjusted", splits=SPLITS)).rows
    assert rows.symbol.tolist() == ["AAPL", "AAPL"]
    assert [str(date) for date in rows.session] == ["2024-06-04", "2024-06-05"]
    assert (rows.close.tolist(), rows.volume.tolist()) == ([102, 25.25], [1100, 4800])


def test_stooqs_prices_are_taken_for_nothing_that_nobody_said():
    with pytest.raises(InputError, match=r"Stooq's.*--prices split-adjusted.*--splits FILE"):
        parse(payload(STOOQ))
    with pytest.raises(InputError, match="name the splits"):
        parse(payload(STOOQ, prices="split-adjusted"))


@pytest.mark.parametrize(
    ("was", "other"), [("AAPL.US,D,20240605", "BP.UK,D,20240605"), ("US,D,20240605", "US,5,20240605")]
)
def test_a_row_of_another_market_or_period_refuses_stooqs_file(was, other):
    with pytest.raises(InputError, match=r"line 3: .*leave out the others"):
        parse(payload(STOOQ.replace(was, other), prices="as-traded"))


def test_leans_prices_are_never_read_as_dollars():
    with pytest.raises(InputError, match=r"Lean's.*divide the four prices by 10,000.*--symbol"):
        parse(payload("20240603 00:00,1901200,1912300,1899000,1905500,1000\n" * 2))


QLIB = """symbol,date,open,high,low,close,volume,factor
A,2024-06-03,5,6,4,5,2000,0.05
A,2024-06-04,25,26,24,25.5,400,1
A,2024-06-05,25,26,24,25.5,400,{}
"""


@pytest.mark.parametrize("factor", ["1", "0", "-1", ""])
def test_qlibs_factor_brings_prices_back_or_the_row_is_left_unknown(factor):
    rows = parse(payload(QLIB.format(factor), prices="adjusted")).rows
    assert (rows.close.tolist()[:2], rows.volume.tolist()[:2]) == ([100, 25.5], [100, 400])
    assert (rows.close[2] == 25.5) == (factor == "1")


def test_adjusted_prices_without_a_factor_are_refused():
    with pytest.raises(InputError, match="a column factor as qlib's"):
        parse(payload(QLIB.format(1).replace("factor", "change"), prices="adjusted"))
