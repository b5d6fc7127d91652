"""A database of its own, with the daily bars of a synthetic market in it."""

import datetime as dt
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS
from condvest.batch_layer.database.stores.identity import instruments
from condvest.batch_layer.operations.workspace import open_workspace
from condvest.batch_layer.shared.settings import Settings

NOW = dt.datetime(2026, 6, 30, 23, tzinfo=dt.UTC)


@contextmanager
def workspace():
    """Give a workspace on an embedded PostgreSQL in a directory that is removed again."""
    with (
        tempfile.TemporaryDirectory(prefix="condvest-bench-") as home,
        open_workspace(Settings(home=Path(home)), now=NOW) as opened,
    ):
        opened.extended_sessions()
        yield opened


def store(database, daily):
    """Store daily bars as a provider's load of whole sessions, in the order in which nights bring them."""
    daily = daily.take(np.argsort(daily.ordinal, kind="stable"))
    daily.instrument_id[:] += 1 - daily.instrument_id.min()  # they are numbered from 1
    ids = np.unique(daily.instrument_id)
    with database.transaction() as connection:
        provider_id = instruments.provider_id_of(connection, "massive")
        connection.execute(
            "INSERT INTO loads (provider_id, dataset, name, archive_key, digest, fetched_at, rows, inserted, "
            "changed, unchanged, withdrawn, outranked, duplicates, refused) "
            "VALUES (%s, 'daily_bars', 'benchmark', '', '', now(), %s, %s, 0, 0, 0, 0, 0, 0)",
            (provider_id, len(daily), len(daily)),
        )
        ((load_id,),) = connection.execute("SELECT max(load_id) FROM loads").fetchall()
        connection.execute(
            "INSERT INTO instruments (instrument_id) OVERRIDING SYSTEM VALUE "
            "SELECT generate_series(%s::int4, %s)",
            (int(ids[0]), int(ids[-1])),
        )
        connection.execute(
            "INSERT INTO symbols (symbol, instrument_id) "
            "SELECT 'S' || instrument_id, instrument_id FROM instruments"
        )
        connection.execute(
            "INSERT INTO instrument_providers SELECT instrument_id, %s, %s FROM instruments",
            (provider_id, load_id),
        )
        for rows in np.split(np.arange(len(daily)), np.flatnonzero(np.diff(daily.ordinal)) + 1):
            DAILY_BARS.insert(connection, daily.take(rows), load_id)
        connection.execute(
            "INSERT INTO ledger SELECT %s, ordinal, 'complete', %s, %s, %s, count(*), count(*), count(*), "
            "0, 0, 0 FROM daily_bars GROUP BY ordinal",
            (provider_id, load_id, load_id, load_id),
        )
    with database.transaction() as connection:
        connection.execute("ANALYZE daily_bars")
