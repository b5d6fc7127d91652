"""What a page of an answer is: its columns, what stands beside its rows, and the way to the next one."""

from __future__ import annotations

import difflib
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa

from condvest.serving_layer.contract import (
    ActionsQuery,
    BarsQuery,
    Common,
    InstrumentsQuery,
    UniverseQuery,
)
from condvest.serving_layer.http.answers.endpoints import Endpoint
from condvest.serving_layer.http.answers.problems import BadRequest
from condvest.serving_layer.queries.bars.question import as_instant
from condvest.serving_layer.versions import Cursor, digest_of


def beside(query: Common) -> dict[str, Any]:
    """Return what of a question stands beside the rows: the instant it asks about, and how it adjusts.

    The instant is null for what is known now, and a date is the last microsecond of it, in UTC.
    """
    said: dict[str, Any] = {}
    if isinstance(query, BarsQuery | ActionsQuery | InstrumentsQuery | UniverseQuery):
        text = query.as_of
        said["as_of"] = None if text is None else as_instant(text).isoformat().replace("+00:00", "Z")
    if isinstance(query, BarsQuery):
        said["adjust"] = query.adjust
    return said


def columns_of(table: pa.Table, wanted: str | None) -> pa.Table:
    """Return the columns asked for, in the table's order."""
    if wanted is None:
        return table
    names = wanted.split(",")
    for name in names:
        if name not in table.column_names:
            near = difflib.get_close_matches(name, table.column_names, n=3)
            raise BadRequest(
                f"columns: no column {name!r}; there are {', '.join(table.column_names)}",
                "columns",
                near,
                name,
            )
    return table.select([name for name in table.column_names if name in names])


def identity_of(table: pa.Table) -> str:
    """Return a digest of the symbols of an answer."""
    symbols = table["symbol"].unique().to_pylist() if "symbol" in table.column_names else []
    return digest_of("symbols", {"symbols": symbols})


def url_of(endpoint: Endpoint, query: Common, cursor: Cursor) -> str:
    """Return the path and query of the next page."""
    asked = query.model_dump(mode="json", exclude={"cursor"}, exclude_defaults=True)
    pairs = [
        (name, value)
        for name, values in asked.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    pairs = [(name, str(value).lower() if isinstance(value, bool) else value) for name, value in pairs]
    return f"{endpoint.path}?{urlencode([*pairs, ('cursor', cursor.encoded())])}"
