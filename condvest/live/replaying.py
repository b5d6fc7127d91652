"""The wiring: a session that was collected, replayed from its journal and held against the stored rows."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import records
from condvest.batch_layer.database.stores.daily.live import read_live
from condvest.batch_layer.database.stores.identity.instruments import NO_INSTRUMENT, instruments_of
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.live import LiveBars
from condvest.live.collecting import copies_of, journals_of
from condvest.live.judging import judge
from condvest.speed_layer.core.provisional import Provisional
from condvest.speed_layer.feeds.journal import Journal
from condvest.speed_layer.services.dialects import dialect_of
from condvest.speed_layer.services.minutes import minute_bars
from condvest.speed_layer.services.replay import Kept, replay
from condvest.speed_layer.stores.runs import expected_tickers

_COMPARED = ("open", "high", "low", "close", "volume", "vwap", "data_through")


def minutes(workspace: Workspace, session: dt.date) -> pa.Table:
    """Return the minute bars that came of a session, from its journal; see `minute_bars`.

    Raises:
        UsageError, NotASession, ArchiveError: as `replayed` does.
    """
    ordinal = workspace.sessions.ordinal(session)
    with workspace.database.transaction(read_only=True) as connection:
        provider, runs = _runs(connection, session, ordinal)
    if provider == "yahoo":
        raise UsageError(f"--session {session}: it was collected from Yahoo, whose stream has no minute bars")
    journal = _journal(workspace, provider, session)
    return minute_bars(journal, runs, workspace.sessions, ordinal, judge)


def replayed(workspace: Workspace, session: dt.date) -> dict[str, Any]:
    """Replay a session's journal.

    Returns:
        session, snapshots, refused_snapshots, minutes (messages that passed), replayed_rows (live rows that
        the journal comes to), live_rows (those that are stored: none once the session is settled), differing
        (stored ones that the journal does not come to).

    Raises:
        UsageError: nothing was collected of the session.
        NotASession: it is none.
        ArchiveError: its journal is gone, or damaged.
    """
    ordinal = workspace.sessions.ordinal(session)
    with workspace.database.transaction(snapshot=True, read_only=True) as connection:
        provider, runs = _runs(connection, session, ordinal)
        expected = expected_tickers(connection, provider, ordinal)
        live = read_live(connection)
        live = live.take(live.ordinal == ordinal)
        result = replay(
            _journal(workspace, provider, session),
            runs,
            lambda: dialect_of(provider).follower(workspace.sessions, ordinal, judge, expected),
        )
        symbols = np.array(result.symbols, dtype=object)
        dates = np.full(len(symbols), np.datetime64(session, "D"))
        instrument = instruments_of(connection, symbols, dates)
    known = instrument != NO_INSTRUMENT
    return {
        "session": session,
        "snapshots": result.taken,
        "refused_snapshots": result.refused,
        "minutes": result.messages,
        "replayed_rows": int(known.sum()),
        "live_rows": len(live),
        "differing": _differing(live, instrument[known].tolist(), result.bars.take(known)),
    }


def _journal(workspace: Workspace, provider: str, session: dt.date) -> Journal:
    """Return the journal of a session, with what is copied of it and is not here."""
    journal = Journal(journals_of(workspace.settings), provider, session)
    copies = copies_of(workspace.settings, lambda _: None)
    if copies is not None:
        copies.fetch(journal)
    return journal


def _runs(connection: Connection, session: dt.date, ordinal: int) -> tuple[str, list[Kept]]:
    """Return the provider of whom a session was collected last, and its runs in their order."""
    runs = records(
        connection,
        "SELECT provider, journal, records FROM live_runs WHERE ordinal = %s AND journal IS NOT NULL "
        "ORDER BY run_id",
        (ordinal,),
    )
    if not runs:
        raise UsageError(f"--session {session}: nothing was collected of it; condvest live status tells what")
    provider = runs[-1]["provider"]
    kept = [Kept(run["journal"], run["records"]) for run in runs if run["provider"] == provider]
    return provider, kept


def _differing(live: LiveBars, instruments: list[int], bars: Provisional) -> int:
    """Return how many live rows are not, to the bit, what the journal comes to."""
    row_of = {instrument: row for row, instrument in enumerate(instruments)}
    differing = 0
    for at, instrument in enumerate(live.instrument_id.tolist()):
        row = row_of.get(instrument)
        ours = [getattr(live, name)[at] for name in _COMPARED]
        theirs = None if row is None else [getattr(bars, name)[row] for name in _COMPARED]
        differing += theirs is None or not np.array_equal(ours, theirs, equal_nan=True)
    return differing
