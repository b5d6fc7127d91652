"""Service: screen the series of daily bars for what looks wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from batch_layer.database import changes_store
from batch_layer.database.connection import Database
from batch_layer.database.keyed_store import DAILY_BARS, SPLITS
from batch_layer.fetching.quality.series import Flagged, flagged
from batch_layer.shared.models.bars import Int32s
from batch_layer.shared.models.sessions import Sessions
from batch_layer.shared.models.spans import always


def screen(
    database: Database,
    sessions: Sessions,
    instrument_id: Int32s | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Flagged:
    """Return every flag of the instruments (all if None), by instrument and ordinal; nothing is altered.

    One partition of the instruments is in memory at a time.
    """
    found = []
    for partition in range(changes_store.PARTITIONS):
        with database.transaction(snapshot=True, read_only=True) as connection:
            spans = changes_store.everything(connection, [partition])
            if instrument_id is not None:
                spans = spans.take(np.isin(spans.instrument_id, instrument_id))
            daily = DAILY_BARS.read(connection, spans)
            splits = SPLITS.read(connection, always(spans.instrument_id)).on(sessions)
        if len(daily):
            found.append(flagged(daily, splits))
        if on_progress is not None:
            on_progress(partition + 1, changes_store.PARTITIONS)
    nothing = flagged(daily.take(slice(0, 0)), splits.take(slice(0, 0)))
    flags = Flagged.concat([nothing, *found])
    return flags.take(np.lexsort((flags.ordinal, flags.instrument_id)))
