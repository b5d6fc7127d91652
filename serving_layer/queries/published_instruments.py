"""The instruments of a published data set, without the database."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from condvest.batch_layer.shared.errors import UsageError
from condvest.batch_layer.shared.models.loads import EVERY_LOAD
from condvest.batch_layer.shared.published.tables import to_numpy
from condvest.serving_layer.queries.instruments import instruments_table
from condvest.serving_layer.sources.published import PublishedSource
from condvest.serving_layer.sources.published_past import PublishedPast, as_known


def published_instruments(
    source: PublishedSource, as_of: dt.datetime | None = None, *, active: bool | None = None
) -> pa.Table:
    """Return what `read_instruments` does of a published version that has ``instrument_fields``.

    Args:
        source: the version.
        as_of: an aware datetime: what was known then; now if None.
        active: only listed ones if True, only delisted ones if False.

    Raises:
        UsageError: an earlier version of Condvest published it, without history or what is known of
            instruments.
    """
    if "instrument_fields" not in source.manifest.files:
        raise UsageError(
            f"version {source.version} of what is published does not tell what is known of instruments: an "
            "earlier version of Condvest made it; run condvest publish, or ask the database"
        )
    then = as_known(source, as_of)
    known_by = then.known_by if isinstance(then, PublishedPast) else EVERY_LOAD
    table = source.small("instrument_fields")
    if known_by == EVERY_LOAD:
        counts = pc.is_null(table["superseded_by"])
    else:
        since = pc.fill_null(pc.greater(table["superseded_by"], known_by), fill_value=True)
        counts = pc.and_(pc.less_equal(table["load_id"], known_by), since)
    fields: defaultdict[int, dict[str, str]] = defaultdict(dict)
    chosen = table.filter(counts)
    for instrument_id, field, value in zip(
        *(chosen[name].to_pylist() for name in ("instrument_id", "field", "value")), strict=True
    ):
        fields[instrument_id][field] = value
    ids = np.unique(to_numpy(source.small("symbols")["instrument_id"]))
    return instruments_table(
        fields, source.last_symbols(ids), then.listed(ids), source.sessions, active=active
    )
