"""Parquet files that are written row by row as they come, a part a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP = 65_536
"""Rows that are read or left out together: large enough to compress, a few hundred instruments of a year."""


class PartFile:
    """One file under way. The same rows make the same bytes, in whatever portions they come."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        """Begin a file; ``schema``'s first two columns are what the rows ascend by."""
        self.path = path
        self.rows = 0
        self._schema = schema
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            write_page_checksum=True,
            sorting_columns=[pq.SortingColumn(0), pq.SortingColumn(1)],
        )

    def add(self, rows: pa.Table) -> None:
        """Append rows; as soon as there are enough of them they are written."""
        self._waiting.append(rows)
        self._waiting_rows += len(rows)
        self.rows += len(rows)
        if self._waiting_rows >= ROW_GROUP:
            waiting = pa.concat_tables(self._waiting)
            whole = len(waiting) // ROW_GROUP * ROW_GROUP
            for start in range(0, whole, ROW_GROUP):
                self._write(waiting.slice(start, ROW_GROUP))
            self._waiting = [waiting.slice(whole)]
            self._waiting_rows = len(waiting) - whole

    def finish(self) -> str:
        """Write what waits, close the file, and return the SHA-256 of its bytes."""
        if self._waiting_rows:
            self._write(pa.concat_tables(self._waiting))
        self._waiting = []
        self._writer.close()
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows.combine_chunks(), row_group_size=ROW_GROUP)
