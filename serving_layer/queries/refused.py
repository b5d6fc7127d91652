"""The rows that were refused."""

from __future__ import annotations

from collections.abc import Sequence
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


def refused_table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Return refused rows as a table."""
    columns = {name: [row[name] for row in rows] for name in _REFUSED}
    types = {"load_id": pa.int32(), "line": pa.int64(), "session": pa.date32()}
    return pa.table(
        {name: pa.array(values, types.get(name, pa.string())) for name, values in columns.items()}
    )
