"""Yahoo's spelling of symbols, and files of symbols."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.clients.yahoo import read_symbols
from condvest.batch_layer.shared.clients.yahoo.symbols import MAX_FILE_BYTES, house_symbol, yahoo_symbol
from condvest.batch_layer.shared.errors import InputError


@pytest.mark.parametrize(
    ("given_as", "yahoo", "house"),
    [
        ("AAPL", "AAPL", "AAPL"),
        ("aapl", "AAPL", "AAPL"),
        ("BRK.B", "BRK-B", "BRK.B"),
        ("BRK-B", "BRK-B", "BRK.B"),
        ("brk.b", "BRK-B", "BRK.B"),
        ("KIMpL", "KIM-PL", "KIMpL"),
        ("KIM-PL", "KIM-PL", "KIMpL"),
        ("KIMPL", "KIMPL", "KIMPL"),
        ("^GSPC", "^GSPC", "^GSPC"),
        ("AAC.U", "AAC-UN", "AAC.U"),
        ("aac.u", "AAC-UN", "AAC.U"),
        ("AAC-UN", "AAC-UN", "AAC.U"),
        ("AAC-U", "AAC-U", "AAC-U"),
        ("AAC.WS", "AAC-WT", "AAC.WS"),
        ("AAC-WT", "AAC-WT", "AAC.WS"),
        ("AAC.WS.A", "AAC-WTA", "AAC.WS.A"),
        ("ACCOw", "ACCO-WI", "ACCOw"),
        ("AACr", "AAC-RI", "AACr"),
    ],
)
def test_both_spellings_lead_to_one_symbol(given_as, yahoo, house):
    assert yahoo_symbol(given_as) == yahoo
    assert house_symbol(yahoo) == house


@given(st.from_regex(r"[A-Z]{1,5}(\.[A-Z]|p[A-Z]?|\.WS(\.[A-Z])?|r|w)?", fullmatch=True))
def test_yahoos_spelling_can_be_undone(symbol):
    if not symbol.endswith(
        ".P"
    ):  # class P would be Yahoo's "-P", which is a preferred share without a series
        assert house_symbol(yahoo_symbol(symbol)) == symbol


@given(st.from_regex(r"[A-Z]{1,5}(-[A-Z]|-P[A-Z]?|-WT[A-Z]?|-UN|-RI|-WI)?", fullmatch=True))
def test_our_spelling_of_yahoos_symbol_can_be_undone(symbol):
    assert yahoo_symbol(house_symbol(symbol)) == symbol


@given(st.from_regex(r"[A-Z]{1,5}(\.[A-Z]|p[A-Z]?|\.WS(\.[A-Z])?|\.U|r|w)?", fullmatch=True))
def test_no_two_symbols_of_ours_are_one_of_yahoos_but_class_p_and_a_preferred(symbol):
    once = house_symbol(yahoo_symbol(symbol))
    assert once == (symbol[:-2] + "p" if symbol.endswith(".P") else symbol)


@pytest.mark.parametrize(
    "content",
    [
        b"AAPL\nMSFT\nBRK.B\n",
        b"\xef\xbb\xbfAAPL\r\nMSFT\r\nBRK.B\r\n",
        b"# mine\n\n  AAPL, MSFT # the two\n\tBRK.B,\nAAPL\n",
        b"AAPL MSFT\rBRK.B",
    ],
)
def test_a_file_of_symbols_is_read_as_people_write_it(tmp_path, content):
    path = tmp_path / "symbols.txt"
    path.write_bytes(content)
    assert read_symbols(path) == ("AAPL", "MSFT", "BRK.B")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"AAPL\nMS/FT\n", r"line 2: 'MS/FT' is no symbol"),
        (b"AAPL\n\n<html>\n", r"line 3: '<html>' is no symbol"),
        (b"AAPL\n\x00\x01\n", r"line 2: .* is no symbol"),
        (b"AAPL\n\xff\xfe\n", r"line 2 is not UTF-8"),
        ("AAPL\nÄÖ\n".encode(), r"line 2: 'ÄÖ' is no symbol"),
        (b"A" * 33, r"line 1: .* is no symbol"),
        (b"", r"holds no symbol"),
        (b"# nothing\n , \n", r"holds no symbol"),
        (b"AAPL\n" * (MAX_FILE_BYTES // 5 + 1), r"larger than 1,048,576 bytes"),
    ],
)
def test_junk_is_refused_with_its_line(tmp_path, content, named):
    path = tmp_path / "symbols.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=named) as refused:
        read_symbols(path)
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.txt"):
        read_symbols(tmp_path / "absent.txt")
    with pytest.raises(InputError, match="cannot read"):
        read_symbols(tmp_path)
