"""Footers and headers of Parquet that lie: refused, or without effect on what is read; never less of it."""

import datetime as dt
import io
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.clients.files import parse
from condvest.batch_layer.shared.clients.files.compact import INT32, INT64, LIST, STRUCT, struct_at
from condvest.batch_layer.shared.clients.files.parquet_pages import chunks_of
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.payloads import Payload
from tests.support.parquet_footers import footer_of, struct_of, with_first_page, with_footer

NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)
ROWS = 1_000
CLOSE = 5


def written(**how):
    """Two groups of rows, in each column some pages."""
    numbers = np.arange(ROWS, dtype=np.float64) + 1
    day = np.datetime64("2024-01-02", "D")
    table = pa.table(
        {
            "symbol": pa.array([f"S{at % 7}" for at in range(ROWS)]),
            "session": pa.array(np.full(ROWS, day)),
            **{name: pa.array(numbers) for name in ("open", "high", "low", "close", "volume")},
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=600, data_page_size=1_000, **how)
    return file.getvalue()


GOOD = written()


def closes(content):
    payload = Payload(
        "f", "daily_bars", content, "parquet", None, None, NOW, is_whole=False, name="p.parquet"
    )
    return parse(payload).rows.close.tolist()


TRUE = closes(GOOD)


def group(footer, number=0):
    return footer[4, LIST][number]


def column(footer, number=0, at=CLOSE):
    return group(footer, number)[1, LIST][at][3, STRUCT]


def test_what_is_written_anew_without_a_lie_is_read_as_before():
    assert [float(number) for number in range(1, ROWS + 1)] == TRUE
    assert closes(with_footer(GOOD, dict.copy)) == TRUE
    assert closes(with_first_page(GOOD, CLOSE, dict.copy)) == TRUE


def fewer_everywhere(footer):
    """A consistent lie: the second group of rows is a hundred rows shorter than its pages."""
    footer[3, INT64] -= 100
    group(footer, 1)[3, INT64] -= 100
    for at in range(len(group(footer, 1)[1, LIST])):
        column(footer, 1, at)[5, INT64] -= 100


def without_a_group(footer):
    """The second group of rows is left out."""
    footer[4, LIST].pop()


@pytest.mark.parametrize(
    "lie",
    [
        *(
            lambda footer, rows=rows: footer.update({(3, INT64): rows})
            for rows in (-1, 0, 1, 999, 1_001, 2**62)
        ),
        *(
            lambda footer, rows=rows: group(footer).update({(3, INT64): rows})
            for rows in (-1, 0, 599, 601, 2**62)
        ),
        *(lambda footer, n=n: column(footer).update({(5, INT64): n}) for n in (-1, 0, 1, 599, 601, 2**62)),
        *(lambda footer, n=n: column(footer).update({(7, INT64): n}) for n in (-1, 0, 1, 10**6, 2**62)),
        *(lambda footer, n=n: column(footer).update({(9, INT64): n}) for n in (-1, 4)),
        fewer_everywhere,
        without_a_group,
    ],
)
def test_a_footer_that_would_give_other_rows_is_refused(lie):
    with pytest.raises(InputError, match=r"^p\.parquet: "):
        closes(with_footer(GOOD, lie))


def lying_statistics(footer):
    for number in range(2):
        statistics = column(footer, number)[12, STRUCT]
        statistics.update({(3, INT64): 600, (5, 8): bytes(8), (6, 8): bytes(8)})


@pytest.mark.parametrize(
    "lie",
    [
        *(lambda footer, n=n: group(footer).update({(2, INT64): n}) for n in (-1, 0, 2**62)),
        *(lambda footer, n=n: column(footer).update({(6, INT64): n}) for n in (-1, 0, 1, 2**62)),
        *(lambda footer, n=n: column(footer).update({(9, INT64): n}) for n in (2**40, 2**62)),
        lambda footer: column(footer).update({(9, INT64): column(footer, 1)[9, INT64]}),
        lambda footer: column(footer).update({(1, INT32): 6}),  # bytes in the place of float64
        lambda footer: column(footer).update({(2, LIST): [0]}),
        lambda footer: footer.update({(6, 8): b"parquet-mr version 1.2.8"}),
        lying_statistics,
    ],
)
def test_a_lie_that_nothing_is_read_by_alters_nothing(lie):
    """Sizes, types, encodings, statistics, the writer's name; where a column begins that has a dictionary."""
    try:
        assert closes(with_footer(GOOD, lie)) == TRUE
    except InputError:
        assert lie is not lying_statistics


@pytest.mark.parametrize("field", [2, 3])
@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_a_page_whose_size_is_another_is_refused(field, factor):
    def lie(header):
        header[field, INT32] = int(header[field, INT32] * factor)

    with pytest.raises(InputError, match=r"^p\.parquet: "):
        closes(with_first_page(GOOD, CLOSE, lie))


PEAK = """
import datetime as dt, resource, sys
from condvest.batch_layer.shared.clients.files import parse
from condvest.batch_layer.shared.clients.files.parquet_pages import chunks_of
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.payloads import Payload
content = sys.stdin.buffer.read()
now = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)
try:
    parse(Payload("f", "daily_bars", content, "parquet", None, None, now, is_whole=False, name="p"))
except InputError as error:
    print(str(error)[:80])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak // (1 << 20 if sys.platform == "darwin" else 1 << 10))
"""


def text_of_one_beginning(rows=3_000, length=100_000):
    """Some kilobytes of texts, each of which begins as the one before it."""
    plain = {name: pa.array(np.ones(rows)) for name in ("open", "high", "low", "close", "volume")}
    days = pa.array(np.full(rows, np.datetime64("2024-01-02", "D")))
    table = pa.table({"symbol": pa.array(["x" * length] * rows), "session": days, **plain})
    file = io.BytesIO()
    pq.write_table(
        table, file, use_dictionary=False, column_encoding={"symbol": "DELTA_BYTE_ARRAY"}, compression="zstd"
    )
    return file.getvalue()


def hiding(footer):
    """Deny how the symbols are written, and say that they have a byte."""
    column(footer, 0, 0).update({(2, LIST): [0], (6, INT64): 1})
    group(footer).update({(2, INT64): 1})


def test_how_texts_are_written_is_seen_though_the_footer_hides_it():
    content = with_footer(text_of_one_beginning(rows=100, length=10_000), hiding)
    ((symbols,)) = chunks_of(content, [0], [0], 100)
    assert symbols.is_prefixed
    assert 10_000 < symbols.unpacked < 20_000
    assert not next(chunks_of(GOOD, [0], [0], ROWS)).is_prefixed


@pytest.mark.long
def test_a_footer_that_hides_how_texts_are_written_takes_no_memory():
    content = with_footer(text_of_one_beginning(), hiding)
    assert len(content) < 20_000
    said = subprocess.run([sys.executable, "-c", PEAK], input=content, capture_output=True, check=True).stdout
    *refused, peak = said.decode().splitlines()
    assert refused
    assert int(peak) < 1024


FIELDS = st.recursive(
    st.one_of(
        st.tuples(st.just(INT32), st.integers(-(2**31), 2**31 - 1)),
        st.tuples(st.just(INT64), st.integers(-(2**63), 2**63 - 1)),
        st.tuples(st.just(8), st.binary(max_size=20)),
        st.tuples(st.just(LIST), st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20)),
    ),
    lambda value: st.tuples(
        st.just(STRUCT),
        st.dictionaries(st.integers(1, 40), value, max_size=5).map(
            lambda given: {(number, kind): value for number, (kind, value) in given.items()}
        ),
    ),
    max_leaves=10,
)


@given(FIELDS)
def test_structs_are_read_as_they_were_written(value):
    kind, content = value
    fields = {(1, kind): content}
    written = struct_of(fields)
    assert struct_at(b"..." + written, 3) == (fields, 3 + len(written))


@given(at=st.integers(0), to=st.integers(1, 255))
def test_any_byte_of_the_footer_may_be_another(at, to):
    """What is read then is all of it, or nothing; of a name or a type, perhaps other values."""
    _, begin = footer_of(GOOD)
    place = begin + at % (len(GOOD) - begin)
    content = GOOD[:place] + bytes([GOOD[place] ^ to]) + GOOD[place + 1 :]
    with suppress(InputError):
        assert len(closes(content)) == ROWS
