"""The columns of rows that lie in a table of current rows and one of revisions, read the cheapest way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from psycopg import sql

from condvest.batch_layer.database.postgres.binary_copy import Column, empty, select_list
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.reading import range_read
from condvest.batch_layer.database.postgres.reading.each_span import read_each_span
from condvest.batch_layer.database.postgres.reading.packed import read_pages
from condvest.batch_layer.shared.models.loads import EVERY_LOAD
from condvest.batch_layer.shared.models.spans import Spans


@dataclass(frozen=True)
class RevisionedColumns:
    """A table of current rows, and the one of its revisions.

    Attributes:
        name, revisions: the table of current rows, and that of superseded ones.
        columns: the columns of both; the first two are the key.
        number: the key's second column as an int4: itself, or days since 1970-01-01.
        divided: into how many tables by instrument_id modulo that number it is divided; 1 if it is not.
    """

    name: str
    revisions: str
    columns: tuple[Column, ...]
    number: sql.SQL
    divided: int = 1

    def read_columns(
        self, connection: Connection, columns: tuple[Column, ...], spans: Spans, known_by: int
    ) -> dict[str, Any]:
        """Return the columns of the rows within the spans by the cheapest of three queries.

        Example: daily bars of the instruments 1 to 12,000 for the ordinals 15,600 to 15,603.

        ================  ============================================================
        `range_read`      every row BETWEEN 15600 AND 15603; rows outside spans dropped
        `_read_spans`     instrument 1 BETWEEN 15600 AND 15603, instrument 2 ..., by key
        `_read_known_by`  the same by key, from current rows and revisions together
        ================  ============================================================
        """
        if not len(spans):
            return {column.name: empty(column, 0) for column in columns}
        if known_by != EVERY_LOAD:
            return self._read_known_by(connection, columns, spans, known_by)
        if range_read.may_be_range(spans):
            parts = np.unique(spans.instrument_id % self.divided).tolist()
            queries = [self._range_query(columns, spans, part) for part in parts]
            # Of splits and dividends the spans have all days of all years, and few of them a row.
            inside, in_range = (spans.size(), range_read.most_rows(spans)) if self.divided > 1 else (0, 0)
            if range_read.is_cheaper(connection, queries, len(spans), inside):
                return range_read.read(connection, queries, columns, spans, in_range // self.divided)
        return self._read_spans(connection, columns, spans)

    def _read_spans(
        self, connection: Connection, columns: tuple[Column, ...], spans: Spans
    ) -> dict[str, Any]:
        """Read each span of current rows by one range of the key."""
        return self._read_each_span(connection, _CURRENT_ROWS, columns, spans, {})

    def _read_known_by(
        self, connection: Connection, columns: tuple[Column, ...], spans: Spans, known_by: int
    ) -> dict[str, Any]:
        """Read each span as it was known when load ``known_by`` had been stored.

        Example: load 5 stored a close of 10 and load 9 corrected it to 11. The current row (11, load 9) and
        the revision (10, load 5, superseded by 9) give 10 for ``known_by`` 5 to 8, and 11 from 9 on.
        """
        return self._read_each_span(connection, _ROWS_KNOWN_BY, columns, spans, {"known_by": known_by})

    def _read_each_span(
        self,
        connection: Connection,
        rows_of_span: sql.SQL,
        columns: tuple[Column, ...],
        spans: Spans,
        parameters: dict[str, int],
    ) -> dict[str, Any]:
        rows = rows_of_span.format(
            names=sql.SQL(", ").join(sql.Identifier(column.name) for column in columns),
            table=sql.Identifier(self.name),
            revisions=sql.Identifier(self.revisions),
            inside=_INSIDE.format(number=self.number),
            same_part=self.same_part("span"),
        )
        return read_each_span(connection, self.name, rows, columns, spans, parameters)

    def _range_query(self, columns: tuple[Column, ...], spans: Spans, part: int) -> sql.Composed:
        """Return the query of every row of a part between the first and the last ordinal of all spans."""
        return sql.SQL(
            "SELECT {columns} FROM {table} WHERE {number} BETWEEN {first} AND {last} "
            "AND instrument_id % {divided} = {part}"
        ).format(
            columns=select_list(columns, self.name),
            table=sql.Identifier(self.name),
            number=self.number,
            first=sql.Literal(int(spans.first.min())),
            last=sql.Literal(int(spans.last.max())),
            divided=sql.Literal(self.divided),
            part=sql.Literal(part),
        )

    def read_columns_of_part(
        self, connection: Connection, columns: tuple[Column, ...], parts: int, part: int
    ) -> dict[str, Any]:
        """Return the columns of the rows of a part, in the order in which they lie.

        A part is the instruments whose id modulo ``parts``, a multiple of ``divided``, is ``part``.
        """
        chosen = sql.SQL(
            "{table}.instrument_id % {divided} = {remainder} AND {table}.instrument_id % {parts} = {part}"
        ).format(
            table=sql.Identifier(self.name),
            divided=sql.Literal(self.divided),
            remainder=sql.Literal(part % self.divided),
            parts=sql.Literal(parts),
            part=sql.Literal(part),
        )
        return read_pages(connection, self.name, columns, chosen)

    def same_part(self, other: str) -> sql.Composable:
        """Return the condition by which PostgreSQL looks for the rows of ``other`` into one table each.

        ``other`` names what has the instrument_id beside this table. The condition always holds.
        """
        if self.divided == 1:
            return sql.SQL("true")
        return sql.SQL("{table}.instrument_id %% {divided} = {other}.instrument_id %% {divided}").format(
            table=sql.Identifier(self.name), divided=sql.Literal(self.divided), other=sql.Identifier(other)
        )


_INSIDE = sql.SQL("instrument_id = span.instrument_id AND {number} BETWEEN span.first AND span.last")
_CURRENT_ROWS = sql.SQL("SELECT {names} FROM {table} WHERE {inside} AND {same_part}")
_ROWS_KNOWN_BY = sql.SQL(
    "SELECT {names} FROM {table} WHERE {inside} AND {same_part} AND load_id <= %(known_by)s "
    "UNION ALL "
    "SELECT {names} FROM {revisions} WHERE {inside} "
    "AND load_id <= %(known_by)s AND %(known_by)s < superseded_by"
)
