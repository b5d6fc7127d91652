"""What a publication writes: the parts whose rows the version before did not publish, or not whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import number
from condvest.batch_layer.database.postgres.touched import EVERY_KEY
from condvest.batch_layer.database.stores.fingerprints import Fingerprint, fingerprints
from condvest.batch_layer.database.stores.loading.ledger import last_loaded
from condvest.batch_layer.database.stores.touched import REFERENCE, read_touched
from condvest.batch_layer.processing.publishing.published_before import PublishedBefore
from condvest.batch_layer.shared.errors import PublishedError
from condvest.batch_layer.shared.models.bars import Int32s
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.published.manifest import PublishedFile
from condvest.batch_layer.shared.published.parts import DAILY_BARS, DIVIDED, Division
from condvest.batch_layer.shared.published.states import (
    BEFORE,
    NEVER,
    calendar_states,
    packed,
    reference_state,
)

ROWS_AT_ONCE = 2_000_000
"""Rows in memory at a time, about; at least one part's. Fewer would need more passes over a table."""

MONTHLY = 1_000
"""Instruments from which on the newest year is divided by month."""


@dataclass(frozen=True)
class Part:
    """A part of a data set of bars.

    Attributes:
        name: the year, or the month, of the last sessions of its windows; see `Division`.
        first, last: its windows (sessions for the daily bars), inclusive.
        rows: how many rows it has; without a fingerprint, how many it had in the version before.
        fingerprint: number of rows and digest of what the database holds; None if it is to be computed from
            the rows when they are read.
        published: the current version's file, if it holds just these rows and is whole; else None.
    """

    name: str
    first: int
    last: int
    rows: int
    fingerprint: Fingerprint | None
    published: PublishedFile | None


@dataclass
class Plan:
    """What the next version consists of, but for the small data sets.

    Attributes:
        parts: by data set the parts that have rows, ascending.
        states, calendar, reference: what the manifest says of them, see `Recorded`.
        months_from: the first year that is divided by month; None if every year is whole.
        unrecorded: parts whose rows changed though nobody said so; a check finds them.
    """

    parts: dict[str, list[Part]] = field(default_factory=dict)
    states: dict[str, dict[str, str]] = field(default_factory=dict)
    calendar: dict[str, str] = field(default_factory=dict)
    reference: str = ""
    months_from: int | None = None
    unrecorded: list[str] = field(default_factory=list)

    @property
    def rows_to_write(self) -> int:
        """The number of rows of all parts that are not published yet."""
        return sum(part.rows for part in self.all_parts() if not part.published)

    def all_parts(self) -> list[Part]:
        """Return the parts of all data sets."""
        return [part for parts in self.parts.values() for part in parts]


def planned(
    connection: Connection,
    sessions: Sessions,
    before: PublishedBefore,
    *,
    check: bool,
    rehearsal: bool = False,
) -> Plan:
    """Return what to publish.

    A part is taken to be as the version before has it if nothing was stored there since, by the record that
    every transaction makes of what it alters; its rows and its file are not read. All other parts are held
    against that version by a fingerprint of their rows: by PostgreSQL, or where they are few, when they are
    read to be written, for most often they have changed.

    Args:
        connection: in a transaction.
        sessions: the calendar.
        before: the version before.
        check: take nothing for granted: fingerprints of all rows, and digests of all files.
        rehearsal: nothing will be written; so every fingerprint is computed now.

    Raises:
        PublishedError: rows lie before the calendar's first year.
        PublishedUnavailable: the target does not answer.
    """
    touched = read_touched(connection)
    plan = Plan(calendar=calendar_states(sessions), months_from=first_year_by_month(connection, sessions))
    division = Division.of(sessions, plan.months_from)
    names = [BEFORE, *division.names]
    for dataset in DIVIDED:
        starts = division.starts(sessions, dataset)
        states = touched.get(dataset, NEVER).states(starts)
        plan.states[dataset] = packed(names, states)
        same = before.unchanged(dataset, dict(zip(names, states, strict=True)), plan.calendar, sessions)
        later = [] if check or rehearsal else _few(before, dataset, names, same)
        asked = [(check or not is_same) and at not in later for at, is_same in enumerate(same)]
        stored = _stored(connection, dataset, starts, asked)
        if 0 in stored:
            raise PublishedError(
                f"{dataset}: expected no row before {names[1]}, the calendar's first year; "
                f"got {stored[0][0]:,}. Nothing was published; find them: condvest verify"
            )
        ends = [*(starts[1:] - 1).tolist(), EVERY_KEY[1]]
        reusable = before.reusable(
            dataset, {(names[at], fingerprint[1]) for at, fingerprint in stored.items()}, plan.calendar
        )
        parts = []
        for at, name in enumerate(names[1:], start=1):
            then = before.fingerprint(dataset, name)
            fingerprint, file = then, None
            if asked[at]:
                fingerprint = stored.get(at)
                file = reusable.get((name, fingerprint[1])) if fingerprint else None
                if same[at] and fingerprint != then:
                    plan.unrecorded.append(f"{dataset} of {name}")
            elif at in later:
                fingerprint = (before.rows_about(dataset, name) or 0, "")
            else:
                file = before.of_right_size(dataset, name)
            if fingerprint:
                known = None if at in later else fingerprint
                parts.append(Part(name, int(starts[at - 1]), ends[at - 1], fingerprint[0], known, file))
        plan.parts[dataset] = parts
        if dataset == DAILY_BARS:
            plan.reference = reference_state(touched.get(REFERENCE, NEVER), states, sessions)
    return plan


def first_year_by_month(connection: Connection, sessions: Sessions) -> int | None:
    """Return the year of the last session of which anything was loaded; None if the market is small.

    Few instruments make a year's file so small that writing twelve would take longer.
    """
    through = last_loaded(connection)
    if through is None or number(connection, "SELECT count(*) FROM instruments") < MONTHLY:
        return None
    return sessions.session(through).year


def _few(before: PublishedBefore, dataset: str, parts: Sequence[str], same: Sequence[bool]) -> list[int]:
    """Return the indices of the parts that are not the same, if their rows fit into memory at once.

    By what the version before had of them; none if it does not tell.
    """
    changed = [at for at, is_same in enumerate(same) if not is_same]
    known = [before.rows_about(dataset, parts[at]) for at in changed]
    rows = [number for number in known if number is not None]
    return changed if len(rows) == len(changed) and sum(rows) <= ROWS_AT_ONCE else []


def _stored(
    connection: Connection, dataset: str, starts: Int32s, wanted: Sequence[bool]
) -> dict[int, Fingerprint]:
    """Return the fingerprints of the wanted parts that have rows; part 0 is what lies before ``starts``."""
    asked = np.flatnonzero(wanted)
    if not len(asked):
        return {}
    first = int(starts[asked[0] - 1]) if asked[0] else EVERY_KEY[0]
    last = int(starts[asked[-1]]) - 1 if asked[-1] < len(starts) else EVERY_KEY[1]
    stored = fingerprints(connection, dataset, starts, first, last)
    return {at + 1: fingerprint for at, fingerprint in stored.items() if wanted[at + 1]}


def in_batches(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Yield runs of neighbouring parts, each of ROWS_AT_ONCE rows at most, or of one part."""
    batch: list[Part] = []
    rows = 0
    for part in parts:
        rows += part.rows
        if batch and (rows > ROWS_AT_ONCE or part.first != batch[-1].last + 1):
            yield batch
            batch, rows = [], part.rows
        batch.append(part)
    if batch:
        yield batch
