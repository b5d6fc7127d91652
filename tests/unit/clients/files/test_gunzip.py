"""Gzip unpacked piece by piece, against what the gzip module packs and unpacks."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.clients.files.unpacking import gunzip
from condvest.batch_layer.shared.clients.files.unpacking.gunzip import DamagedGzip, TruncatedGzip, gunzipped

TEXT = b"A,2024-01-02,1.25,1.5,1,1.25,1000\n" * 300


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    st.integers(0, 3),
    st.integers(1, 64),
    st.integers(1, 64),
)
def test_members_and_zeros_between_and_behind_them_make_one_text(members, zeros, at_once, most):
    """However few bytes are taken and given at a time."""
    content = b"".join(gzip.compress(member) + bytes(zeros) for member in members)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gunzip, "_PACKED_BYTES", at_once)
        pieces = list(gunzipped(content, most))
    assert b"".join(pieces) == gzip.decompress(content) == b"".join(members)
    assert all(0 < len(piece) <= most for piece in pieces)


def test_every_truncation_is_told_as_one():
    content = gzip.compress(TEXT)
    for length in range(2, len(content)):
        with pytest.raises(TruncatedGzip):
            list(gunzipped(content[:length], 1 << 20))


@pytest.mark.parametrize("behind", [b"appended", b"\0\0appended", b"\0\x1f"])
def test_what_is_neither_gzip_nor_zeros_is_not_passed_over(behind):
    with pytest.raises(DamagedGzip):
        list(gunzipped(gzip.compress(TEXT) + behind, 1 << 20))


@pytest.mark.parametrize("at", [-8, -1])
def test_a_wrong_sum_or_length_is_damage(at):
    content = bytearray(gzip.compress(TEXT))
    content[at] ^= 1
    with pytest.raises(DamagedGzip):
        list(gunzipped(bytes(content), 1 << 20))
