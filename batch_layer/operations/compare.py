"""Compare the daily bars of two providers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from condvest.batch_layer.database.stores.identity.symbols import symbols_by_instrument
from condvest.batch_layer.fetching.comparison import answered, compared
from condvest.batch_layer.operations.workspace import Workspace
from condvest.batch_layer.shared.models.bars import DailyBars
from condvest.batch_layer.shared.models.spans import Spans


def compare_providers(workspace: Workspace, left: str, right: str, tolerance: float) -> pa.Table:
    """Return where two providers' daily bars differ, over the sessions and instruments that both gave.

    Columns: symbol, session (date32), field, and one column a provider (float64, null where it has no bar);
    by symbol, session and field. ``missing`` is a bar that one of them lacks between its first and last
    bar of the instrument.

    Raises:
        UsageError: nothing of a provider was ever loaded.
    """
    loader = workspace.loader(workspace.sessions)
    ours, theirs = answered(loader, left), answered(loader, right)
    differences = compared(*_common(ours, theirs), tolerance)
    with workspace.database.transaction(read_only=True) as connection:
        names = symbols_by_instrument(connection)
    table = pa.table(
        {
            "symbol": pa.array(
                [names.get(instrument, str(instrument)) for instrument in differences.instrument_id.tolist()],
                pa.string(),
            ),
            "session": pa.array(workspace.sessions.dates_of(differences.ordinal), pa.date32()),
            "field": pa.array(differences.field.tolist(), pa.string()),
            left: pa.array(differences.left, pa.float64(), mask=np.isnan(differences.left)),
            right: pa.array(differences.right, pa.float64(), mask=np.isnan(differences.right)),
        }
    )
    return table.sort_by([("symbol", "ascending"), ("session", "ascending"), ("field", "ascending")])


def _common(left: DailyBars, right: DailyBars) -> tuple[DailyBars, DailyBars]:
    """Return the bars of the instruments and sessions that both could have given."""
    spans = [_extent(bars) for bars in (left, right)]

    def within(bars: DailyBars) -> DailyBars:
        inside = [span.contain(bars.instrument_id, bars.ordinal) for span in spans]
        return bars.take(inside[0] & inside[1])

    return within(left), within(right)


def _extent(bars: DailyBars) -> Spans:
    ids, first = np.unique(bars.instrument_id, return_index=True)
    last = np.append(first[1:], len(bars)) - 1
    return Spans(ids.astype(np.int32), bars.ordinal[first], bars.ordinal[last])
