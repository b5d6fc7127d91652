"""The table ``refused_rows``: rows that broke a rule, by the load that refused them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import column, rows, streamed
from condvest.batch_layer.shared.models.bars import Int64s

LOADING_COMMANDS = "^(run|backfill|import|metadata|rebuild|undo|remove)( |$)"
"""A regular expression for the commands, as the table runs has them, that load anything."""


@dataclass(frozen=True)
class RefusedRow:
    """A row that broke a rule, and the row itself.

    Attributes:
        line: where it stands in its payload.
        code: of the rule.
        symbol, session: as far as they can be read; the session as an ISO date.
        reason: what is wrong, in one sentence.
        content: the row as it came, a JSON object of its columns.
    """

    line: int
    code: str
    symbol: str
    session: str | None
    reason: str
    content: str

    @property
    def identity(self) -> RowIdentity:
        """What makes it the same row in another answer; see `row_identity`."""
        return row_identity(self.symbol, self.session, self.content)


RowIdentity = bytes
"""A digest: of half a million rows the texts would be hundreds of megabytes."""


def row_identity(symbol: str, session: str | None, content: str) -> RowIdentity:
    """Return what two refused rows have in common if they are the same row of two answers.

    Columns without a value do not count: which ones an answer has depends on its other rows.
    """
    values = {name: value for name, value in json.loads(content).items() if value is not None}
    text = json.dumps([symbol, session, values], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def record_refused(connection: Connection, load_id: int, refused: Iterable[RefusedRow]) -> None:
    """Keep the refused rows of a load; they are taken one after the other."""
    with connection.cursor().copy(
        "COPY refused_rows (load_id, line, code, symbol, session, reason, content) FROM STDIN"
    ) as copy:
        for row in refused:
            copy.write_row((load_id, row.line, row.code, row.symbol, row.session, row.reason, row.content))


def refused_before(
    connection: Connection, provider_id: int, dataset: str, symbols: Iterable[str]
) -> set[RowIdentity]:
    """Return the rows of these symbols that recorded loads of the provider and data set have refused."""
    refused = streamed(
        connection,
        "SELECT symbol, session::text, content FROM refused_rows JOIN loads USING (load_id) "
        "WHERE provider_id = %s AND dataset = %s AND symbol = ANY(%s)",
        (provider_id, dataset, list(symbols)),
    )
    return {row_identity(row["symbol"], row["session"], row["content"]) for row in refused}


def refused_lines(connection: Connection, load_id: int) -> Int64s:
    """Return the lines (int64, ascending) of a payload that were refused when it was loaded."""
    lines = column(connection, "SELECT line FROM refused_rows WHERE load_id = %s ORDER BY line", (load_id,))
    return np.array(lines, dtype=np.int64)


def refused_rows(
    connection: Connection, *, only_new: bool = False, most: int | None = None, load_id: int | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the refused rows, by load and line; they are read as they are taken.

    Keys of each: load_id, provider, dataset, name, line, code, symbol, session, reason, content.

    Args:
        connection: in a transaction until the last row is taken.
        only_new: only the rows that the last command that loads anything was the first to refuse. Without
            such a command in the table ``runs`` (on AWS), every row once, of the load that refused it first.
        most: no more rows than so many, the first ones; all if None.
        load_id: only the rows of this load; of all if None.
    """
    refused = streamed(
        connection,
        "SELECT load_id, provider, dataset, name, line, code, symbol, session, reason, content, "
        "loaded_at >= coalesce((SELECT max(started_at) FROM runs WHERE command ~ %s), '-infinity') "
        "AS is_last "
        "FROM refused_rows JOIN loads USING (load_id) JOIN providers USING (provider_id) "
        "WHERE load_id = coalesce(%s, load_id) "
        "ORDER BY load_id, line",
        (LOADING_COMMANDS, load_id),
    )
    with closing(refused):
        chosen = _new_ones(refused) if only_new else refused
        for row in islice(chosen, most):
            del row["is_last"]
            yield row


def size_of_refused(connection: Connection, load_id: int | None = None) -> tuple[int, int, int | None]:
    """Return how many rows were refused, the bytes of their texts, and the last load of which some were.

    Args:
        connection: in a transaction.
        load_id: only the rows of this load; of all if None.
    """
    ((count, size, last),) = rows(
        connection,
        "SELECT count(*), coalesce(sum(octet_length(content) + octet_length(reason)), 0)::int8, max(load_id) "
        "FROM refused_rows WHERE load_id = coalesce(%s, load_id)",
        (load_id,),
    )
    return count, size, last


def _new_ones(refused: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    seen: set[tuple[str, str, RowIdentity]] = set()
    for row in refused:
        identity = row_identity(row["symbol"], row["session"] and str(row["session"]), row["content"])
        key = (row["provider"], row["dataset"], identity)
        if row["is_last"] and key not in seen:
            yield row
        seen.add(key)
