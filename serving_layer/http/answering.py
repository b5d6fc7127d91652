"""From a question to the bytes of its answer: versions, pages, formats, and a cache of what was answered.

An answer is computed once per version of the data. What is asked again is found by its version, so nothing
stale can be found; and a client that has the answer already is told so before anything is read.
"""

from __future__ import annotations

import difflib
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version as version_of
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
from pydantic import ValidationError

from serving_layer.contract import PAGE, Common
from serving_layer.formats import SMALLEST, Format, compressed, content_coding, negotiated
from serving_layer.http.backends import Backend, State
from serving_layer.http.endpoints import Endpoint
from serving_layer.http.problems import BadRequest, Gone
from serving_layer.versions import Cursor, digest_of, entity_tag, matches

PROGRAM = version_of("condvest")

REVALIDATE = "private, no-cache"
"""An answer may be kept, and has to be asked about before it is used: a 304 costs next to nothing."""

LARGEST_CACHE = 64 << 20
"""Bytes of answers that are kept; the least recently used go first."""

_TRIES = 3

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Reply:
    """What goes to the client."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class _Kept:
    """Bytes-bounded answers by key, and a lock per key while one is computed."""

    largest: int
    bytes: int = 0
    values: OrderedDict[object, tuple[Any, int]] = field(default_factory=OrderedDict)
    under_way: dict[object, threading.Lock] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: object, make: Callable[[], Any], size: Callable[[Any], int]) -> Any:  # noqa: ANN401  # holds any
        """Return the value of a key; of several that ask at once, one makes it."""
        with self.lock:
            if key in self.values:
                self.values.move_to_end(key)
                return self.values[key][0]
            turn = self.under_way.setdefault(key, threading.Lock())
        with turn:
            with self.lock:
                if key in self.values:
                    return self.values[key][0]
            try:
                value = make()
            finally:
                with self.lock:
                    self.under_way.pop(key, None)
            self._put(key, value, size(value))
            return value

    def _put(self, key: object, value: object, size: int) -> None:
        with self.lock:
            if size > self.largest:
                return
            self.values[key] = (value, size)
            self.bytes += size
            while self.bytes > self.largest:
                _, (_, freed) = self.values.popitem(last=False)
                self.bytes -= freed


class Answering:
    """Answers questions from one backend. Its methods may be called from several threads at once."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._tables = _Kept(LARGEST_CACHE)
        self._bodies = _Kept(LARGEST_CACHE)

    def reply(self, endpoint: Endpoint, pairs: Pairs, headers: Mapping[str, str]) -> Reply:
        """Answer one request.

        Args:
            endpoint: which one was asked.
            pairs: the query's parameters, as they came.
            headers: of the request, names in lower case.

        Raises:
            CondvestError: see `serving_layer.http.problems`.
        """
        query = parsed(endpoint.model, pairs)
        chosen = negotiated(query.format, headers.get("accept"))
        coding = content_coding(headers.get("accept-encoding"), chosen)
        asked = query.model_dump(
            mode="json", exclude={"format", "columns", "limit", "cursor"}, exclude_none=True
        )
        digest = digest_of(endpoint.path, asked)
        state = self.backend.state()
        cursor = Cursor.decoded(query.cursor, digest) if query.cursor else None
        version = cursor.version if cursor else state.version
        form = (PROGRAM, chosen.name, coding, query.columns or "", str(query.limit), query.cursor or "")
        tag = entity_tag(version, digest, *form)
        headers_of = {"Vary": "Accept, Accept-Encoding, Origin, Authorization", "Cache-Control": REVALIDATE}
        if matches(headers.get("if-none-match"), tag):
            return Reply(304, headers_of | {"ETag": tag, "Condvest-Version": version})

        def make() -> tuple[bytes, dict[str, str], str]:
            return self._body(endpoint, query, chosen, coding, digest, state, cursor)

        body, more, version = self._bodies.get(tag, make, lambda made: len(made[0]))
        if version:
            headers_of |= {"ETag": entity_tag(version, digest, *form), "Condvest-Version": version}
        else:
            headers_of["Cache-Control"] = "no-store"
        return Reply(200, headers_of | more, body)

    def _body(
        self,
        endpoint: Endpoint,
        query: Common,
        chosen: Format,
        coding: str,
        digest: str,
        state: State,
        cursor: Cursor | None,
    ) -> tuple[bytes, dict[str, str], str]:
        """Return the bytes of an answer, its headers, and its version ("" if it belongs to none)."""
        table, read = self._table(endpoint, query, digest, state, cursor)
        first = cursor.row if cursor else 0
        limit = query.limit or (PAGE if chosen.is_paged else len(table))
        page = _columns(table.slice(first, limit), query.columns)
        beside: dict[str, Any] = {"version": read.version or None}
        if endpoint.path == "/v1/bars":
            beside["loaded_through"] = self.backend.loaded_through()
        headers = {"Condvest-Rows": str(len(page))}
        if first + limit < len(table):
            following = Cursor(read.version, read.load, _identity(table), digest, first + limit)
            url = _url(endpoint, query, following)
            headers["Link"] = f'<{url}>; rel="next"'
            beside["next"] = url
        elif chosen.is_paged:
            beside["next"] = None
        content = chosen.encode(page, beside)
        if coding and len(content) >= SMALLEST:
            content = compressed(content, coding)
            headers["Content-Encoding"] = coding
        return content, headers | {"Content-Type": chosen.media_type}, read.version

    def _table(
        self, endpoint: Endpoint, query: Common, digest: str, state: State, cursor: Cursor | None
    ) -> tuple[pa.Table, State]:
        """Return the whole answer, and the state of the data that it was made from."""
        if cursor is None or cursor.version == state.version:
            found: tuple[pa.Table, State] = self._tables.get(
                (state.version, digest), lambda: self._read(endpoint, query), _size
            )
            return found
        if not endpoint.can_look_back:
            raise Gone("the data have changed since the first page; ask for the first page again")

        def look_back() -> tuple[pa.Table, State]:
            table, _ = endpoint.read(self.backend, query, cursor.load)
            return table, State(cursor.version, cursor.load)

        found = self._tables.get((cursor.version, digest), look_back, _size)
        if _identity(found[0]) != cursor.identity:
            raise Gone(
                "instruments were renamed or joined since the first page, which is known only as of now; "
                "ask for the first page again"
            )
        return found

    def _read(self, endpoint: Endpoint, query: Common) -> tuple[pa.Table, State]:
        """Read the present state.

        What is read in one transaction tells its state itself. Of the rest the state is known if it was the
        same before and after; where the data do not stay long enough, the answer has no version, so that it
        is never taken for another one's.
        """
        before = self.backend.state()
        for _ in range(_TRIES):
            table, state = endpoint.read(self.backend, query, None)
            if state is not None:
                return table, state
            after = self.backend.state()
            if after == before:
                return table, after
            before = after
        return table, State("", before.load)


