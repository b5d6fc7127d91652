"""Store the daily bars of a large file portion by portion, as one load in one transaction.

A portion holds all rows of some symbols (see `Portions`), so that each is judged, compared and stored by
itself, while the next one is parsed and judged. What a load says of its sessions is summed up over all.
"""

from __future__ import annotations

from contextlib import closing
from itertools import chain

from condvest.batch_layer.database.stores.daily.first_daily_bars import may_begin
from condvest.batch_layer.database.stores.identity import instruments
from condvest.batch_layer.database.stores.loading.ledger import read_ledger
from condvest.batch_layer.fetching.loading.bar_plan import ProviderState
from condvest.batch_layer.fetching.loading.by_portions.portion_sum import Judge, PortionSum, judged_portions
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.shared.models.loads import LoadSummary
from condvest.batch_layer.shared.utils.prefetch import prefetch_batches


def store_portions(load: PayloadLoad, judge: Judge) -> LoadSummary:
    """Store the daily bars of a file that is read in portions; the result is that of storing them together.

    Args:
        load: of a payload that claims no more sessions than its rows are of (``is_whole`` is False).
        judge: decides which rows of a portion may be loaded.

    Raises:
        InputError: a portion is not in the expected format, or too many rows are refused.
    """
    state = ProviderState(
        read_ledger(load.connection, load.provider_id),
        instruments.supplied_by(load.connection, load.provider_id),
    )
    sum_ = PortionSum(load, state, is_first=not load.is_rehearsal and may_begin(load.connection))
    with closing(prefetch_batches(judged_portions(load, judge), 1)) as coming:
        for portion in chain.from_iterable(coming):
            sum_.store(portion)
    return sum_.recorded(judge)
