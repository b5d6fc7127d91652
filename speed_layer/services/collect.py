"""One tick of a collector: a snapshot goes into the journal, and what it changed into the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from batch_layer.database.postgres.connection import Connection, Database
from batch_layer.database.stores.instruments import NO_INSTRUMENT, instruments_of
from batch_layer.shared.errors import ClockWrong, DatabaseUnavailable
from batch_layer.shared.models.bars import Int32s
from speed_layer.core.following import Follower, Step
from speed_layer.core.guards import Refusal
from speed_layer.core.phases import SECOND
from speed_layer.feeds.journal import Entry, Journal
from speed_layer.feeds.polling import Answered
from speed_layer.stores import rows
from speed_layer.stores.runs import Progress, note_gap, note_progress

STALE_AFTER = {"open": 180 * SECOND}
"""How long the data may stand still in regular hours, microseconds; at other times STALE_OTHERWISE."""

STALE_OTHERWISE = 900 * SECOND


@dataclass(eq=False)
class Collector:
    """Collects one session into the database.

    Attributes:
        database: where to.
        run_id: the run that collects; a later run ends it, and it can write nothing more.
        follower: what is known of the session.
        journal: where the snapshots are kept as they came.
        on_tick: told of each tick in its transaction, with the session, once its rows are stored.
    """

    database: Database
    run_id: int
    follower: Follower
    journal: Journal
    on_tick: Callable[[Connection, int], object] = lambda _connection, _ordinal: None
    _instruments: Int32s = field(default_factory=lambda: np.zeros(0, np.int32))
    _advanced: tuple[int, int] | None = None

    def take(self, answered: Answered, received: int) -> Step | Refusal:
        """Take a snapshot: keep its bytes, then store all that it changed in one transaction.

        Args:
            answered: the snapshot.
            received: when it came, microseconds since 1970-01-01 UTC.

        Raises:
            ArchiveError: its bytes cannot be kept.
            DatabaseError, DatabaseUnavailable: the rows cannot be stored.
            Superseded: a later run collects now.
            ClockWrong: this machine's clock is behind the vendor's data.
        """
        self.journal.keep(Entry(received, answered.content))
        step = self.follower.take(answered.snapshot, received)
        if isinstance(step, Refusal):
            self.miss("stale" if step.code == "stale" else "refused")
        else:
            self._committed(lambda connection: self._store(connection, step, received))
        if isinstance(step, Refusal) and step.code == "future":
            raise ClockWrong(step.reason)
        return step

    def miss(self, reason: str) -> None:
        """Note that no snapshot came; raises what `take` does."""
        self._committed(lambda connection: note_gap(connection, self.run_id, reason))

    def _committed(self, work: Callable[[Connection], None]) -> None:
        """Do the work in one transaction, and once more if its connection turns out to be lost.

        The server may have ended the connection since the last tick, which shows only when it is used.
        What a tick writes may be written twice: its rows replace themselves, and a gap is open already.
        """
        try:
            with self.database.transaction() as connection:
                work(connection)
        except DatabaseUnavailable:
            with self.database.transaction() as connection:
                work(connection)

    def _store(self, connection: Connection, step: Step, received: int) -> None:
        ordinal = self.follower.ordinal
        state = "stale" if self._stands_still(step, received) else "polling"
        # First of all: the row of the run is the fence, and locks out a later run until this tick is over.
        note_progress(
            connection,
            self.run_id,
            Progress(state, step.phase, step.through, received, len(step.refused)),
        )
        instrument = self._resolved(connection, step)[step.bars.slot]
        is_known = instrument != NO_INSTRUMENT
        known = step.bars.take(is_known)
        phases = [phase for phase, here in zip(step.phases, is_known.tolist(), strict=True) if here]
        rows.write_bars(connection, self.run_id, ordinal, instrument[is_known], known, phases)
        unknown = step.bars.take(~is_known)
        symbols = [step.symbols[slot] for slot in unknown.slot.tolist()]
        rows.write_unresolved(connection, self.run_id, ordinal, symbols, unknown)
        rows.write_refused(connection, self.run_id, ordinal, step.refused)
        self.on_tick(connection, ordinal)
        connection.execute("SELECT pg_notify('condvest_live', %s)", (str(self.run_id),))

    def _stands_still(self, step: Step, received: int) -> bool:
        """Return whether the data have not moved on for too long."""
        if self._advanced is None or step.through > self._advanced[0]:
            self._advanced = step.through, received
        longest = STALE_AFTER.get(step.phase, STALE_OTHERWISE)
        return received - self._advanced[1] > longest

    def _resolved(self, connection: Connection, step: Step) -> Int32s:
        """Return the instrument that carries each slot's symbol on the session's date."""
        before = len(self._instruments)
        if before < len(step.symbols):
            new = np.array(step.symbols[before:], dtype=object)
            dates = np.full(len(new), np.datetime64(self.follower.session, "D"))
            instruments = instruments_of(connection, new, dates)
            self._instruments = np.concatenate([self._instruments, instruments]).astype(np.int32)
        return self._instruments
