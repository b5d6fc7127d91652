"""Which part of a file a Range header asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.serving_layer.ranges import Part, part_of


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None),
        ("bytes=0-9", Part(0, 9)),
        ("bytes=90-", Part(90, 99)),
        ("bytes=-10", Part(90, 99)),
        ("bytes=-999", Part(0, 99)),
        ("bytes=95-999", Part(95, 99)),
        ("bytes=99-99", Part(99, 99)),
        ("bytes=100-", Part(100, 99)),
        ("bytes=-0", Part(100, 99)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-9", None),
        ("bytes=٣-9", None),
        ("bytes=0-" + "9" * 30, None),
    ],
)
def test_a_part_of_a_hundred_bytes(header, part):
    assert part_of(header, 100) == part


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60))
def test_a_range_is_what_slicing_gives(size, first, last):
    content = bytes(range(size))
    part = part_of(f"bytes={first}-{last}", size)
    if part is None:
        assert last < first
    else:
        assert content[part.first : part.last + 1] == content[first : last + 1]
        assert len(part) == len(content[first : last + 1])
