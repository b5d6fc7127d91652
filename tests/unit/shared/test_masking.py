"""A key that comes back in another guise is masked in each of them."""

import base64
import html
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from condvest.batch_layer.shared.utils.masking import Mask

KEYS = ("AbCdEf0123456789", "a+b/c=d&e f%g", "q\"u\\o<t>e's", "ünïcödé-key")


def u_escaped(text):
    return "".join(f"\\u{ord(one):04x}" for one in text)


FORMS = {
    "plain": lambda key: key,
    "URL": lambda key: urllib.parse.quote(key, safe=""),
    "URL, small letters": lambda key: urllib.parse.quote(key, safe="").lower(),
    "URL, every byte": lambda key: "".join(f"%{one:02X}" for one in key.encode()),
    "URL twice": lambda key: urllib.parse.quote(urllib.parse.quote(key, safe=""), safe=""),
    "JSON": lambda key: json.dumps(key, ensure_ascii=False)[1:-1],
    "JSON with slashes escaped": lambda key: json.dumps(key, ensure_ascii=False)[1:-1].replace("/", "\\/"),
    "JSON within JSON": lambda key: json.dumps(json.dumps(key, ensure_ascii=False)[1:-1], ensure_ascii=False)[
        1:-1
    ],
    "JSON within JSON, slashes escaped": lambda key: json.dumps(
        json.dumps(key, ensure_ascii=False)[1:-1].replace("/", "\\/"), ensure_ascii=False
    )[1:-1],
    "HTML": lambda key: "".join(f"&#{one};" for one in key.encode()),
    "hexadecimal": lambda key: key.encode().hex(),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(key.encode()).decode(),
    "base64 behind a name": lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
    "base64 between others": lambda key: base64.b64encode(f"xx{key}yy".encode()).decode(),
    "base64 in a URL": lambda key: urllib.parse.quote(base64.b64encode(f"a{key}".encode()), safe=""),
}


def secret_part(form, text):
    """Return what may not be left of a form: base64 shares its first and last digits with what is beside."""
    return text[4:-6] if form.startswith("base64") else text


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_masked_in_each_form(form, key):
    if form == "URL, small letters" and key != key.lower():
        key = key.lower()
    shown = FORMS[form](key)
    masked = Mask(key).masked_text(f'before {{"key": "{shown}"}} after')
    assert masked.startswith('before {"key": "')
    assert masked.endswith('"} after')
    assert secret_part(form, shown) not in masked
    for read in (urllib.parse.unquote, html.unescape):
        assert key not in read(masked)
    assert "****" in masked


@pytest.mark.parametrize("key", ["AbCdEf0123456789", "k/e/y+0123"])
def test_characters_that_are_encoded_by_turns_are_masked(key):
    escaped = "".join(
        (one, f"%{ord(one):02x}", f"\\u{ord(one):04X}", f"&#x{ord(one):x};")[at % 4]
        for at, one in enumerate(key)
    )
    assert Mask(key).masked_text(escaped) == "*" * len(escaped)
    assert Mask(key).masked_text(u_escaped(key)) == "*" * len(u_escaped(key))


@given(st.binary(max_size=200))
def test_what_does_not_hold_the_key_stays(content):
    assert Mask("AbCdEf0123456789").masked(content) == content


@pytest.mark.parametrize("key", ["", "short"])
def test_what_is_too_short_for_a_key_damages_no_answer(key):
    assert Mask(key).masked(b"short and sweet") == b"short and sweet"
