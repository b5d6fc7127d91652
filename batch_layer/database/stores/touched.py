"""What transactions said that they altered, read for a publication, and kept short."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from batch_layer.database.postgres.connection import Connection
from batch_layer.database.postgres.queries import number, rows
from batch_layer.shared.models.bars import Int32s
from batch_layer.shared.published.states import Touched

MANY = 10_000
"""Entries that `compact` leaves as they are: reading so many takes some ten milliseconds."""


def read_touched(connection: Connection) -> dict[str, Touched]:
    """Return all entries by data set."""
    return _by_dataset(rows(connection, "SELECT dataset, first, last, times, token FROM touched"))


def compact(connection: Connection, starts: Mapping[str, Int32s]) -> None:
    """Make one entry of all that reach into the same years, if there are many.

    The states of years stay what they are, for the count and the exclusive or do not depend on how entries
    are put together, and an entry reaches into the same years as before. Whoever reads at the same time
    sees the entries of before, or these; entries that others add meanwhile are not seen, and stay.

    Args:
        connection: in a transaction that writes.
        starts: by data set the first ordinal or window of each year.
    """
    if number(connection, "SELECT count(*) FROM touched") <= MANY:
        return
    taken = _by_dataset(rows(connection, "DELETE FROM touched RETURNING dataset, first, last, times, token"))
    for dataset, touched in taken.items():
        merged = touched.merged(starts[dataset])
        columns = (merged.first, merged.last, merged.times, merged.token)
        connection.cursor().executemany(
            "INSERT INTO touched (dataset, first, last, times, token) VALUES (%s, %s, %s, %s, %s)",
            [(dataset, *entry) for entry in zip(*(values.tolist() for values in columns), strict=True)],
        )


def _by_dataset(entries: list[tuple[str, int, int, int, int]]) -> dict[str, Touched]:
    by_dataset: dict[str, list[list[int]]] = {}
    for dataset, *entry in entries:
        by_dataset.setdefault(dataset, []).append(entry)
    touched = {}
    for dataset, own in by_dataset.items():
        first, last, times, token = np.array(own, dtype=np.int64).T
        touched[dataset] = Touched(
            first.astype(np.int32), last.astype(np.int32), times.astype(np.int32), token
        )
    return touched
