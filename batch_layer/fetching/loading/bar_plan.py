"""What loading a payload of daily bars will do: to the bars, to the ledger, to what its provider supplies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from condvest.batch_layer.fetching.ledger import complete_sessions, entered, keep_complete, sessions_affected
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad, StoredRows
from condvest.batch_layer.fetching.reconcile import Reconciled
from condvest.batch_layer.shared.models.bars import Bools, DailyBars, Int32s, Int64s
from condvest.batch_layer.shared.models.difference import keys_of
from condvest.batch_layer.shared.models.loads import LedgerRows, LoadSummary


@dataclass(frozen=True, eq=False)
class IdentifiedBars:
    """The rows of a payload that passed, as daily bars.

    Attributes:
        bars: the daily bars, keys unique, by key.
        made: int32, the instruments that were made for them, ascending.
        claimed: int32, ordinals of the sessions that the payload speaks of, ascending.
        refused_keys: int64, keys (see `pack`) of the refused rows whose instrument and session are known:
            a stored bar with such a key is not withdrawn, for the payload did not drop it.
        positions: int64, where the row of each bar stands in the payload.
        notices: what a person should know about the symbols.
    """

    bars: DailyBars
    positions: Int64s
    made: Int32s
    claimed: Int32s
    refused_keys: Int64s
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class BarPlan:
    """What loading one payload does.

    Attributes:
        rows: what it does to the daily bars.
        entries: the rows that it enters in the ledger.
        affected: int32, ordinals at which bars may change by those entries alone, ascending.
        added: int32, the instruments that the provider begins to supply, ascending.
        summary: the same in numbers.
    """

    rows: Reconciled[DailyBars]
    entries: LedgerRows
    affected: Int32s
    added: Int32s
    summary: LoadSummary


@dataclass(frozen=True, eq=False)
class ProviderState:
    """What is known about a provider between two of its loads.

    Attributes:
        ledger: its sessions.
        supplied: int32, the instruments whose daily bars it supplies.
    """

    ledger: LedgerRows
    supplied: Int32s

    def after(self, plan: BarPlan) -> ProviderState:
        """Return the state once the plan has been carried out."""
        return ProviderState(
            ledger=entered(self.ledger, plan.entries),
            supplied=np.concatenate([self.supplied, plan.added]),
        )


def plan_bars(
    load: PayloadLoad, identified: IdentifiedBars, stored: StoredRows[DailyBars], state: ProviderState
) -> BarPlan:
    """Compare a payload's bars with the stored ones.

    A stored bar is withdrawn only if the payload claims the whole market, its session is there in full, and
    no row of the payload, not even a refused one, is of that bar.

    Args:
        load: the payload's load.
        identified: its bars.
        stored: the stored bars that it may concern, and others.
        state: of its provider, when the loads before it have been carried out.
    """
    stored = stored.take(np.isin(stored.rows.ordinal, identified.claimed))
    passed = count_by_session(identified.claimed, identified.bars.ordinal)
    complete = np.ones(len(identified.claimed), dtype=bool)
    missed = None
    if load.payload.is_whole:
        complete = complete_sessions(identified.claimed, passed, state.ledger)
        missed = np.isin(stored.rows.ordinal, identified.claimed[complete])
        missed &= ~np.isin(keys_of(stored.rows), identified.refused_keys)
    rows = load.reconcile(stored, identified.bars, missed)
    entries = keep_complete(_entries(load, identified.claimed, complete, passed, rows), state.ledger)
    ids = np.unique(identified.bars.instrument_id)
    partial = tuple(load.sessions.dates_of(identified.claimed[~complete]).tolist())
    return BarPlan(
        rows=rows,
        entries=entries,
        affected=sessions_affected(entries, state.ledger),
        added=ids[~np.isin(ids, state.supplied)],
        summary=replace(load.counted(rows, identified.notices), partial=partial),
    )


def _entries(
    load: PayloadLoad,
    claimed: Int32s,
    complete: Bools,
    passed: Int32s,
    rows: Reconciled[DailyBars],
) -> LedgerRows:
    verdict = load.verdict
    refused = np.array(sorted(verdict.reasons), dtype=np.int64)
    withdrawn = rows.old.ordinal[len(rows.new) :]
    return LedgerRows(
        ordinal=claimed,
        complete=complete,
        rows=count_by_session(claimed, verdict.ordinal),
        passed=passed,
        inserted=count_by_session(claimed, rows.insert.ordinal),
        changed=count_by_session(claimed, rows.new.ordinal),
        withdrawn=count_by_session(claimed, withdrawn),
        refused=count_by_session(claimed, verdict.ordinal[refused]),
    )


def count_by_session(sessions: Int32s, ordinals: Int32s) -> Int32s:
    """Return how often each of ``sessions`` (ascending ordinals) occurs in ``ordinals``, as int32."""
    if not len(sessions):
        return sessions
    offsets = ordinals[(ordinals >= sessions[0]) & (ordinals <= sessions[-1])] - sessions[0]
    counts = np.bincount(offsets, minlength=int(sessions[-1] - sessions[0]) + 1)
    return counts[sessions - sessions[0]].astype(np.int32, copy=False)  # type: ignore[no-any-return]  # bincount's stub
