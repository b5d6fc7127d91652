"""Refuse the bars of a vendor's answer that are on another basis than the stored ones; see `doubt`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from condvest.batch_layer.database.postgres.revisioned import SPLITS
from condvest.batch_layer.database.stores.identity.instruments import NO_INSTRUMENT
from condvest.batch_layer.database.stores.loading.loads import fetched_at
from condvest.batch_layer.fetching.doubt import KnownSplits, rescaled, without_rounding
from condvest.batch_layer.fetching.loading.bar_plan import IdentifiedBars
from condvest.batch_layer.fetching.loading.carriers import carriers_of
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad, StoredRows
from condvest.batch_layer.fetching.quality import NUMBER_OF
from condvest.batch_layer.shared.models.bars import DailyBars, Int32s
from condvest.batch_layer.shared.models.corporate_actions import SplitEvents
from condvest.batch_layer.shared.models.difference import keys_of
from condvest.batch_layer.shared.models.given.payload_rows import BarRows, SplitRows
from condvest.batch_layer.shared.models.given.payloads import ListedPeriod, Parsed
from condvest.batch_layer.shared.models.instruments.provider_kinds import PROVIDERS
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE, Sessions
from condvest.batch_layer.shared.models.spans import always

REASON = (
    "in doubt: all prices are those stored, times one factor that no split of the answer explains; "
    "the stored bar stays"
)
ASKED_AGAIN = ", and is asked for again"
"""Of a provider that is asked symbol by symbol; the others give a whole session, as often as it is new."""


def without_doubts(
    load: PayloadLoad, identified: IdentifiedBars, stored: StoredRows[DailyBars]
) -> tuple[PayloadLoad, IdentifiedBars]:
    """Return a load and its bars without those in doubt, which become refused rows.

    What a user imports is taken at its word.

    Args:
        load: of a payload of daily bars.
        identified: its bars.
        stored: the stored bars that it may concern, and others.
    """
    rows = load.parsed.rows_as(BarRows)
    if load.payload.provider not in PROVIDERS:
        return load, identified
    in_doubt = load.verdict.code == NUMBER_OF["in_doubt"]
    if in_doubt.any():
        ids = carriers_of(load.connection, load.payload, load.parsed, in_doubt)
        load.doubted.update(ids[ids != NO_INSTRUMENT].tolist())
    listed, known = _splits(load, identified.bars.instrument_id)
    if load.parsed.also:
        identified = replace(identified, bars=without_rounding(identified.bars, stored.rows, listed))
    told_at = int(_begun(load, [load.payload.fetched_at])[0])
    doubt = rescaled(identified.bars, stored.rows, _stored_at(load, stored), told_at, listed, known)
    if not doubt.any():
        return load, identified
    load.doubted.update(np.unique(identified.bars.instrument_id[doubt]).tolist())
    refused = np.zeros(len(rows), dtype=bool)
    refused[identified.positions[doubt]] = True
    reason = REASON + ASKED_AGAIN * PROVIDERS[load.payload.provider].needs_symbols
    return load.refusing(
        refused, "in_doubt", lambda row: f"{rows.symbol[row]} {rows.session[row]}: {reason}"
    ), replace(
        identified,
        bars=identified.bars.take(~doubt),
        positions=identified.positions[~doubt],
        refused_keys=np.concatenate([identified.refused_keys, keys_of(identified.bars.take(doubt))]),
    )


def _stored_at(load: PayloadLoad, stored: StoredRows[DailyBars]) -> Int32s:
    """Return, per stored bar, the ordinal of the last session that had begun when it was fetched."""
    if not len(stored.load_id):  # of new sessions, as a rule: each would ask the server in vain
        return stored.load_id
    load_ids, inverse = np.unique(stored.load_id, return_inverse=True)
    fetched = fetched_at(load.connection, load_ids)
    return _begun(load, [fetched[load_id] for load_id in load_ids.tolist()])[inverse]


def _begun(load: PayloadLoad, instants: Sequence[dt.datetime]) -> Int32s:
    """Return, per instant, the ordinal of the last session on or before its date in New York."""
    after = [instant.astimezone(EXCHANGE_ZONE).date() + dt.timedelta(1) for instant in instants]
    ordinals: Int32s = load.sessions.ordinals_on_or_after(np.array(after, dtype="datetime64[D]"))
    return ordinals - np.int32(1)


def _splits(load: PayloadLoad, instrument_id: Int32s) -> tuple[KnownSplits, KnownSplits]:
    """Return the splits of a chart, and those stored of its instrument in the chart's period; else none."""
    none = KnownSplits(instrument_id[:0], instrument_id[:0], np.zeros(0))
    tables = [table for table in load.parsed.also if isinstance(table.rows, SplitRows)]
    if not tables:
        return none, none
    ids = np.unique(instrument_id)
    # A chart is of one symbol; where bars of it went to two instruments, its splits explain nothing.
    if len(ids) != 1 or tables[0].listed is None:
        return none, none
    stored, _ = SPLITS.read_with_load(load.connection, always(ids))
    return (
        _known(_events(tables[0], ids), tables[0].listed, load.sessions),
        _known(stored, tables[0].listed, load.sessions),
    )


def _events(table: Parsed, ids: Int32s) -> SplitEvents:
    rows = table.rows_as(SplitRows)
    readable = np.isfinite(rows.split_from) & np.isfinite(rows.split_to)
    readable &= (rows.split_from > 0) & (rows.split_to > 0)
    rows = rows.take(readable)
    return SplitEvents(np.repeat(ids, len(rows)), rows.ex_date, rows.split_from, rows.split_to)


def _known(events: SplitEvents, period: ListedPeriod, sessions: Sessions) -> KnownSplits:
    first, last = (np.datetime64(date, "D") for date in (period.first, period.last))
    events = events.take((events.ex_date >= first) & (events.ex_date <= last))
    splits = events.on(sessions)
    return KnownSplits(splits.instrument_id, splits.ex_ordinal, np.log(splits.split_to / splits.split_from))
