"""Documents with something wrong in them: JSON altered at any place, and bytes altered at any offset."""

import copy
import json

from hypothesis import strategies as st

ODD = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, 10**40, -0.0, 0.5, 1e308, 5e-324),
        *(float("nan"), float("inf"), -float("inf"), "", " ", "A", "0", "1.5", "NaN", "2024-01-02"),
        *("9999-12-31", "0001-01-01", "2024-02-30"),
        *("\0", "\x1b[2J", "\ud800", "\u202e", "é", "x" * 40, "x" * 5000, "http://["),
        *([], {}, [None], [[]], [1, "a"], {"a": 1}, {"": None}, [{}], {"a": {"a": []}}),
    ]
).map(copy.deepcopy)  # fmt: skip
"""Values of every type and size, in the place of any other."""

_BEGINNINGS = ('{"status":"OK",', '{"results":[],', '{"T":1,', "{{", "[")
"""In the place of the first brace: a key that comes again, and no JSON."""


def _places(value, path=()):
    yield path
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in below:
        yield from _places(part, (*path, key))


def _parent(document, path):
    for key in path[:-1]:
        document = document[key]
    return document


def _alter(draw, document):
    """Return a document with one value replaced, removed, repeated or put under another key."""
    path = draw(st.sampled_from(list(_places(document))))
    if not path:
        return draw(ODD)
    parent, key = _parent(document, path), path[-1]
    how = draw(st.sampled_from(["replace", "replace", "replace", "remove", "repeat", "rename"]))
    if how == "replace":
        parent[key] = draw(ODD)
    elif how == "remove":
        del parent[key]
    elif isinstance(parent, list):
        parent.insert(key, copy.deepcopy(parent[key]))
    elif how == "rename":
        parent[draw(st.sampled_from(list(parent)))] = parent[key]
    else:
        parent[f"{key} "] = copy.deepcopy(parent[key])
    return document


@st.composite
def spoilt_json(draw, document):
    """Draw the bytes of a JSON document with up to four alterations, its keys doubled now and then."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 4))):
        document = _alter(draw, document)
    text = json.dumps(document, ensure_ascii=draw(st.booleans()))
    if draw(st.integers(0, 9)) == 0:
        text = text.replace("{", draw(st.sampled_from(_BEGINNINGS)), 1)
    return text.encode("utf-8", "surrogatepass")


@st.composite
def spoilt_bytes(draw, content):
    """Draw bytes with pieces of them cut out, repeated or replaced."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        length = draw(st.integers(0, 8))
        content[start : start + length] = draw(st.binary(max_size=8)) * draw(st.sampled_from([1, 1, 1, 50]))
    return bytes(content)
