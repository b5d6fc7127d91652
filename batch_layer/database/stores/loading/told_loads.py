"""All loads of daily bars, splits and dividends: who told what when, and what became of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of, holds, rows
from condvest.batch_layer.database.stores.loading.undone import StoredLoad
from condvest.batch_layer.shared.models.bars import Int32s, Int64s
from condvest.batch_layer.shared.models.undo import is_undo


@dataclass(frozen=True)
class ToldLoad(StoredLoad):
    """A load that gave rows, or took back what others had given.

    Attributes:
        provider, name, fetched_at: as stored.
        taken_back_by: the load by which it was taken back; None if it counts.
    """

    provider: str
    name: str
    fetched_at: dt.datetime
    taken_back_by: int | None

    @property
    def takes_back(self) -> bool:
        """Whether it takes back other loads, or all rows of an instrument."""
        return is_undo(self.archive_key)


def told_loads(connection: Connection) -> list[ToldLoad]:
    """Return the loads of daily bars, splits and dividends, in their order."""
    return [
        ToldLoad(*row)
        for row in rows(
            connection,
            "SELECT load_id, provider_id, rank, dataset, archive_key, withdrawn, provider, name, fetched_at, "
            "taken_back_by FROM loads JOIN providers USING (provider_id) "
            "LEFT JOIN taken_back_loads USING (load_id) "
            "WHERE dataset IN ('daily_bars', 'splits', 'dividends') ORDER BY load_id",
        )
    ]


def left_bars_in_doubt(connection: Connection, archive_key: str) -> bool:
    """Return whether a load of a payload refused daily bars on another basis than the stored ones."""
    return holds(
        connection,
        "SELECT EXISTS (SELECT FROM refused_rows JOIN loads USING (load_id) "
        "WHERE archive_key = %s AND code = 'in_doubt')",
        (archive_key,),
    )


def codes_of_lines(connection: Connection, load_id: int, line: Int64s) -> dict[int, str]:
    """Return the codes under which those of some lines were refused that the load refused."""
    return dict(
        rows(
            connection,
            "SELECT line, code FROM refused_rows WHERE load_id = %s AND line = ANY(%s::int8[])",
            (load_id, array_of(line)),
        )
    )


def refuse_no_more(connection: Connection, load_id: int, line: Int64s) -> None:
    """Forget that a load refused some lines of its payload."""
    connection.execute(
        "DELETE FROM refused_rows WHERE load_id = %s AND line = ANY(%s::int8[])", (load_id, array_of(line))
    )


def add_suppliers(connection: Connection, provider_id: int, instrument_id: Int32s, load_id: int) -> Int32s:
    """Record that a provider supplies instruments from a load on, or from an earlier one.

    Returns:
        those of which that is news.
    """
    changed = rows(
        connection,
        "INSERT INTO instrument_providers AS own (instrument_id, provider_id, first_load_id) "
        "SELECT unnest(%s::int4[]), %s, %s ON CONFLICT (instrument_id, provider_id) DO UPDATE "
        "SET first_load_id = excluded.first_load_id WHERE own.first_load_id > excluded.first_load_id "
        "RETURNING instrument_id",
        (array_of(instrument_id), provider_id, load_id),
    )
    return np.array([row[0] for row in changed], dtype=np.int32)


def drop_suppliers(connection: Connection, instrument_id: Int32s, seen: set[tuple[int, int]]) -> Int32s:
    """Forget which providers supply instruments of which they gave no daily bar.

    Args:
        connection: in a transaction.
        instrument_id: the instruments.
        seen: (instrument, provider) of those that gave some, though nothing of it is stored.

    Returns:
        the instruments that have one provider less.
    """
    without = rows(
        connection,
        "SELECT instrument_id, provider_id FROM instrument_providers AS own "
        "WHERE instrument_id = ANY(%s::int4[]) "
        "AND NOT EXISTS (SELECT FROM daily_bars AS bar JOIN loads USING (load_id) "
        "  WHERE bar.instrument_id = own.instrument_id AND bar.instrument_id %% 16 = own.instrument_id %% 16 "
        "  AND loads.provider_id = own.provider_id) "
        "AND NOT EXISTS (SELECT FROM daily_bar_revisions AS bar JOIN loads USING (load_id) "
        "  WHERE bar.instrument_id = own.instrument_id AND loads.provider_id = own.provider_id)",
        (array_of(instrument_id),),
    )
    gone = [row for row in without if row not in seen]
    connection.execute(
        "DELETE FROM instrument_providers USING unnest(%s::int4[], %s::int2[]) "
        "AS gone (instrument, provider) "
        "WHERE instrument_id = gone.instrument AND provider_id = gone.provider",
        ([row[0] for row in gone], [row[1] for row in gone]),
    )
    return np.unique(np.array([row[0] for row in gone], dtype=np.int32))


def amend_counts(connection: Connection, load_id: int, stored: int, refused: int) -> None:
    """Let a load count so many more rows as stored and as refused; the others were unchanged, if any were."""
    [counts] = rows(
        connection,
        "SELECT inserted, changed, unchanged, outranked, duplicates FROM loads WHERE load_id = %s",
        (load_id,),
    )
    names = ("inserted", "changed", "unchanged", "outranked", "duplicates")
    count = dict(zip(names, counts, strict=True))
    count["inserted"] += stored
    if count["inserted"] < 0:
        count["changed"] += count["inserted"]
        count["inserted"] = 0
    count["unchanged"] -= stored + refused
    for name in ("outranked", "duplicates"):
        if count["unchanged"] < 0:
            count[name] += count["unchanged"]
            count["unchanged"] = 0
    connection.execute(
        "UPDATE loads SET inserted = %(inserted)s, changed = %(changed)s, unchanged = %(unchanged)s, "
        "outranked = %(outranked)s, duplicates = %(duplicates)s, refused = refused + %(refused)s "
        "WHERE load_id = %(load)s",
        {**count, "refused": refused, "load": load_id},
    )
