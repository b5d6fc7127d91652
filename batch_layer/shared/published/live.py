"""``live.parquet`` beside the manifest: the rows of the session under way, as a collector knows them. Pure.

It belongs to no version: a collector writes it anew about once a minute, whole, and readers of whatever
version is current join it by the rule of `condvest.batch_layer.shared.core.live`. So an official bar takes
the live one's place with the version that publishes it, and a file that nobody writes any more says nothing
that counts.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from condvest.batch_layer.shared.errors import PublishedError, PublishedFormat
from condvest.batch_layer.shared.models.live import LiveBars
from condvest.batch_layer.shared.models.sessions import Sessions
from condvest.batch_layer.shared.published.tables import PRICES, to_numpy
from condvest.batch_layer.shared.utils.arrow import table_of

LIVE = "live.parquet"
"""Its path, beside ``manifest.json``."""

FORMAT = "1"
"""Of this layout; a reader refuses any other."""

_DATABASE, _FORMAT = b"condvest.database", b"condvest.format"

SCHEMA = pa.schema(
    [
        pa.field("instrument_id", pa.int32(), nullable=False),
        pa.field("ordinal", pa.int32(), nullable=False),
        pa.field("session", pa.date32(), nullable=False),
        *(field for field in PRICES if field.name != "trades"),  # which no feed tells while it runs
        pa.field("data_through", pa.timestamp("us", "UTC"), nullable=False),
    ]
)
"""Its columns, ascending by the first two; those of `LiveBars`, and the date of the session."""


@dataclass(frozen=True, eq=False)
class LiveFile:
    """What the file says.

    Attributes:
        database: whose rows these are, as the manifest names it.
        session: datetime64[D] per row, the date of its session.
        bars: the rows, counting or not.
    """

    database: str
    session: npt.NDArray[np.datetime64]
    bars: LiveBars


def to_parquet(bars: LiveBars, sessions: Sessions, database: str) -> bytes:
    """Return the file that says these rows of a database, whose calendar is given."""
    columns = dict(vars(bars)) | {"session": sessions.dates_of(bars.ordinal)}
    columns["data_through"] = bars.data_through.astype("datetime64[us]")
    for name in ("open", "vwap"):
        columns[name] = pa.array(columns[name], mask=np.isnan(columns[name]))
    table = table_of(columns, SCHEMA).replace_schema_metadata(
        {_DATABASE: database.encode(), _FORMAT: FORMAT.encode()}
    )
    written = io.BytesIO()
    pq.write_table(table, written, compression="zstd")
    return written.getvalue()


def from_parquet(content: bytes, name: str) -> LiveFile:
    """Return what a file says; errors name the target ``name``.

    Raises:
        PublishedFormat: it has another format.
        PublishedError: it is damaged.
    """
    try:
        table = pq.read_table(pa.BufferReader(content), use_threads=False)
        metadata = table.schema.metadata or {}
        layout = metadata.get(_FORMAT, b"").decode()
        if layout != FORMAT:
            raise PublishedFormat(
                f"{LIVE} in {name} has format {layout!r}, and this version of Condvest reads format "
                f"{FORMAT}: use the version that wrote it"
            )
        if table.schema.remove_metadata() != SCHEMA:
            raise PublishedError(f"{LIVE} in {name} has other columns than expected: {table.schema.names}")
        columns = {field.name: to_numpy(table[field.name]) for field in SCHEMA}
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise PublishedError(
            f"{LIVE} in {name} is damaged ({error}); the next minute of condvest live run writes it anew"
        ) from error
    session = columns.pop("session").astype("datetime64[D]")
    columns["data_through"] = columns["data_through"].astype("datetime64[us]").astype(np.int64)
    return LiveFile(metadata.get(_DATABASE, b"").decode(), session, LiveBars(**columns))
