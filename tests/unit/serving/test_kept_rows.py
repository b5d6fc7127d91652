"""Decoded rows of published files: the right ones, in order, copies, and only of files asked for again."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.models.spans import Spans
from condvest.serving_layer.sources.keeping import kept_rows
from condvest.serving_layer.sources.keeping.kept_rows import (
    FileColumns,
    are_worth_keeping,
    kept_columns,
    rows_within,
)

NAMES = ("instrument_id", "window", "close", "is_complete")

keys = st.sets(st.tuples(st.integers(1, 5), st.integers(-3, 9)), max_size=40)


def file_of(rows):
    columns = {
        "instrument_id": np.array([one for one, _ in rows], dtype=np.int32),
        "window": np.array([window for _, window in rows], dtype=np.int32),
        "close": np.array([one + window / 100 for one, window in rows], dtype=np.float64),
        "is_complete": np.array([window % 3 > 0 for _, window in rows], dtype=np.bool_),
    }
    return FileColumns.of(columns, NAMES)


@given(
    held=keys,
    cut=st.integers(-3, 9),
    asked=st.permutations(range(1, 6)),
    complete=st.booleans(),
    data=st.data(),
)
def test_rows_are_those_of_the_spans_in_their_order(held, cut, asked, complete, data):
    """Two files, of which the second has the later windows; each instrument has at most one span."""
    spans = [
        (one, *sorted(data.draw(st.tuples(st.integers(-4, 10), st.integers(-4, 10)))))
        for one in asked[: data.draw(st.integers(1, 5))]
    ]
    files = [
        file_of(sorted(row for row in held if row[1] < cut)),
        file_of(sorted(row for row in held if row[1] >= cut)),
    ]
    columns = [np.array(column, dtype=np.int32) for column in zip(*spans, strict=True)]
    found = rows_within(files, Spans(*columns), NAMES, complete=complete)
    expected = [
        (one, window)
        for one, first, last in spans
        for window in range(first, last + 1)
        if (one, window) in held and (window % 3 > 0 or not complete)
    ]
    assert list(zip(found["instrument_id"].tolist(), found["window"].tolist(), strict=True)) == expected
    assert found["close"].tolist() == [one + window / 100 for one, window in expected]


def test_what_is_given_is_a_copy():
    """Answers are adjusted in place."""
    file = file_of([(1, 1), (1, 2)])
    span = Spans(*(np.array([value], dtype=np.int32) for value in (1, 1, 2)))
    rows_within([file], span, NAMES, complete=False)["close"][:] = 0
    assert file.columns["close"].tolist() == [1.01, 1.02]


def test_a_file_is_decoded_whole_when_it_is_asked_for_again_and_only_once():
    decoded = []

    def decode(at):
        decoded.append(at)
        return file_of([(1, at)])

    digests = [("test_kept_rows", "a"), ("test_kept_rows", "b")]
    assert kept_columns(digests[:1], decode) is None
    assert kept_columns(digests, decode) is None
    assert decoded == []
    first = kept_columns(digests, decode)
    assert [file.columns["window"].tolist() for file in first] == [[0], [1]]
    assert kept_columns(digests, decode) == first
    assert decoded == [0, 1]


def test_a_market_is_not_kept_and_neither_is_what_is_too_large():
    one = Spans(*(np.array([value], dtype=np.int32) for value in (7, 0, 99)))
    assert are_worth_keeping(one, 800, 8)  # a hundred of 800
    assert not are_worth_keeping(one, 799, 7)
    assert are_worth_keeping(one, kept_rows.LARGEST // 2 // kept_rows.ROW, 1000)
    assert not are_worth_keeping(one, kept_rows.LARGEST // 2 // kept_rows.ROW + 1, 1000)
    session = Spans(np.arange(9, dtype=np.int32), *[np.zeros(9, dtype=np.int32)] * 2)
    assert are_worth_keeping(session, 900, 9)
