"""A collector: what comes goes into the journal, and what it changed into the database, tick by tick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection, Database
from condvest.batch_layer.database.stores.identity.instruments import NO_INSTRUMENT, instruments_of
from condvest.batch_layer.database.stores.loading.loads import last_load
from condvest.batch_layer.shared.errors import ClockWrong, DatabaseUnavailable
from condvest.batch_layer.shared.models.bars import Int32s, Positions
from condvest.speed_layer.core.following import Follower, Step
from condvest.speed_layer.core.guards import Refusal
from condvest.speed_layer.core.phases import SECOND
from condvest.speed_layer.feeds.frames import Frames, ReadFrames
from condvest.speed_layer.feeds.journal import Record, Recorder
from condvest.speed_layer.feeds.massive.massive_minutes import read_frames
from condvest.speed_layer.feeds.polling import Answered
from condvest.speed_layer.stores import rows
from condvest.speed_layer.stores.runs import Progress, note_gap, note_progress

Result = TypeVar("Result")

STALE_AFTER = {"open": 180 * SECOND}
"""How long the data may stand still in regular hours, microseconds; at other times STALE_OTHERWISE."""

STALE_OTHERWISE = 900 * SECOND


@dataclass(frozen=True, eq=False)
class _Carriers:
    """The instrument of each slot, int32, NO_INSTRUMENT where there is none; and the last load by then."""

    instrument_id: Int32s = field(default_factory=lambda: np.zeros(0, np.int32))
    load: int = 0

    def moved(self, now: Int32s) -> Positions:
        """Return the slots whose instrument is another one now."""
        return np.flatnonzero(now[: len(self.instrument_id)] != self.instrument_id)


@dataclass(eq=False)
class Collector:
    """Collects one session into the database.

    Attributes:
        database: where to.
        run_id: the run that collects; a later run ends it, and it can write nothing more.
        follower: what is known of the session.
        recorder: keeps what comes as it came.
        on_tick: told of each tick in its transaction, with the session, once its rows are stored.
        on_stored: told of the instant of each tick, microseconds, once it is committed.
        read: reads the frames of its stream.
        connections: connections to a stream so far.
    """

    database: Database
    run_id: int
    follower: Follower
    recorder: Recorder
    on_tick: Callable[[Connection, int], object] = lambda _connection, _ordinal: None
    on_stored: Callable[[int], object] = lambda _received: None
    read: ReadFrames = read_frames
    connections: int = 0
    _carriers: _Carriers = field(default_factory=_Carriers)
    through: int | None = None
    """Up to when the data are that were stored last, microseconds; None before any."""
    _advanced: tuple[int, int] | None = None
    _anchored: int = 0
    _messages: int = 0

    def take(
        self,
        answered: Answered,
        received: int,
        *,
        state: str = "polling",
        heals: Callable[[int], bool] = lambda _: True,
    ) -> Step | Refusal:
        """Take a snapshot: keep its bytes, then store all that has changed in one transaction.

        Args:
            answered: the snapshot.
            received: when it came, microseconds.
            state: of the run, unless its data stand still.
            heals: says whether all that was missed is known with a snapshot whose data reach an instant.

        Raises:
            ArchiveError: its bytes cannot be kept.
            DatabaseError, DatabaseUnavailable: the rows cannot be stored.
            Superseded: a later run collects now.
            ClockWrong: this machine's clock is behind the vendor's data.
        """
        self.recorder.add(Record("snapshot", received, answered.content))
        step = self.follower.take(answered.snapshot, received)
        if isinstance(step, Step):
            self._anchored, self._messages = received, self._messages + 1
            self._commit(step, received, state, heals=heals(answered.snapshot.seen().through))
        elif state != "streaming":
            self.miss("stale" if step.code == "stale" else "refused")
        if isinstance(step, Refusal) and step.code == "future":
            raise ClockWrong(step.reason)
        return step

    def take_frames(self, frames: Sequence[bytes], received: Sequence[int]) -> Frames:
        """Take frames of a stream: keep their bytes, and join their minutes to what is known.

        Nothing is stored before `tick`. Raises ArchiveError: the bytes cannot be kept.
        """
        for frame, instant in zip(frames, received, strict=True):
            self.recorder.add(Record("frame", instant, frame))
        read = self.read(frames, received)
        self._messages += self.follower.take_minutes(read.messages, read.faults)
        return read

    def tick(self, received: int, *, state: str) -> Step | None:
        """Store what frames have changed since the last tick; None before the first snapshot.

        Raises what `take` does.
        """
        step = self.follower.step()
        if step is not None:
            self._commit(step, received, state, heals=False)
        return step

    def miss(self, reason: str, *, state: str = "stale", since: int | None = None) -> None:
        """Note that data are missing, from ``since`` or from what is known; raises what `take` does."""
        self._committed(
            lambda connection: note_gap(connection, self.run_id, reason, state=state, since=since)
        )

    def _commit(self, step: Step, received: int, state: str, *, heals: bool) -> None:
        self.recorder.flush()
        is_still = self._stands_still(step, received)
        progress = Progress(
            state="stale" if is_still else state,
            phase=step.phase,
            through=step.through,
            received=received,
            anchored=self._anchored,
            records=self.recorder.position,
            messages=self._messages,
            refused=len(step.refused),
            drifted=step.drifted,
            connections=self.connections,
            heals=heals and not is_still,
        )
        before = self._carriers
        self._carriers = self._committed(lambda connection: self._store(connection, step, progress))
        # What was said of these under another instrument is said again with the next tick.
        self.follower.forget(before.moved(self._carriers.instrument_id))
        self._messages = 0
        self.through = step.through
        self.on_stored(received)

    def _committed(self, work: Callable[[Connection], Result]) -> Result:
        """Do the work in one transaction, and once more if its connection turns out to be lost.

        The server may have ended the connection since the last tick, which shows only when it is used.
        What a tick writes may be written twice: its rows replace themselves, and a gap is open already.
        """
        try:
            with self.database.transaction() as connection:
                return work(connection)
        except DatabaseUnavailable:
            with self.database.transaction() as connection:
                return work(connection)

    def _store(self, connection: Connection, step: Step, progress: Progress) -> _Carriers:
        ordinal = self.follower.ordinal
        # First of all: the row of the run is the fence, and locks out a later run until this tick is over.
        note_progress(connection, self.run_id, progress)
        carriers = self._resolved(connection, step)
        instrument = carriers.instrument_id[step.bars.slot]
        is_known = instrument != NO_INSTRUMENT
        known = step.bars.take(is_known)
        phases = step.phases[is_known]
        rows.write_bars(connection, self.run_id, ordinal, instrument[is_known], known, phases)
        unknown = step.bars.take(~is_known)
        symbols = [step.symbols[slot] for slot in unknown.slot.tolist()]
        rows.write_unresolved(connection, self.run_id, ordinal, symbols, unknown)
        rows.write_refused(connection, self.run_id, ordinal, step.refused)
        self.on_tick(connection, ordinal)
        connection.execute("SELECT pg_notify('condvest_live', %s)", (str(self.run_id),))
        return carriers

    def _stands_still(self, step: Step, received: int) -> bool:
        """Return whether the data have not moved on for too long."""
        if self._advanced is None or step.through > self._advanced[0]:
            self._advanced = step.through, received
        longest = STALE_AFTER.get(step.phase, STALE_OTHERWISE)
        return received - self._advanced[1] > longest

    def _resolved(self, connection: Connection, step: Step) -> _Carriers:
        """Return who carries each slot's symbol on the session's date.

        A load may say anew who carries what. The rows of those that carry another symbol now, or none, go.
        """
        load, known = last_load(connection), self._carriers
        first = len(known.instrument_id) if load == known.load else 0
        now = known.instrument_id[:first]
        if first < len(step.symbols):
            asked = np.array(step.symbols[first:], dtype=object)
            dates = np.full(len(asked), np.datetime64(self.follower.session, "D"))
            now = np.concatenate([now, instruments_of(connection, asked, dates)]).astype(np.int32)
        former = known.instrument_id[known.moved(now)]
        if len(former):
            rows.forget_bars(connection, self.follower.ordinal, former)
        return _Carriers(now, load)
