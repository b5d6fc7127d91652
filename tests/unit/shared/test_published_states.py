"""What stands for all that was stored in a year, by entries that reach into it."""

from functools import reduce
from operator import xor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.published.states import NEVER, Touched, packed, unpacked

STARTS = np.array([-10, 0, 7], dtype=np.int32)
PARTS = ((-(2**31), -11), (-10, -1), (0, 6), (7, 2**31 - 1))

entries = st.lists(
    st.tuples(
        st.tuples(st.integers(-20, 20), st.integers(-20, 20)).map(sorted),
        st.integers(1, 3),
        st.integers(-(2**63), 2**63 - 1),
        st.integers(-5, 5),
    ),
    max_size=8,
)


def touched(drawn):
    columns = zip(*((*reach, *rest) for reach, *rest in drawn), strict=True)
    kinds = (np.int32, np.int32, np.int32, np.int64, np.int64)
    return Touched(*(np.array(values, dtype=kind) for values, kind in zip(columns, kinds, strict=True)))


@given(drawn=entries.filter(bool))
def test_a_state_counts_the_entries_that_reach_into_the_part_and_mixes_their_tokens(drawn):
    states = []
    for begin, end in PARTS:
        within = [rest for (first, last), *rest in drawn if first <= end and last >= begin]
        mixed = reduce(xor, (token for _, token, _ in within), 0) % 2**64
        states.append(f"{sum(times for times, *_ in within)}-{mixed:016x}" if within else "")
    assert touched(drawn).states(STARTS) == states


@given(drawn=entries.filter(bool))
def test_entries_put_together_are_fewer_and_say_the_same(drawn):
    before = touched(drawn)
    after = before.merged(STARTS)
    assert after.states(STARTS) == before.states(STARTS)
    assert after.rows.sum() == before.rows.sum()
    assert len(after.first) <= min(len(drawn), 10)  # pairs of a first and a last one of four parts


def test_without_an_entry_there_is_no_state():
    assert NEVER.states(STARTS) == ["", "", "", ""]
    assert len(NEVER.merged(STARTS).first) == 0


def test_states_are_named_by_the_first_part_of_each_run():
    years = ["", "2020", "2021", "2022"]
    short = packed(years, ["a", "a", "b", "b"])
    assert short == {"": "a", "2021": "b"}
    assert unpacked(years, short) == {"": "a", "2020": "a", "2021": "b", "2022": "b"}
    assert unpacked(["", "2021", "2022", "2023"], short) == {"": "a", "2021": "b", "2022": "b", "2023": "b"}
    assert unpacked(years, {}) == dict.fromkeys(years)
