"""Columns through COPY BINARY: what goes in comes out, to the bit, and is what PostgreSQL means by it."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from psycopg import sql

from condvest.batch_layer.database.postgres import binary_copy
from condvest.batch_layer.database.postgres.binary_copy import (
    NO_INSTANT,
    Column,
    copy_in,
    copy_out,
    select_list,
    value_or_stand_in,
)
from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.database.postgres.reading import packed
from condvest.batch_layer.database.postgres.reading.packed import (
    MOST_ROWS,
    read_groups,
    read_narrow,
    read_out,
    read_pages,
    row_of,
)
from condvest.batch_layer.shared.errors import DatabaseError

UNKNOWN = -1
COLUMNS = (
    Column("place", "int8"),
    Column("small", "int2"),
    Column("medium", "int4"),
    Column("large", "int8"),
    Column("maybe_large", "int8", UNKNOWN),
    Column("real", "float8"),
    Column("maybe_real", "float8", float("nan")),
    Column("truth", "bool"),
    Column("day", "date"),
    Column("instant", "timestamptz"),
    Column("maybe_instant", "timestamptz", NO_INSTANT),
)
KINDS = {
    "int2": np.int16,
    "int4": np.int32,
    "int8": np.int64,
    "float8": np.float64,
    "bool": np.bool_,
    "date": "datetime64[D]",
    "timestamptz": np.int64,
}
SPECIAL = [0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, -2.2e-308, 1.7976931348623157e308, 0.1, 1 / 3]


def floats():
    return st.one_of(st.sampled_from(SPECIAL), st.floats(width=64))


def integers(kind):
    limits = np.iinfo(kind)
    return st.one_of(
        st.sampled_from([limits.min, limits.max, 0, UNKNOWN]), st.integers(limits.min, limits.max)
    )


@st.composite
def tables(draw):
    """Columns of one length; dates and instants are those of the years 1 to 9999."""
    count = draw(st.integers(0, 12))
    instants = st.integers(-719162 * 86_400_000_000, 2932897 * 86_400_000_000 - 1)
    elements = {
        "int2": integers(np.int16),
        "int4": integers(np.int32),
        "int8": integers(np.int64),
        "float8": floats(),
        "bool": st.booleans(),
        "date": st.integers(-719162, 2932896).map(lambda days: np.datetime64(days, "D")),
        "timestamptz": instants,
    }
    data = {"place": np.arange(count)}
    for column in COLUMNS[1:]:
        element = elements[column.kind]
        if column.name == "maybe_instant":
            element = st.just(NO_INSTANT) | element
        values = draw(st.lists(element, min_size=count, max_size=count))
        data[column.name] = np.array(values, dtype=KINDS[column.kind])
    return data


@pytest.fixture(scope="module")
def connection(any_server):
    """A transaction with a table of every kind, rolled back at the end."""
    url = any_server.empty_database()
    fields = ", ".join(
        f"{column.name} {column.kind}" + (" NOT NULL" if column.unknown is None else "") for column in COLUMNS
    )
    with Database(url) as database, database.transaction(rehearsal=True) as one:
        one.execute(f"CREATE TABLE copied ({fields}, filled_in text DEFAULT 'by itself')")
        yield one
    any_server.drop(url)


@pytest.fixture(autouse=True)
def emptied(connection):
    connection.execute("TRUNCATE copied")


def read(connection, most_rows=MOST_ROWS + 1):
    """Read by COPY, or where at most so few rows are expected as one value."""
    query = sql.SQL("SELECT {} FROM copied ORDER BY place").format(select_list(COLUMNS, "copied"))
    return read_out(connection, query, COLUMNS, {}, most_rows)


def grouped_by_remainder(connection):
    """Read by groups, whose numbers are the remainders of the places, negated."""
    query = sql.SQL(
        "SELECT -(place % 3)::int8, string_agg({row}, '' ORDER BY place) FROM copied GROUP BY place % 3"
    ).format(row=row_of(COLUMNS, [value_or_stand_in(column, "copied") for column in COLUMNS]))
    return read_groups(connection, query, COLUMNS)


@pytest.mark.parametrize("together", [1, 700, 1 << 18])
def test_groups_come_by_their_numbers_and_each_in_its_order(connection, monkeypatch, together):
    monkeypatch.setattr(packed, "_TOGETHER", together)
    assert len(grouped_by_remainder(connection)["place"]) == 0
    place = np.arange(100)
    data = {column.name: np.zeros(len(place), dtype=KINDS[column.kind]) for column in COLUMNS}
    copy_in(connection, "copied", COLUMNS, data | {"place": place, "real": place / 3})
    got = grouped_by_remainder(connection)
    assert got["place"].tolist() == [*range(2, 100, 3), *range(1, 100, 3), *range(0, 100, 3)]
    assert got["real"].tolist() == [each / 3 for each in got["place"].tolist()]


def identical(left, right):
    """Compare bits, but for the payload of a NaN."""
    if left.dtype.kind != "f":
        return left.dtype == right.dtype and np.array_equal(left, right)
    nan = np.isnan(left)
    return (
        left.dtype == right.dtype
        and np.array_equal(nan, np.isnan(right))
        and np.array_equal(left[~nan].view(np.int64), right[~nan].view(np.int64))
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=tables())
def test_what_goes_in_comes_out_to_the_bit(connection, data):
    connection.execute("TRUNCATE copied")
    copy_in(connection, "copied", COLUMNS, data)
    by_pages = read_pages(connection, "copied", COLUMNS, sql.SQL("true"))
    order = np.argsort(by_pages["place"])  # rows with NULL lie behind the others
    ordered = {name: values[order] for name, values in by_pages.items()}
    grouped = grouped_by_remainder(connection)
    order = np.argsort(grouped["place"])
    regrouped = {name: values[order] for name, values in grouped.items()}
    for back in (read(connection), read(connection, MOST_ROWS), ordered, regrouped):
        assert list(back) == [column.name for column in COLUMNS]
        for name, values in back.items():
            assert identical(values, data[name]), name


def test_rows_of_many_pages_come_packed_in_the_order_in_which_they_lie(connection, monkeypatch):
    """Of some 60 pages; those from the first third on are empty for half of the table, or hold few rows."""
    monkeypatch.setattr(packed, "PAGES_A_VALUE", 2)
    place = np.arange(6_000)
    data = {column.name: np.zeros(len(place), dtype=KINDS[column.kind]) for column in COLUMNS}
    copy_in(connection, "copied", COLUMNS, data | {"place": place, "real": place / 3})
    connection.execute("DELETE FROM copied WHERE place BETWEEN 2000 AND 4999 OR place % 1000 = 7")
    columns, few = [COLUMNS[0], COLUMNS[5]], sql.SQL("place % 5 <> 3")
    rows = read_pages(connection, "copied", columns, few)
    left = place[((place < 2000) | (place >= 5000)) & (place % 1000 != 7) & (place % 5 != 3)]
    np.testing.assert_array_equal(rows["place"], left)
    np.testing.assert_array_equal(rows["real"], left / 3)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pattern=arrays.arrays(np.bool_, (9, 2)))
def test_every_pattern_of_unknown_values_is_null_there(connection, pattern):
    """As PostgreSQL counts them, not as we read them back."""
    connection.execute("TRUNCATE copied")
    count = len(pattern)
    data = {column.name: np.zeros(count, dtype=KINDS[column.kind]) for column in COLUMNS}
    data["place"] = np.arange(count)
    data["maybe_large"] = np.where(pattern[:, 0], UNKNOWN, 7)
    data["maybe_real"] = np.where(pattern[:, 1], np.nan, 7.5)
    data["maybe_instant"] = np.where(pattern[:, 0], NO_INSTANT, 0)
    copy_in(connection, "copied", COLUMNS, data)
    rows = connection.execute(
        "SELECT maybe_large, maybe_real, maybe_instant IS NULL FROM copied ORDER BY place"
    ).fetchall()
    assert rows == [(None if one else 7, None if other else 7.5, one) for one, other in pattern.tolist()]


def test_postgresql_means_the_same_by_it(connection):
    """One row, each value by hand, read as text."""
    data = {
        "place": np.array([1]),
        "small": np.array([-32768], np.int16),
        "medium": np.array([2147483647], np.int32),
        "large": np.array([-9223372036854775808]),
        "maybe_large": np.array([42]),
        "real": np.array([-0.1]),
        "maybe_real": np.array([np.inf]),
        "truth": np.array([True]),
        "day": np.array(["1962-01-02"], "datetime64[D]"),
        "instant": np.array([-1]),
        "maybe_instant": np.array([1_700_000_000_123_456]),
    }
    copy_in(connection, "copied", COLUMNS, data)
    query = (
        "SELECT small::text, medium::text, large::text, maybe_large::text, real::text, maybe_real::text, "
        "truth::text, to_char(day, 'DD Mon YYYY'), "
        "to_char(instant AT TIME ZONE 'UTC', 'DD Mon YYYY HH24:MI:SS.US'), "
        "to_char(maybe_instant AT TIME ZONE 'UTC', 'DD Mon YYYY HH24:MI:SS.US'), filled_in FROM copied"
    )
    assert connection.execute(query).fetchone() == (
        "-32768",
        "2147483647",
        "-9223372036854775808",
        "42",
        "-0.1",
        "Infinity",
        "true",
        "02 Jan 1962",
        "31 Dec 1969 23:59:59.999999",
        "14 Nov 2023 22:13:20.123456",
        "by itself",
    )


def test_a_nan_that_is_a_value_is_no_null(connection):
    """``real`` is never NULL, so its NaN is PostgreSQL's."""
    data = {column.name: np.zeros(1, dtype=KINDS[column.kind]) for column in COLUMNS}
    data["real"] = np.array([np.nan])
    copy_in(connection, "copied", COLUMNS, data)
    assert connection.execute("SELECT real = 'NaN', maybe_real IS NULL FROM copied").fetchone() == (
        True,
        False,
    )


