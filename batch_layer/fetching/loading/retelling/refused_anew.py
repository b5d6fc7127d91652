"""Refuse rows that are nobody's now, or contradict another of their instrument, and others no longer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from condvest.batch_layer.database.stores.daily.refused import record_refused
from condvest.batch_layer.database.stores.loading import told_loads
from condvest.batch_layer.database.stores.loading.told_loads import ToldLoad
from condvest.batch_layer.fetching.loading.carriers import OF_ANOTHER
from condvest.batch_layer.fetching.loading.retelling.answers import Lines
from condvest.batch_layer.fetching.loading.retelling.histories import Histories
from condvest.batch_layer.fetching.loading.transaction import NO_HOME, PayloadLoad
from condvest.batch_layer.shared.models.bars import Bools, Int64s

_REASONS = {
    NO_HOME: f"nobody carried the symbol then, or took it later; or {OF_ANOTHER}",
    "conflicting_duplicate": "given more than once, differently, under two symbols of one instrument",
    "taken_back": "an import took it back",
}


def refuse_anew(
    load: PayloadLoad,
    other: ToldLoad,
    histories: Histories,
    keys: Int64s,
    homeless: Collection[tuple[str, dt.date]],
) -> int:
    """Keep the rows that a load would refuse now for whose they are, and no longer those that it would not.

    Args:
        load: within the transaction.
        other: the load; its answer is among those of ``histories``.
        histories: of ``keys``.
        keys: int64, of which it is decided anew.
        homeless: symbol and date of rows that were of an instrument and are nobody's.

    Returns:
        how many rows more the load refuses; below 0 if it refuses fewer.
    """
    lines = histories.answers[other.load_id].lines
    rows = lines.judged.parsed.rows
    is_asked = np.isin(lines.key, keys)
    if homeless:
        named = zip(rows.symbol.tolist(), rows.dates().tolist(), strict=True)
        is_asked |= (lines.key == 0) & np.array([each in homeless for each in named], dtype=bool)
    is_asked &= lines.passed
    codes = _codes(lines, histories.kept_from.get(other.load_id, keys[:0]))
    if other.taken_back_by is not None:  # of one that was taken back nothing waits
        codes = {row: "taken_back" if code == NO_HOME else code for row, code in codes.items()}
    before = told_loads.codes_of_lines(load.connection, other.load_id, rows.line[is_asked])
    now = {int(rows.line[row]): codes[row] for row in np.flatnonzero(is_asked).tolist() if row in codes}
    free = [line for line in before if before[line] != now.get(line)]
    told_loads.refuse_no_more(load.connection, other.load_id, np.array(free, dtype=np.int64))
    new = {line for line in now if before.get(line) != now[line]}
    _record(load, other, lines, codes, np.isin(rows.line, np.array(sorted(new), dtype=np.int64)))
    return len(new) - len(free)


def _codes(lines: Lines, kept_from: Int64s) -> dict[int, str]:
    """Return why rows that pass every other rule are refused, by position."""
    masks = {
        NO_HOME: lines.passed & (lines.key == 0),
        "conflicting_duplicate": lines.contradicts,
        "taken_back": lines.counts & np.isin(lines.key, kept_from),
    }
    return {row: code for code, mask in masks.items() for row in np.flatnonzero(mask).tolist()}


def _record(load: PayloadLoad, other: ToldLoad, lines: Lines, codes: dict[int, str], chosen: Bools) -> None:
    if not chosen.any():
        return
    judged, rows = lines.judged, lines.judged.parsed.rows
    verdict = replace(judged.verdict, code=np.zeros(len(rows), dtype=np.int8), reasons={})
    for code, reason in _REASONS.items():
        mask = chosen & np.array([codes.get(row) == code for row in range(len(rows))], dtype=bool)
        reasons = {
            row: f"{rows.symbol[row]} {rows.dates()[row]}: {reason}" for row in np.flatnonzero(mask).tolist()
        }
        verdict = verdict.refusing(mask, code, reasons)
    own = replace(load, payload=judged.payload, whole=judged.whole, parsed=judged.parsed, verdict=verdict)
    record_refused(load.connection, other.load_id, own.refused_rows())
