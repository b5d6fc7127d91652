"""Versions, entity tags and cursors."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.errors import UsageError
from condvest.serving_layer.versions import Cursor, digest_of, entity_tag, is_any, matches

TEXTS = st.text(max_size=20)


def test_the_order_of_parameters_makes_no_other_question():
    assert digest_of("/v1/bars", {"a": 1, "b": 2}) == digest_of("/v1/bars", {"b": 2, "a": 1})
    assert digest_of("/v1/bars", {"a": 1}) != digest_of("/v1/bars", {"a": 2})
    assert digest_of("/v1/bars", {"a": 1}) != digest_of("/v1/gaps", {"a": 1})


@given(st.lists(TEXTS, min_size=4, max_size=4, unique=True))
def test_a_tag_differs_by_version_question_and_form(parts):
    """Whichever part changes, so does the tag; texts that run together into the same line do not meet."""
    version, digest, form, other = parts
    tag = entity_tag(version, digest, form)
    assert tag not in {
        entity_tag(other, digest, form),
        entity_tag(version, other, form),
        entity_tag(version, digest, other),
    }
    assert entity_tag(version, digest, form) == tag


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, False),
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", False),
        ('"b"', False),
        ("a", False),
        ("", False),
    ],
)
def test_if_none_match_names_the_tag(header, found):
    assert matches(header, '"a"') is found
    assert is_any(header) is (header == "*")


VERSIONS = st.from_regex(r"[dp]-[0-9a-f]{8}-[0-9:.]+", fullmatch=True)


@given(VERSIONS, st.integers(0, 2**31 - 1), TEXTS, st.integers(0, 2**31 - 1))
def test_a_cursor_comes_back_as_it_went(version, load, identity, row):
    cursor = Cursor(version, load, identity, "digest", row)
    assert Cursor.decoded(cursor.encoded(), "digest") == cursor


def test_the_cursor_of_another_question_is_refused():
    cursor = Cursor("p-01234567-1", 1, "i", "digest", 10).encoded()
    with pytest.raises(UsageError, match="belongs to another question"):
        Cursor.decoded(cursor, "other")


@pytest.mark.parametrize("text", ["xx", "", "!!!!", "e30", "W10", "bnVsbA", "eyJ2ZXJzaW9uIjoxfQ"])
def test_text_that_is_no_cursor_is_refused(text):
    with pytest.raises(UsageError, match="not one that this server gave"):
        Cursor.decoded(text, "digest")


@pytest.mark.parametrize(
    "altered",
    [
        {"load": -1},
        {"load": 2**31},
        {"load": float("inf")},
        {"load": float("nan")},
        {"row": -1},
        {"row": 2**31},
        {"row": float("inf")},
        {"version": ""},
        {"version": "d-0123456-1"},
        {"version": "x-01234567-1"},
        {"version": "p-01234567-1\r\nX: y"},
    ],
)
def test_a_cursor_whose_content_was_altered_is_refused(altered):
    content = {"version": "p-01234567-1", "load": 1, "identity": "i", "digest": "digest", "row": 0}
    good, bad = (
        base64.urlsafe_b64encode(json.dumps(content | more).encode()).decode() for more in ({}, altered)
    )
    assert Cursor.decoded(good, "digest").row == 0
    with pytest.raises(UsageError, match="not one that this server gave"):
        Cursor.decoded(bad, "digest")
