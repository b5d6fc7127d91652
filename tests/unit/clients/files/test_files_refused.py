"""Files that are refused whole: the message names the file, what is wrong, and where."""

import datetime as dt
import gzip
import importlib
import io
import os
import time
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from condvest.batch_layer.shared.clients.files import cells, parse, read_payload
from condvest.batch_layer.shared.clients.files.unpacking import bounds
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.payloads import Payload

parse_module = importlib.import_module("condvest.batch_layer.shared.clients.files.parse")
NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)
HEADER = "symbol,session,open,high,low,close,volume"
ROW = "AAPL,2024-01-02,10,12,9,11,100"
GOOD = f"{HEADER}\n{ROW}\n{ROW.replace('AAPL', 'MSFT')}\n".encode()


def refusal(content, dataset="daily_bars"):
    content = content.encode() if isinstance(content, str) else content
    with pytest.raises(InputError) as caught:
        parse(Payload("file", dataset, content, "csv", None, None, NOW, is_whole=False, name="prices.csv"))
    message = str(caught.value)
    assert message.startswith("prices.csv: ")
    assert len(message) < 600
    return message


def read(path):
    return read_payload(path, provider="file", dataset="daily_bars", now=NOW)


def test_paths_that_cannot_be_read(tmp_path):
    (tmp_path / "empty.csv").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    cases = {
        tmp_path / "missing.csv": "no such file",
        tmp_path: "is a directory",
        tmp_path / "empty.csv": "is empty",
        tmp_path / "loop": "cannot be read",
        tmp_path / "missing.csv" / "x": "no such file",
        tmp_path / ("n" * 300): "cannot be read",
        "/dev/null": "neither a file nor a pipe",
        "nul\0byte.csv": "cannot be read",
    }
    for path, what in cases.items():
        with pytest.raises(InputError, match=what) as caught:
            read(path)
        assert str(path) in str(caught.value)


