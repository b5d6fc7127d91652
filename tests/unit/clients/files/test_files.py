"""Good files, and good files with bad rows."""

import datetime as dt
import gzip

import numpy as np
import pytest

from condvest.batch_layer.shared.clients.files import parse, read_payload
from condvest.batch_layer.shared.models.given.payloads import Payload

NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)
HEADER = "symbol,session,open,high,low,close,volume"


def payload(content, dataset="daily_bars"):
    content = content.encode() if isinstance(content, str) else content
    return Payload("file", dataset, content, "csv", None, None, NOW, is_whole=False, name="prices.csv")


def parsed(content, dataset="daily_bars"):
    return parse(payload(content, dataset))


def one(cell, column, header=HEADER, row="AAPL,2024-01-02,10,12,9,11,100"):
    """Parse one row in which the cell of ``column`` is replaced."""
    cells = row.split(",")
    cells[header.split(",").index(column)] = cell
    return parsed(f"{header}\n{','.join(cells)}\n")


def test_a_plain_file_gives_its_rows_as_they_stand():
    read = parsed(f"{HEADER}\nAAPL,2024-01-03,10,12,9,11,100\nKIMpL,2024-01-02,1.5,2.25,1,2,0.5\n")
    rows = read.rows
    assert rows.line.tolist() == [2, 3]
    assert rows.symbol.tolist() == ["AAPL", "KIMpL"]
    assert rows.session.tolist() == [dt.date(2024, 1, 3), dt.date(2024, 1, 2)]
    assert (rows.open.tolist(), rows.high.tolist()) == ([10.0, 1.5], [12.0, 2.25])
    assert (rows.low.tolist(), rows.close.tolist()) == ([9.0, 1.0], [11.0, 2.0])
    assert rows.volume.tolist() == [100.0, 0.5]
    assert np.isnan(rows.vwap).all()
    assert rows.trades.tolist() == [-1, -1]
    assert read.faults == {}


def test_columns_have_the_documented_dtypes():
    rows = parsed(f"{HEADER}\nAAPL,2024-01-03,10,12,9,11,100\n").rows
    assert rows.line.dtype == rows.trades.dtype == np.int64
    assert rows.session.dtype == np.dtype("datetime64[D]")
    assert {rows.open.dtype, rows.volume.dtype, rows.vwap.dtype} == {np.dtype("float64")}
    assert type(rows.symbol[0]) is str


def test_order_case_and_spaces_of_columns_are_forgiven_and_others_ignored_but_kept():
    read = parsed(
        " Note , VOLUME,close,Low,High,Open,DATE,Ticker,trades,VWAP\n"
        "bought at noon,100,11,9,12,10,2024-01-02,AAPL,7,10.5\n"
    )
    assert read.rows.symbol.tolist() == ["AAPL"]
    assert read.rows.open.tolist() == [10.0]
    assert read.rows.trades.tolist() == [7]
    assert read.rows.vwap.tolist() == [10.5]
    assert read.source.column_names[0] == "Note"
    assert read.source["Note"].to_pylist() == ["bought at noon"]
    assert read.source["VOLUME"].to_pylist() == ["100"]


@pytest.mark.parametrize(
    ("window_start", "session"),
    [
        (1678680000000000000, dt.date(2023, 3, 13)),  # the vendor's own example: 04:00Z, daylight saving
        (1577941200000000000, dt.date(2020, 1, 2)),  # 05:00Z, standard time
        (1678424400000000000, dt.date(2023, 3, 10)),  # the session before the clocks changed
        (1699246800000000000, dt.date(2023, 11, 6)),  # the session after they changed back
    ],
)
def test_the_massive_flat_file_is_dated_in_new_york(window_start, session):
    rows = parsed(
        "ticker,volume,open,close,high,low,window_start,transactions\n"
        f"A,25933.6,10,11,12,9,{window_start},321\n"
    ).rows
    assert rows.session.tolist() == [session]
    assert (rows.open[0], rows.close[0], rows.high[0], rows.low[0]) == (10.0, 11.0, 12.0, 9.0)
    assert rows.volume[0] == 25933.6
    assert rows.trades[0] == 321


