"""The rows that were refused."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import pyarrow as pa

_REFUSED = (
    "load_id",
    "provider",
    "dataset",
    "name",
    "line",
    "code",
    "symbol",
    "session",
    "reason",
    "content",
)


_SCHEMA = pa.schema(
    [(name, {"load_id": pa.int32(), "line": pa.int64(), "session": pa.date32()}.get(name, pa.string()))
     for name in _REFUSED]
)  # fmt: skip

_AT_ONCE = 10_000
"""Rows that are in memory one by one; in a table they take a tenth."""


def refused_table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Return refused rows as a table; they are taken one after the other."""
    batches, remaining = [], iter(rows)
    while some := list(islice(remaining, _AT_ONCE)):
        columns = [[row[name] for row in some] for name in _REFUSED]
        batches.append(pa.record_batch(columns, schema=_SCHEMA))
    return pa.Table.from_batches(batches, _SCHEMA)
