"""The rows that were refused."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import pyarrow as pa

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.stores.daily.refused import refused_rows, size_of_refused
from condvest.batch_layer.database.stores.loading.loads import has_load, last_load
from condvest.batch_layer.shared.errors import UnknownName
from condvest.serving_layer.queries.bars.size import TooLarge

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


REFUSED_SCHEMA = pa.schema(
    [(name, {"load_id": pa.int32(), "line": pa.int64(), "session": pa.date32()}.get(name, pa.string()))
     for name in _REFUSED]
)  # fmt: skip
"""The columns of refused rows."""

_AT_ONCE = 10_000
"""Rows that are in memory one by one; in a table they take a tenth."""


_ROW = 160
"""Bytes of a refused row in memory beside its reason and content, about."""


def read_refused(connection: Connection, load_id: int | None, most: int) -> pa.Table:
    """Return the refused rows as a table, by load and line.

    Args:
        connection: in a transaction.
        load_id: only the rows of this load; of all if None.
        most: bytes that the table may have.

    Raises:
        UnknownName: there is no such load.
        TooLarge: it would have more; the rows are counted before any is read.
    """
    if load_id is not None and not has_load(connection, load_id):
        raise no_load(load_id, last_load(connection))
    count, texts, last = size_of_refused(connection, load_id)
    if count * _ROW + texts > most:
        instead = f"ask for one load: load_id={last} is the last" if load_id is None else "there is no less"
        raise TooLarge(
            f"{count} rows were refused, whose texts have {texts >> 20} MiB; at most {most >> 20} MiB are "
            f"given at once; {instead}, or run condvest refused -o FILE.parquet where the data are"
        )
    return refused_table(refused_rows(connection, load_id=load_id))


def no_load(load_id: int, last: int | None) -> UnknownName:
    """Return the error of a load that is not there; ``last`` is the last that is, None if none is."""
    there_is = "nothing was loaded yet" if not last else f"the last is {last}"
    return UnknownName(
        f"no load {load_id}; {there_is}, and condvest loads lists them", "load_id", value=str(load_id)
    )


def refused_table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Return refused rows as a table; they are taken one after the other."""
    batches, remaining = [], iter(rows)
    while some := list(islice(remaining, _AT_ONCE)):
        columns = [[row[name] for row in some] for name in _REFUSED]
        batches.append(pa.record_batch(columns, schema=REFUSED_SCHEMA))
    return pa.Table.from_batches(batches, REFUSED_SCHEMA)