def test_a_window_start_that_is_not_midnight_is_a_fault():
    read = parsed(
        "ticker,volume,open,close,high,low,window_start,transactions\n"
        "A,1,10,11,12,9,1602705600000000000,1\n"
        "B,1,10,11,12,9,soon,1\n"
        "C,1,10,11,12,9,1678680000000000001,1\n"
    )
    assert read.faults[0] == (
        "window_start: 1602705600000000000 is 2020-10-14 16:00:00 in America/New_York, not midnight"
    )
    assert read.faults[1] == "window_start: 'soon' is not a number of nanoseconds"
    assert "not midnight" in read.faults[2]
    assert np.isnat(read.rows.session).all()


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\nAAPL,2024-01-02,10,12,9,11,100\nMSFT,2024-01-02,1,1,1,1,1\n",
        f"{HEADER}\nAAPL,2024-01-02,10,12,9,11,100\nMSFT,2024-01-02,1,1,1,1,1",
        f"{HEADER}\r\nAAPL,2024-01-02,10,12,9,11,100\r\nMSFT,2024-01-02,1,1,1,1,1\r\n",
        f"{HEADER}\rAAPL,2024-01-02,10,12,9,11,100\rMSFT,2024-01-02,1,1,1,1,1\r",
        f"\ufeff{HEADER}\nAAPL,2024-01-02,10,12,9,11,100\nMSFT,2024-01-02,1,1,1,1,1\n",
        f"{HEADER}\nAAPL,2024-01-02,10,12,9,11,100\nMSFT,2024-01-02,1,1,1,1,1\n\n  \r\n\n",
        f"{HEADER}\nAAPL,2024-01-02,10,12,9,11,100\nMSFT,2024-01-02,1,1,1,1,1\n".replace(",", ";"),
        f"{HEADER}\nAAPL,2024-01-02,10,12,9,11,100\nMSFT,2024-01-02,1,1,1,1,1\n".replace(",", "\t"),
        f'{HEADER}\n"AAPL","2024-01-02","10","12","9","11","100"\nMSFT,2024-01-02,1,1,1,1,1\n',
        f"{HEADER}\n AAPL ,2024-01-02, 10 ,12,9,11,100\nMSFT,2024-01-02,1,1,1,1,1\n",
    ],
    ids=["lf", "no-last-lf", "crlf", "cr", "bom", "blank-end", "semicolons", "tabs", "quoted", "spaces"],
)
def test_ways_of_writing_csv_are_forgiven(text):
    read = parsed(text)
    assert read.faults == {}
    assert read.rows.symbol.tolist() == ["AAPL", "MSFT"]
    assert read.rows.line.tolist() == [2, 3]
    assert read.rows.close.tolist() == [11.0, 1.0]


def test_lines_count_blank_lines_between_rows_and_before_the_header():
    read = parsed(f"\n{HEADER}\n\nA,2024-01-02,1,1,1,1,1\n\n\nB,2024-01-02,x,1,1,1,1\n")
    assert read.rows.line.tolist() == [4, 7]
    assert read.faults == {1: "open: 'x' is not a number"}


def test_gzip_is_known_by_its_first_bytes_also_in_several_members():
    packed = gzip.compress(f"{HEADER}\nA,2024-01-02,1,1,1,1,1\n".encode(), mtime=0)
    more = gzip.compress(b"B,2024-01-02,2,2,2,2,2\n", mtime=0)
    assert parsed(packed + more).rows.symbol.tolist() == ["A", "B"]


@pytest.mark.parametrize("symbol", ["NA", "NULL", "null", "nan", "TRUE", "N/A", "1", "0x1", "1e5", "BRK.B"])
def test_symbols_that_look_like_something_else_stay_symbols(symbol):
    read = one(symbol, "symbol")
    assert read.rows.symbol.tolist() == [symbol]
    assert read.faults == {}


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("44.1", 44.1),
        ("+44.1", 44.1),
        ("4.41e1", 44.1),
        (".5", 0.5),
        ("5.", 5.0),
        ("-3", -3.0),
        ("0.1000000000000000055511151231257827", 0.1),
        ("123456789012345678", 123456789012345680.0),
        ("inf", np.inf),
        ("-Infinity", -np.inf),
        ("1e999", np.inf),
    ],
)
@pytest.mark.parametrize("beside", ["1", "rubbish"], ids=["all-plain", "beside-a-bad-cell"])
def test_numbers_are_read_to_the_nearest_float(cell, value, beside):
    """A bad cell elsewhere in the column makes the reader go another way, to the same numbers."""
    read = parsed(f"{HEADER}\nA,2024-01-02,{cell},1,1,1,1\nB,2024-01-02,{beside},1,1,1,1\n")
    assert read.rows.open[0] == value
    assert 0 not in read.faults


def test_nan_in_a_price_is_a_number_that_is_not_finite_and_no_fault():
    for cell in ("nan", "NaN", "-nan"):
        read = one(cell, "open")
        assert np.isnan(read.rows.open[0])
        assert read.faults == {}


@pytest.mark.parametrize(
    "cell", ["abc", "1,5", "1.2.3", "1_000", "0x10", "$5", "1 000", "--1", "NA", "\uff11"]
)
def test_a_price_that_is_no_number_is_a_fault_of_its_row_only(cell):
    read = parsed(f'{HEADER}\nA,2024-01-02,"{cell}",1,1,1,1\nB,2024-01-02,2,2,2,2,2\n')
    assert read.faults == {0: f"open: {cell!r} is not a number"}
    assert np.isnan(read.rows.open[0])
    assert read.rows.open[1] == 2.0
    assert read.source["open"].to_pylist() == [cell, "2"]


def test_a_decimal_comma_is_not_guessed():
    read = parsed(HEADER.replace(",", ";") + "\nA;2024-01-02;1,5;2;1;2;100\n")
    assert read.faults == {0: "open: '1,5' is not a number"}


