"""Loads, the ledger of sessions and the refused rows, in the database."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

import numpy as np

from batch_layer.database.postgres.connection import Connection
from batch_layer.database.postgres.queries import array_of, column, holds, number, records, rows
from batch_layer.shared.models.bars import Int16s, Int32s, Int64s
from batch_layer.shared.models.loads import LoadSummary

if TYPE_CHECKING:  # readers of bars need no payloads
    from batch_layer.shared.models.payloads import Payload


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


RowIdentity = tuple[str, str | None, str]


def row_identity(symbol: str, session: str | None, content: str) -> RowIdentity:
    """Return what two refused rows have in common if they are the same row of two answers.

    Columns without a value do not count: which ones an answer has depends on its other rows.
    """
    values = {name: value for name, value in json.loads(content).items() if value is not None}
    return symbol, session, json.dumps(values, sort_keys=True)


@dataclass(frozen=True)
class Instants:
    """When the payload of a load was fetched, and from when on what it says was known."""

    fetched_at: dt.datetime
    loaded_at: dt.datetime


def last_instants(connection: Connection) -> Instants | None:
    """Return the instants of the last load that is recorded; None if there is none."""
    last = rows(connection, "SELECT fetched_at, loaded_at FROM loads ORDER BY load_id DESC LIMIT 1")
    return Instants(*last[0]) if last else None


def lock_loads(connection: Connection) -> None:
    """Let no other load store anything until this transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('condvest load'))")


def is_recorded(connection: Connection, payload: Payload) -> bool:
    """Return whether a load of these very bytes, for the same provider and data set, is recorded."""
    return holds(
        connection,
        "SELECT EXISTS (SELECT FROM loads JOIN providers USING (provider_id) "
        "WHERE digest = %s AND provider = %s AND dataset = %s)",
        (payload.digest, payload.provider, payload.dataset),
    )


def is_any_loaded(connection: Connection, provider_id: int, dataset: str) -> bool:
    """Return whether a load of the data set from the provider is recorded."""
    return holds(
        connection,
        "SELECT EXISTS (SELECT FROM loads WHERE provider_id = %s AND dataset = %s)",
        (provider_id, dataset),
    )


def is_repeated(connection: Connection, payload: Payload, summary: LoadSummary) -> bool:
    """Return whether the last load from the same place had as many rows, with as many of them refused."""
    last = rows(
        connection,
        "SELECT rows, refused FROM loads JOIN providers USING (provider_id) "
        "WHERE provider = %s AND dataset = %s AND name = %s ORDER BY load_id DESC LIMIT 1",
        (payload.provider, payload.dataset, payload.name),
    )
    return last == [(summary.rows, sum(summary.refused.values()))]


def is_archived(connection: Connection, archive_key: str) -> bool:
    """Return whether a load is recorded that took its payload from this place in the archive."""
    return holds(connection, "SELECT EXISTS (SELECT FROM loads WHERE archive_key = %s)", (archive_key,))


def archived_since(connection: Connection, fetched_at: dt.datetime) -> set[str]:
    """Return the archive keys of the payloads fetched since an instant (inclusive) that were loaded."""
    rows = connection.execute("SELECT archive_key FROM loads WHERE fetched_at >= %s", (fetched_at,))
    return {str(key) for (key,) in rows}


def archived_after(connection: Connection, archive_key: str) -> list[str]:
    """Return the keys of the same provider, data set and sessions, fetched later, whose loads are recorded.

    In the order in which they were fetched.
    """
    keys = column(
        connection,
        "SELECT DISTINCT archive_key FROM loads WHERE starts_with(archive_key, %s) "
        'AND archive_key COLLATE "C" > %s ORDER BY 1',
        (f"{archive_key.rpartition('/')[0]}/", archive_key),
    )
    return sorted(keys)


def record_load(
    connection: Connection,
    payload: Payload,
    provider_id: int,
    archive_key: str,
    summary: LoadSummary,
    *,
    loaded_at: dt.datetime | None = None,
) -> int:
    """Record a load, as stored at an instant (now if None), and return its id."""
    return number(
        connection,
        "INSERT INTO loads (provider_id, dataset, name, archive_key, digest, fetched_at, loaded_at, rows, "
        "inserted, changed, unchanged, withdrawn, outranked, duplicates, refused) "
        "VALUES (%s, %s, %s, %s, %s, %s, coalesce(%s, clock_timestamp()), "
        "%s, %s, %s, %s, %s, %s, %s, %s) RETURNING load_id",
        (
            provider_id,
            payload.dataset,
            payload.name,
            archive_key,
            payload.digest,
            payload.fetched_at,
            loaded_at,
            summary.rows,
            summary.inserted,
            summary.changed,
            summary.unchanged,
            summary.withdrawn,
            summary.outranked,
            summary.duplicates,
            sum(summary.refused.values()),
        ),
    )


