"""The minute bars of a session, from its journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from condvest.batch_layer.shared.models.bars import Bools
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.speed_layer.core.following import Judge
from condvest.speed_layer.core.minutes import admitted
from condvest.speed_layer.feeds.journal import Journal
from condvest.speed_layer.feeds.massive.massive_minutes import read_frames, read_volumes
from condvest.speed_layer.services.replay import Kept

SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("start", pa.timestamp("us", "UTC")),
        *((name, pa.float64()) for name in ("open", "high", "low", "close", "volume", "vwap")),
        ("volume_so_far", pa.float64()),
    ]
)
"""``volume`` and ``vwap`` are the minute's own; ``volume_so_far`` is that of the date."""

_AT_ONCE = 2000


def minute_bars(
    journal: Journal, runs: Sequence[Kept], sessions: Sessions, ordinal: int, judge: Judge
) -> pa.Table:
    """Return the minutes that came of a session, by symbol and start; see ``SCHEMA``.

    Of a minute that came several times the last counts. A minute that breaks a rule is left out, and so is
    one that never came.

    Args:
        journal: of the session.
        runs: in the order in which they ran.
        sessions: the calendar.
        ordinal: the session.
        judge: the rules of the batch layer.

    Raises:
        ArchiveError: records of a run are gone, or damaged.
    """

    def judged(rows: BarRows, faults: Mapping[int, str]) -> tuple[Bools, Mapping[int, tuple[str, str]]]:
        return judge(rows, faults, sessions, ordinal)

    parts = [SCHEMA.empty_table()]
    for frames, received in _portions(journal, runs):
        read = read_frames(frames, received)
        is_known = np.zeros(len(read.messages), dtype=np.bool_)
        passed, _ = admitted(read.messages, read.faults, sessions.session(ordinal), is_known, judged)
        volume, vwap = read_volumes(frames)
        rows = read.messages.take(passed)
        columns = [rows.open, rows.high, rows.low, rows.close, volume[passed], vwap[passed], rows.volume]
        arrays = [pa.array(rows.symbol, pa.string()), pa.array(rows.start).cast(SCHEMA.field("start").type)]
        arrays += [pa.array(column, from_pandas=True) for column in columns]
        parts.append(pa.table(arrays, schema=SCHEMA))
    return _last_of_each(pa.concat_tables(parts))


def _portions(journal: Journal, runs: Sequence[Kept]) -> Iterator[tuple[list[bytes], list[int]]]:
    for run in runs:
        records = (record for record in journal.records(run.name, run.records) if record.kind == "frame")
        while some := list(islice(records, _AT_ONCE)):
            yield [record.content for record in some], [record.received for record in some]


def _last_of_each(table: pa.Table) -> pa.Table:
    """Return the last row of each symbol and start, in their order."""
    numbered = table.append_column("row", pa.array(np.arange(len(table))))
    keys = [("symbol", "ascending"), ("start", "ascending"), ("row", "ascending")]
    ordered = table.take(pc.sort_indices(numbered, sort_keys=keys))
    if not len(ordered):
        return ordered
    same = pc.and_(*(pc.equal(ordered[name][1:], ordered[name][:-1]) for name in ("symbol", "start")))
    return ordered.filter(pa.chunked_array([*pc.invert(same).chunks, pa.array([True])]))