@pytest.mark.parametrize("column", HEADER.split(","))
def test_an_empty_required_cell_is_a_missing_value(column):
    assert one("", column).faults == {0: f"{column}: missing"}
    assert one("  ", column).faults == {0: f"{column}: missing"}


def test_empty_optional_cells_are_unknown():
    read = parsed(f"{HEADER},vwap,trades\nA,2024-01-02,1,1,1,1,1,,\nB,2024-01-02,1,1,1,1,1,1.5,3\n")
    assert read.faults == {}
    assert read.rows.trades.tolist() == [-1, 3]
    assert np.isnan(read.rows.vwap[0])
    assert read.rows.vwap[1] == 1.5


def test_all_faults_of_a_row_are_told():
    read = parsed(f"{HEADER}\nA,soon,x,1,1,1,\n")
    assert read.faults == {
        0: "session: 'soon' is not a date (YYYY-MM-DD); open: 'x' is not a number; volume: missing"
    }


@pytest.mark.parametrize(
    ("cell", "trades"), [("12", 12), ("12.0", 12), ("+12", 12), ("0", 0), ("007", 7), (" 5 ", 5)]
)
def test_whole_numbers_of_trades(cell, trades):
    read = parsed(f"{HEADER},trades\nA,2024-01-02,1,1,1,1,1,{cell}\n")
    assert read.rows.trades.tolist() == [trades]
    assert read.faults == {}


@pytest.mark.parametrize("cell", ["12.5", "-1", "-7", "x", "1e3", "0x10", "99999999999999999999"])
def test_trades_that_are_no_whole_number_are_a_fault(cell):
    read = parsed(f"{HEADER},trades\nA,2024-01-02,1,1,1,1,1,{cell}\nB,2024-01-02,1,1,1,1,1,8\n")
    assert read.faults == {0: f"trades: {cell!r} is not a whole number of 0 or more"}
    assert read.rows.trades.tolist() == [-1, 8]


@pytest.mark.parametrize(
    "cell",
    [
        "2024-01-02",
        "20240102",
        "2024-01-02 00:00",
        "2024-01-02T00:00:00",
        "2024-01-02T00:00:00.000000000",
        "2024-01-02T00:00:00-05:00",
        "2024-01-02T05:00:00Z",
    ],
)
def test_a_date_or_midnight_in_new_york_is_a_session(cell):
    read = one(cell, "session")
    assert read.rows.session.tolist() == [dt.date(2024, 1, 2)]
    assert read.faults == {}


@pytest.mark.parametrize(
    ("cell", "wrong"),
    [
        ("01/02/2024", "is not a date"),
        ("2024-02-30", "is not a date"),
        ("2024-13-01", "is not a date"),
        ("0000-01-01", "is not a date"),
        ("2024-W01-2", "is not a date"),
        ("2024-1-2", "is not a date"),
        ("1704171600", "is not a date"),
        ("2024-01-02T16:00:00", "not midnight"),
        ("2024-01-02T00:00:00Z", "2024-01-01 19:00:00 in America/New_York, not midnight"),
        ("2024-01-02T25:00:00", "is not a date"),
        ("0001-01-01T00:00:00+10:00", "is not a date"),
    ],
)
def test_any_other_date_is_a_fault(cell, wrong):
    read = one(cell, "session")
    assert wrong in read.faults[0]
    assert cell in read.faults[0]
    assert np.isnat(read.rows.session[0])


def test_splits_and_dividends():
    splits = parsed("ex_date,Symbol,split_to,split_from\n2005-02-28,AAPL,2,1\n", "splits")
    assert splits.rows.symbol.tolist() == ["AAPL"]
    assert splits.rows.ex_date.tolist() == [dt.date(2005, 2, 28)]
    assert (splits.rows.split_from.tolist(), splits.rows.split_to.tolist()) == ([1.0], [2.0])
    dividends = parsed("ticker,ex_date,cash_amount\nMSFT,2004-11-15,3.08\nMSFT,,x\n", "dividends")
    assert dividends.rows.cash_amount[0] == 3.08
    assert dividends.faults == {1: "ex_date: missing; cash_amount: 'x' is not a number"}


def test_a_file_with_ten_thousand_columns_is_read_if_the_needed_ones_are_there():
    more = ",".join(f"c{n}" for n in range(10_000))
    read = parsed(f"{more},{HEADER}\n{more},A,2024-01-02,1,1,1,1,1\n")
    assert read.rows.symbol.tolist() == ["A"]
    assert len(read.source.column_names) == 10_007


def test_the_payload_of_a_file_keeps_its_bytes(tmp_path):
    content = gzip.compress(f"{HEADER}\nA,2024-01-02,1,1,1,1,1\n".encode(), mtime=0)
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    read = read_payload(path, provider="mine", dataset="daily_bars", now=NOW)
    assert read == Payload("mine", "daily_bars", content, "csv.gz", None, None, NOW, False, str(path))
    assert parse(read).rows.symbol.tolist() == ["A"]