def record_refused(connection: Connection, load_id: int, refused: Sequence[RefusedRow]) -> None:
    """Keep the refused rows of a load."""
    if not refused:
        return
    with connection.cursor().copy(
        "COPY refused_rows (load_id, line, code, symbol, session, reason, content) FROM STDIN"
    ) as copy:
        for row in refused:
            copy.write_row((load_id, row.line, row.code, row.symbol, row.session, row.reason, row.content))


def refused_before(
    connection: Connection, provider_id: int, dataset: str, symbols: Iterable[str]
) -> set[RowIdentity]:
    """Return the rows of these symbols that recorded loads of the provider and data set have refused."""
    rows = connection.execute(
        "SELECT symbol, session, content FROM refused_rows JOIN loads USING (load_id) "
        "WHERE provider_id = %s AND dataset = %s AND symbol = ANY(%s)",
        (provider_id, dataset, list(symbols)),
    )
    return {
        row_identity(str(symbol), None if session is None else str(session), str(content))
        for symbol, session, content in rows
    }


def refused_lines(connection: Connection, load_id: int) -> Int64s:
    """Return the lines (int64, ascending) of a payload that were refused when it was loaded."""
    lines = column(connection, "SELECT line FROM refused_rows WHERE load_id = %s ORDER BY line", (load_id,))
    return np.array(lines, dtype=np.int64)


def ranks_of_loads(connection: Connection, load_id: Int32s) -> tuple[Int16s, Int16s]:
    """Return, a row, the provider of a load and the provider's rank."""
    distinct, inverse = np.unique(load_id, return_inverse=True)
    ranks = rows(
        connection,
        "SELECT load_id, provider_id, rank FROM loads JOIN providers USING (provider_id) "
        "WHERE load_id = ANY(%s::int4[]) ORDER BY load_id",
        (array_of(distinct),),
    )
    table = np.array([row[1:] for row in ranks], dtype=np.int16).reshape(-1, 2)
    return table[inverse, 0], table[inverse, 1]


def last_load_by(connection: Connection, instant: dt.datetime) -> int:
    """Return the last load that had been stored at an instant (aware); 0 if none had.

    Loads are stored one at a time, so their ids ascend with their instants.
    """
    query: LiteralString = "SELECT coalesce(max(load_id), 0) FROM loads WHERE loaded_at <= %s"
    return number(connection, query, (instant,))


_LOADING_COMMANDS = "^(run|backfill|import|metadata|rebuild)( |$)"


def refused_rows(connection: Connection, *, only_new: bool = False) -> list[dict[str, Any]]:
    """Return the refused rows, by load and line.

    Keys of each: load_id, provider, dataset, name, line, code, symbol, session, reason, content.

    Args:
        connection: in a transaction.
        only_new: only the rows that the last command that loads anything was the first to refuse. Without
            such a command in the table ``runs`` (on AWS), every row once, of the load that refused it first.
    """
    refused = records(
        connection,
        "SELECT load_id, provider, dataset, name, line, code, symbol, session, reason, content, "
        "loaded_at >= coalesce((SELECT max(started_at) FROM runs WHERE command ~ %s), '-infinity') "
        "AS is_last "
        "FROM refused_rows JOIN loads USING (load_id) JOIN providers USING (provider_id) "
        "ORDER BY load_id, line",
        (_LOADING_COMMANDS,),
    )
    is_new, seen = [], set()
    for row in refused:
        identity = row_identity(row["symbol"], row["session"] and str(row["session"]), row["content"])
        key = (row["provider"], row["dataset"], *identity)
        is_new.append(row.pop("is_last") and key not in seen)
        seen.add(key)
    return [row for row, new in zip(refused, is_new, strict=True) if new or not only_new]


@dataclass(frozen=True)
class ArchivedLoad:
    """A load of a data set, where the archive has what it loaded, and how many rows it stored."""

    load_id: int
    dataset: str
    archive_key: str
    stored: int


def archived_loads(connection: Connection) -> list[ArchivedLoad]:
    """Return every load, in their order."""
    query: LiteralString = "SELECT load_id, dataset, archive_key, inserted + changed FROM loads ORDER BY 1"
    return [ArchivedLoad(*row) for row in rows(connection, query)]


def archive_keys_of(connection: Connection, provider: str) -> list[str]:
    """Return where the archive has what a provider answered for daily bars, in the order of the loads."""
    return column(
        connection,
        "SELECT archive_key FROM loads JOIN providers USING (provider_id) "
        "WHERE provider = %s AND dataset = 'daily_bars' ORDER BY load_id",
        (provider,),
    )