@pytest.mark.parametrize("rows", [0, 1, 6, 7, 8, 20])
def test_rows_are_sent_in_chunks(connection, monkeypatch, rows):
    """Seven at a time here; of two patterns of NULLs, so that the groups end within chunks."""
    monkeypatch.setattr(binary_copy, "_CHUNK_ROWS", 7)
    data = {column.name: np.arange(rows).astype(KINDS[column.kind]) for column in COLUMNS}
    data["maybe_real"][::3] = np.nan
    copy_in(connection, "copied", COLUMNS, data)
    back = read(connection)
    for name, values in back.items():
        assert identical(values, data[name]), name


def test_a_quarter_of_a_million_rows(connection):
    """More than two chunks as they are, and more than one block of the network."""
    rows = 250_000
    random = np.random.default_rng(7)
    data = {column.name: random.integers(0, 2, rows).astype(KINDS[column.kind]) for column in COLUMNS}
    data |= {"place": np.arange(rows), "real": random.random(rows), "maybe_real": random.random(rows)}
    data["maybe_real"][random.random(rows) < 0.3] = np.nan
    copy_in(connection, "copied", COLUMNS, data)
    back = read(connection)
    assert all(identical(values, data[name]) for name, values in back.items())


def test_parameters_and_percent_signs(connection):
    data = {column.name: np.arange(5).astype(KINDS[column.kind]) for column in COLUMNS}
    copy_in(connection, "copied", COLUMNS, data)
    found = copy_out(
        connection,
        "SELECT place FROM copied WHERE place = ANY(%(wanted)s) AND place %% 2 = 0 ORDER BY place DESC",
        (Column("place", "int8"),),
        {"wanted": [1, 2, 4]},
    )
    assert found["place"].tolist() == [4, 2]


def test_a_null_where_none_may_be_is_an_error_and_no_row_less(connection):
    query = "SELECT nullif(number, 2) FROM generate_series(1, 3) AS number"
    with pytest.raises(DatabaseError, match="got 3 rows of which 1 have one"):
        read_narrow(connection, query, (Column("number", "int4"),))