def _size(found: tuple[pa.Table, State]) -> int:
    size: int = found[0].nbytes
    return size


def parsed(model: type[Common], pairs: Pairs) -> Any:  # noqa: ANN401  # an instance of the model
    """Return the question of a query's parameters.

    Raises:
        BadRequest: a parameter is unknown, empty, given twice, or has a value that it cannot have.
    """
    known = model.model_fields
    for name, count in Counter(name for name, _ in pairs).items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            hint = f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(known)}"
            raise BadRequest(f"unknown parameter {name!r}{hint}", name, near)
        if count > 1 and not (name == "symbol" and known[name].annotation == list[str]):
            raise BadRequest(f"{name} is given {count} times; give it once", name)
    values: dict[str, Any] = {}
    for name, value in pairs:
        if not value:
            raise BadRequest(f"{name} is empty; leave it out, or give it a value", name)
        if known[name].annotation == list[str]:
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "the question"
        given = f" {values[name]!r}" if name in values else ""
        raise BadRequest(f"{name}{given}: {first['msg']}", name) from error


def _columns(table: pa.Table, wanted: str | None) -> pa.Table:
    """Return the columns asked for, in the table's order."""
    if wanted is None:
        return table
    names = wanted.split(",")
    for name in names:
        if name not in table.column_names:
            near = difflib.get_close_matches(name, table.column_names, n=3)
            raise BadRequest(
                f"columns: no column {name!r}; there are {', '.join(table.column_names)}", "columns", near
            )
    return table.select([name for name in table.column_names if name in names])


def _identity(table: pa.Table) -> str:
    """Return a digest of the symbols of an answer."""
    symbols = table["symbol"].unique().to_pylist() if "symbol" in table.column_names else []
    return digest_of("symbols", {"symbols": symbols})


def _url(endpoint: Endpoint, query: Common, cursor: Cursor) -> str:
    """Return the path and query of the next page."""
    asked = query.model_dump(mode="json", exclude={"cursor"}, exclude_defaults=True)
    pairs = [
        (name, value)
        for name, values in asked.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    pairs = [(name, str(value).lower() if isinstance(value, bool) else value) for name, value in pairs]
    return f"{endpoint.path}?{urlencode([*pairs, ('cursor', cursor.encoded())])}"
