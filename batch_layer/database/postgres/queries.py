"""Arrays as parameters of queries.

The driver adapts a list element by element; for the thousands of ids of a whole market the text of a
PostgreSQL array is made ten times as quickly by joining. Cast it in the query: ``%s::int4[]``.

Format: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy.typing as npt


def numbers(values: npt.NDArray[Any]) -> str:
    """Return integers, booleans or dates (datetime64[D]) as the text of an array."""
    return "{" + ",".join(map(str, values.tolist())) + "}"


def texts(values: Iterable[str]) -> str:
    """Return strings as the text of an array."""
    given = list(values)
    everything = "".join(given)
    if '"' in everything or "\\" in everything:
        given = [value.replace("\\", "\\\\").replace('"', '\\"') for value in given]
    return '{"' + '","'.join(given) + '"}' if given else "{}"
