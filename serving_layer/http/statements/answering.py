"""From an SQL statement to the bytes of its answer, in any of the formats."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from condvest.serving_layer.contract import SqlQuery
from condvest.serving_layer.formats import SMALLEST, compressed, content_coding, negotiated
from condvest.serving_layer.http.answers.replying import Pairs, Reply
from condvest.serving_layer.http.answers.requests import parsed
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.published.files import current
from condvest.serving_layer.sql.process import SqlProcess


class Statements:
    """Answers SQL statements over what is published. Its methods may be called from several threads."""

    def __init__(self, backend: Backend, process: SqlProcess) -> None:
        self._backend = backend
        self._process = process

    def reply(self, statement: str, pairs: Pairs, headers: Mapping[str, str]) -> Reply:
        """Answer one statement.

        Args:
            statement: one SELECT.
            pairs: the query's parameters, as they came.
            headers: of the request, names in lower case.

        Raises:
            CondvestError: see `condvest.serving_layer.http.answers.problems`.
        """
        query: SqlQuery = parsed(SqlQuery, pairs)
        chosen = negotiated(query.format, headers.get("accept"))
        coding = content_coding(headers.get("accept-encoding"), chosen)
        table, version = self.table(statement)
        content = chosen.encode(table, {"version": version})
        reply_headers = {
            "Content-Type": chosen.media_type,
            "Condvest-Version": version,
            "Condvest-Rows": str(len(table)),
            "Cache-Control": "no-store",
            "Vary": "Accept, Accept-Encoding, Origin, Authorization",
        }
        if coding and len(content) >= SMALLEST:
            content = compressed(content, coding)
            reply_headers["Content-Encoding"] = coding
        return Reply(200, reply_headers, content)

    def table(self, statement: str) -> tuple[pa.Table, str]:
        """Return the rows of one statement, and the version that they were made from; raises as `reply`."""
        current(self._backend)  # nothing published is said as such
        return self._process.ask(statement)

    def close(self) -> None:
        """End the process that runs the statements."""
        self._process.close()
