"""Store what a person says about renames, and lay it over what vendors say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.stores.identity import metadata, ownership
from condvest.batch_layer.database.stores.identity.symbols import read_spans
from condvest.batch_layer.fetching.loading.retelling.retold import give_to_owners
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.shared.core.names.laid_over import Carriers, laid_over
from condvest.batch_layer.shared.core.names.stated_renames import Stated, stated_with
from condvest.batch_layer.shared.core.names.symbol_moves import plan_moves
from condvest.batch_layer.shared.models.given.payload_rows import RenameRows
from condvest.batch_layer.shared.models.instruments.symbols import Rename, SymbolSpan
from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.batch_layer.shared.models.sessions import Sessions

_Spans = Mapping[int, Sequence[SymbolSpan]]


def store_renames(load: PayloadLoad) -> LoadSummary:
    """Store renames that a person states, with the rows that they move from one instrument to another.

    They hold against what vendors say, now and later. One of a symbol that nobody carried before is refused.
    """
    rows = load.parsed.rows_as(RenameRows)
    given = {
        row: Rename(rows.date[row].item(), str(rows.symbol[row]), str(rows.to[row]))
        for row in np.flatnonzero(load.verdict.passed).tolist()
    }
    before = metadata.stated_renames(load.connection)
    stated = stated_with(read_spans(load.connection), before, given.values())
    load = _refusing(load, given, stated)
    moved = write_as_stated(load.connection, {}, load.sessions, stated.holders)
    give_to_owners(load, moved)
    metadata.stage_fields(load.connection, _fields(before, stated.holders))
    absent = [
        f"{rename.symbol} {rename.date}: takes back a rename that is not stored" for rename in stated.absent
    ]
    still = stated.unchanged + len(absent)
    summary = replace(
        load.summary,
        changed=len(given) - len(stated.refused) - still,
        unchanged=still,
        newly_refused=load.newly_refused(),
        notices=(*load.summary.notices, *absent, *moved_notices(moved)),
    )
    if load.is_news(summary):
        metadata.store_fields(load.connection, load.record(summary))
    return summary


def _refusing(load: PayloadLoad, given: Mapping[int, Rename], stated: Stated) -> PayloadLoad:
    for code in ("bad_rename", "unknown_symbol"):
        reasons = {
            row: f"{rename.symbol} {rename.date}: {stated.refused[rename][1]}"
            for row, rename in given.items()
            if rename in stated.refused and stated.refused[rename][0] == code
        }
        mask = np.isin(np.arange(len(load.parsed.rows)), list(reasons))
        load = load.refusing(mask, code, reasons.__getitem__)
    return load


def _fields(before: Mapping[Rename, int], now: Mapping[Rename, int]) -> list[tuple[int, str, str]]:
    """Return what each instrument keeps of the statements, where that changes."""
    changed = {holder for rename, holder in (before.items() ^ now.items())}
    return [
        (holder, metadata.STATED, metadata.stated_text(rename for rename, by in now.items() if by == holder))
        for holder in sorted(changed)
    ]


def write_as_stated(
    connection: Connection, wanted: _Spans, sessions: Sessions, renames: Collection[Rename]
) -> ownership.Moved:
    """Give instruments the symbols that a vendor says they carried, where no statement says otherwise.

    Args:
        connection: in a transaction.
        wanted: for some instruments all their spans; those of different instruments do not overlap.
        sessions: the calendar.
        renames: the statements.

    Returns:
        what changed; see `ownership.write_spans`.
    """
    if not renames:
        return ownership.write_spans(connection, wanted, sessions)
    known = read_spans(connection)
    carriers = laid_over(known | dict(plan_moves(known, wanted).spans), renames)
    concerned = set(wanted) | {instrument_id for instrument_id in carriers.touched if instrument_id >= 0}
    spans = {
        instrument_id: carriers.spans[instrument_id]
        for instrument_id in concerned
        if carriers.spans[instrument_id]
    }
    parts = _parts(connection, known, carriers, concerned, sessions)
    moved = ownership.write_spans(
        connection, spans | parts, sessions, may_empty=(set(spans) | set(parts)) - set(wanted)
    )
    return replace(moved, made=moved.made + len(set(parts) - set(known)))


def _parts(
    connection: Connection,
    known: Mapping[int, Sequence[SymbolSpan]],
    carriers: Carriers,
    concerned: Collection[int],
    sessions: Sessions,
) -> dict[int, list[SymbolSpan]]:
    """Return the spans of the parts that no instrument has, by the instrument that becomes each of them.

    That is the one that carries its last symbol already, unless a statement or vendor concerns that one, too;
    else a new one. A part without any row is left out: nothing but a row makes an instrument.
    """
    parts: dict[int, list[SymbolSpan]] = {}
    for part in (carriers.spans[instrument_id] for instrument_id in sorted(carriers.origin, reverse=True)):
        owners = [
            (instrument_id, owned.shared_with(span))
            for span in part
            for instrument_id, spans in known.items()
            for owned in spans
            if owned.overlaps(span)
        ]
        if not any(
            ownership.has_rows(connection, instrument_id, shared, sessions)
            for instrument_id, shared in owners
        ):
            continue
        heirs = [
            instrument_id
            for instrument_id, shared in owners
            if instrument_id not in concerned
            and instrument_id not in parts
            and shared.symbol == part[-1].symbol
        ]
        parts[heirs[0] if heirs else ownership.make_instruments(connection, 1)[0]] = part
    return parts


def moved_notices(moved: ownership.Moved) -> tuple[str, ...]:
    """Return what a person should know about a change of who carried what."""
    if not (moved.changed or moved.made):
        return ()
    notice = (
        f"{moved.made:,} instruments made, the symbols of {moved.changed:,} changed, "
        f"{moved.bars:,} daily bars moved to the instrument they belong to"
    )
    return (notice,)