def test_an_unreadable_file_names_the_reason(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_bytes(GOOD)

    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        read(path)


def test_a_pipe_is_read_like_a_file():
    """``condvest import <(zcat ...)`` names a pipe."""
    ours, theirs = os.pipe()
    os.write(theirs, GOOD)
    os.close(theirs)
    try:
        assert read(f"/dev/fd/{ours}").content == GOOD
    finally:
        os.close(ours)


def test_a_file_name_that_is_no_text_is_shown_in_escapes(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.csv")
    path.write_bytes(GOOD)
    assert read(path).name.endswith(r"caf\udce9.csv")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"   \r\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_nothing_in_the_file(content):
    assert "is empty" in refusal(content)


def test_a_header_alone():
    assert "no row" in refusal(HEADER + "\n\n")


def test_every_truncation_of_a_gzip_is_refused():
    packed = gzip.compress(GOOD, mtime=0)
    for length in range(2, len(packed)):
        assert "gzip" in refusal(packed[:length])


def test_a_corrupt_gzip():
    packed = bytearray(gzip.compress(GOOD, mtime=0))
    packed[-6] ^= 0xFF  # the checksum
    assert "corrupt" in refusal(bytes(packed))
    assert "corrupt" in refusal(gzip.compress(GOOD, mtime=0) + b"appended")


@pytest.mark.parametrize(
    ("inside", "what"),
    [
        (gzip.compress(GOOD, mtime=0), "packed twice"),
        (b"PAR1....PAR1", "Parquet"),
        (b"ustar\0\0\0", "binary"),
        (b"\x7fELF\x02\x01\x01\0", "binary"),
    ],
)
def test_a_gzip_of_something_else(inside, what):
    assert what in refusal(gzip.compress(inside, mtime=0))


def test_other_formats_are_told_by_name():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("prices.csv", GOOD)
    assert "ZIP" in refusal(packed.getvalue())
    assert "UTF-16" in refusal(GOOD.decode().encode("utf-16"))
    assert "no column" in refusal('{"status": "OK", "results": []}')
    assert "no column" in refusal("<html><body>Forbidden</body></html>")


def test_a_bomb_is_not_unpacked_to_the_end():
    """Of a small file 32 MiB are unpacked, and no more than is read further."""
    packed = gzip.compress(bytes(40 << 20), mtime=0)
    assert f"33,554,432 bytes that are read of a file of {len(packed):,} bytes" in refusal(packed)


def test_the_bounds_of_a_file_are_those_of_its_size_and_of_the_machine(monkeypatch):
    monkeypatch.setattr(bounds, "memory_at_hand", lambda: 64 << 30)
    small, packed, plain = (
        bounds.Bounds.of(size, name="f", is_packed=is_packed)
        for size, is_packed in ((1000, True), (10_000_000, True), (10_000_000, False))
    )
    assert (small.text, small.rows) == (32 << 20, 1_000_000)
    assert (packed.text, packed.rows) == (80_000_000, 2_500_000)
    assert (plain.text, plain.rows) == (32 << 20, 1_250_000)
    assert bounds.Bounds.of(1 << 40, name="f", is_packed=False).text == 4 * 1024**3
    monkeypatch.setattr(bounds, "memory_at_hand", lambda: 2 << 30)
    large = bounds.Bounds.of(1 << 30, name="f", is_packed=False)
    assert (large.text, large.rows) == (128 << 20, 4 << 20)


def test_blank_lines_are_counted_before_there_is_a_place_for_each():
    message = refusal(GOOD + b"\n" * 1_300_000 + ROW.encode())
    assert "rows, where at most 1,000,000 are read" in message
    assert "leave out blank lines" in message


def test_more_columns_than_a_workbook_has():
    assert "16,391 columns, where at most 16,384" in refusal(f"{HEADER}{',' * 16_384}\n{ROW}\n")


def test_a_file_of_faults_alone_is_refused_whole(monkeypatch):
    monkeypatch.setattr(cells, "MAX_FAULTY_ROWS", 2)
    assert "3 cells of column 'open' cannot be read, where at most" in refusal(
        f"{HEADER}\n" + "A,2024-01-02,x,1,1,1,1\n" * 3
    )
    monkeypatch.setattr(parse_module, "MAX_FAULTY_ROWS", 2)
    assert "3 rows cannot be read" in refusal(
        f"{HEADER}\nA,2024-01-02,x,1,1,1,1\nA,2024-01-02,1,x,1,1,1\nA,2024-01-02,1,1,x,1,1\n"
    )


def test_another_encoding_is_told_with_line_and_byte():
    message = refusal(f"{HEADER}\n{ROW}\nCaf".encode() + b"\xe9,2024-01-02,1,1,1,1,1\n")
    offset = len(HEADER) + 1 + len(ROW) + 1 + 3
    assert "line 3 has the byte 0xe9" in message
    assert f"byte {offset} of the text" in message


def test_binary_junk():
    assert "binary data" in refusal(bytes(range(256)) * 10)


def test_missing_columns_are_named_with_those_found():
    message = refusal("symbol,date,open,high,close,vol\nA,2024-01-02,1,1,1,1\n")
    assert "no column low, volume; found 'symbol', 'date', 'open', 'high', 'close', 'vol'" in message
    assert "no column session or date or window_start" in refusal(
        "symbol,open,high,low,close,volume\nA,1,1,1,1,1\n"
    )
    assert "split_from, split_to" in refusal(GOOD, "splits")
    assert "cash_amount" in refusal(GOOD, "dividends")


@pytest.mark.parametrize(
    "content",
    [
        "Date,AAPL,MSFT\n2024-06-03,194.03,413.52\n",
        ",AAPL\n2024-06-03,194.03\n",
        "Unnamed: 0;AAPL;MSFT\n2024-06-03;194.03;413.52\n",
        "Date,Close\n2024-06-03,194.03\n",
        "symbol,date,close,volume\nAAPL,2024-06-03,194.03,100\n",
    ],
)
def test_closes_alone_are_refused_with_what_to_do(content):
    """A bar's open, high, low and volume are made up by nobody but the user."""
    assert "Closes alone make no bars" in refusal(content)


@pytest.mark.parametrize(
    "header", ["symbol,date", "AAPL,MSFT", "date,open,high,low,close", "date,high,close"]
)
def test_no_word_of_closes_where_something_else_is_missing(header):
    assert "Closes alone" not in refusal(f"{header}\n{','.join('1' for _ in header.split(','))}\n")


def test_a_table_without_a_header_is_told_so():
    assert "The first line has to name the columns" in refusal("2024-06-03,1,2,1,2,5\n2024-06-04,1,2,1,2,5\n")


@pytest.mark.parametrize("name", ["c", "a name that goes on and on " * 20])
def test_ten_thousand_wrong_columns_are_refused_at_once_and_briefly(name):
    header = ",".join(f"{name}{n}" for n in range(10_000))[: 1 << 20]
    content = f"{header}\n{'1,' * 9_999}1\n"
    start = time.perf_counter()
    message = refusal(content)
    assert time.perf_counter() - start < 1
    assert "more" in message


@pytest.mark.parametrize(
    ("header", "what"),
    [
        (f"{HEADER},close", "column 'close' is there more than once"),
        (f"{HEADER}, CLOSE ", "column 'close' is there more than once"),
        (f"{HEADER},ticker", "columns 'symbol', 'ticker' both stand for symbol"),
        (f"{HEADER},date", "columns 'session', 'date' both stand for session"),
    ],
)
def test_doubled_columns(header, what):
    assert what in refusal(f"{header}\n{ROW},1\n")


@pytest.mark.parametrize(
    ("row", "fields"), [("A,2024-01-02,1,1,1,1", 6), (f"{ROW},", 8), ("A", 1), ('"a,b",1', 2), ("   ", 1)]
)
def test_a_row_with_another_number_of_fields_is_named_by_its_line(row, fields):
    message = refusal(f"{HEADER}\n{ROW}\n\n{row}\n{ROW}\n")
    assert f"line 4 has {fields} fields where the header has 7" in message


def test_a_line_break_in_quotes_is_refused_with_its_line():
    message = refusal(f'{HEADER}\n{ROW}\n"A\nB",2024-01-02,1,1,1,1,1\n')
    assert "line 3 has a quotation mark that is not closed" in message
    assert "line 1 has a quotation mark" in refusal(f'"{HEADER}\n{ROW}\n')


def test_a_quote_that_opens_late_and_swallows_lines_is_refused():
    """Each line has an even number of marks, yet a field runs over the end of one."""
    assert "line" in refusal(f'{HEADER},note\n{ROW},x\nA,b"c,"1,1,1,1,1,1\nB,b"c,"1,1,1,1,1,1\n')


def test_an_endless_line():
    assert "line 2 is longer" in refusal(HEADER + "\n" + "A" * ((1 << 20) + 1))
    assert "line 1 is longer" in refusal("A" * ((1 << 20) + 1))


def parse_or_refuse(content, dataset="daily_bars"):
    """Whatever the bytes: rows with a line each, or InputError."""
    read_rows, message = None, "fuzz: "
    try:
        read_rows = parse(
            Payload("file", dataset, content, "csv", None, None, NOW, is_whole=False, name="fuzz")
        )
    except InputError as error:
        message = str(error)
    assert message.startswith("fuzz: ")
    if read_rows is not None:
        assert len(read_rows.rows) == read_rows.source.num_rows > 0
        assert all(0 <= row < len(read_rows.rows) for row in read_rows.faults)


@given(st.binary(max_size=400), st.sampled_from(["daily_bars", "splits", "dividends"]))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_are_parsed_or_refused(content, dataset):
    parse_or_refuse(content, dataset)
    parse_or_refuse(gzip.compress(content, mtime=0), dataset)
    parse_or_refuse(HEADER.encode() + b"\n" + content)


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(GOOD)),
            st.sampled_from([b"", b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"e9", b"-"]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 3),
)
@settings(max_examples=300, deadline=None)
def test_mutated_csv_is_parsed_or_refused(changes, cut):
    content = GOOD
    for place, what in changes:
        content = content[:place] + what + content[place + cut :]
    parse_or_refuse(content)
    parse_or_refuse(gzip.compress(content, mtime=0)[: len(content) // 2])


@given(st.text(min_size=0, max_size=30), st.sampled_from(range(7)))
@settings(max_examples=300, deadline=None)
def test_any_text_in_a_cell_leaves_the_row_beside_it_alone(text, place):
    cells = ROW.split(",")
    cells[place] = '"' + text.replace('"', '""').replace("\n", "").replace("\r", "").replace("\0", "") + '"'
    try:
        content = f"{HEADER}\n{','.join(cells)}\n{ROW}\n".encode()
    except UnicodeEncodeError:
        return
    read_rows = parse(
        Payload("file", "daily_bars", content, "csv", None, None, NOW, is_whole=False, name="x")
    )
    assert read_rows.rows.line.tolist() == [2, 3]
    assert 1 not in read_rows.faults
    assert read_rows.rows.close[1] == 11.0
    assert read_rows.rows.symbol[1] == "AAPL"
