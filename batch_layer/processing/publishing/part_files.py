"""Parquet files, a part of a data set a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa

from condvest.batch_layer.shared.published.digests import footer_of

ROW_GROUP = 65_536
"""Rows that are read or left out together: large enough to compress, a few hundred instruments of a year.

Twice as many are read a tenth sooner all together, and a third later one symbol's at a time.
"""

_MOSTLY_DISTINCT = ("volume", "vwap", "trades")
"""Columns that a dictionary makes larger, and slower to read, for their values seldom come twice."""


def write_part(path: Path, rows: pa.Table) -> tuple[str, str]:
    """Write a file and return the SHA-256 of its bytes, and of its footer; the same rows make the same bytes.

    The first two columns are what the rows ascend by.
    """
    # Imported here: a publication with nothing new writes nothing.
    import pyarrow.parquet as pq  # noqa: PLC0415

    pq.write_table(
        rows.combine_chunks(),
        path,
        row_group_size=ROW_GROUP,
        compression="zstd",
        use_dictionary=[name for name in rows.column_names if name not in _MOSTLY_DISTINCT],
        write_page_checksum=True,
        sorting_columns=[pq.SortingColumn(0), pq.SortingColumn(1)],
    )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, hashlib.sha256(footer_of(file)).hexdigest()
