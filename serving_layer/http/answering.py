"""From a question to the bytes of its answer: parameters, versions, pages, formats."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from condvest.serving_layer.contract import LARGEST_PAGE, PAGE, Common
from condvest.serving_layer.formats import Format, content_coding, negotiated
from condvest.serving_layer.http.backends import Backend
from condvest.serving_layer.http.calls import encoded
from condvest.serving_layer.http.endpoints import Endpoint
from condvest.serving_layer.http.problems import BadRequest, Busy, Gone
from condvest.serving_layer.http.replying import LARGEST_CACHE, Asked, Made, Pairs, Replies, Reply
from condvest.serving_layer.http.reports import LARGEST
from condvest.serving_layer.http.settling import settled
from condvest.serving_layer.http.states import State
from condvest.serving_layer.kept import Kept
from condvest.serving_layer.queries.size import TooLarge
from condvest.serving_layer.versions import Cursor, digest_of


@dataclass(frozen=True)
class _Question:
    """A question, what answers it, and which page of the answer is wanted, and how."""

    endpoint: Endpoint
    query: Common
    digest: str
    backend: Backend
    state: State
    cursor: Cursor | None = None
    is_post: bool = False


class Answering:
    """Answers questions from one backend. Its methods may be called from several threads at once."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._tables: Kept[tuple[pa.Table, State]] = Kept(LARGEST_CACHE)
        self.replies = Replies()

    def reply(
        self, endpoint: Endpoint, pairs: Pairs, headers: Mapping[str, str], *, is_post: bool = False
    ) -> Reply:
        """Answer one request.

        Args:
            endpoint: which one was asked.
            pairs: the query's parameters, as they came.
            headers: of the request, names in lower case.
            is_post: whether the parameters came as a body. Such an answer says its next page as a cursor for
                the next body, and is not for caches, which know no bodies: it has no tag.

        Raises:
            CondvestError: see `condvest.serving_layer.http.problems`.
        """
        query: Common = parsed(endpoint.model, pairs)
        chosen = negotiated(query.format, headers.get("accept"))
        coding = content_coding(headers.get("accept-encoding"), chosen)
        digest = _digest(endpoint, query)
        cursor = Cursor.decoded(query.cursor, digest) if query.cursor else None
        backend = self._backend_for(query, cursor)
        state = backend.state(live=query.is_live)
        version = cursor.version if cursor else state.version
        way = "POST" if is_post else "GET"
        form = (way, chosen.name, query.columns or "", str(query.limit), query.cursor or "")
        has = None if is_post else headers.get("if-none-match")
        asked = Asked(version, digest, form, coding, has, query.version is not None)
        question = _Question(endpoint, query, digest, backend, state, cursor, is_post)
        reply = self.replies.reply(asked, lambda: self._made(question, chosen))
        if is_post:
            return _untagged(reply)
        # A page of an earlier version has a tag of that version, and no other.
        return replace(reply, asked=None) if cursor else reply

    def _backend_for(self, query: Common, cursor: Cursor | None) -> Backend:
        """Return what answers a question: the data as they are now, or the version that it belongs to."""
        if query.version is not None:
            return self.backend.at(query.version)
        if cursor is None or self.backend.has_database or query.is_live:
            return self.backend  # of which live rows a page was, no version keeps
        if not cursor.version.startswith("p-"):
            raise Gone("the cursor belongs to a database; ask for the first page again")
        return self.backend.at(cursor.version)

    def table(self, endpoint: Endpoint, pairs: Pairs) -> tuple[pa.Table, str]:
        """Return the whole answer to a question, and the version it was made from; raises as `reply`."""
        query: Common = parsed(endpoint.model, pairs)
        backend = self._backend_for(query, None)
        state = backend.state(live=query.is_live)
        table, read = self._table(_Question(endpoint, query, _digest(endpoint, query), backend, state))
        return table, read.version

    def _made(self, question: _Question, chosen: Format) -> Made:
        table, read = self._table(question)
        endpoint, query, cursor = question.endpoint, question.query, question.cursor
        first = cursor.row if cursor else 0
        limit = query.limit or (PAGE if chosen.is_paged else len(table))
        page = _columns(table.slice(first, limit), query.columns)
        if page.nbytes > LARGEST.answer:
            raise TooLarge(
                f"the answer would hold {len(page)} rows of {page.nbytes >> 20} MiB; this server gives at "
                f"most {LARGEST.answer >> 20} MiB at once. Ask for fewer symbols, columns or sessions, or "
                f"for pages (limit={LARGEST_PAGE})"
            )
        beside: dict[str, Any] = {"version": read.version or None}
        if endpoint.path == "/v1/bars":
            beside["loaded_through"] = read.loaded_through
        headers = {"Condvest-Rows": str(len(page))}
        if chosen.name == "csv":  # so that a browser saves it, and shows nothing of it
            headers["Content-Disposition"] = f'attachment; filename="{endpoint.path.rpartition("/")[2]}.csv"'
        if first + limit < len(table) and not read.version:
            raise Busy("the data change while they are read, so no second page could follow; ask again")
        if first + limit < len(table):
            following = Cursor(read.version, read.load, _identity(table), question.digest, first + limit)
            if question.is_post:
                beside["cursor"] = headers["Condvest-Cursor"] = following.encoded()
            else:
                beside["next"] = _url(endpoint, query, following)
                headers["Link"] = f'<{beside["next"]}>; rel="next"'
        elif chosen.is_paged:
            beside["cursor" if question.is_post else "next"] = None
        content = encoded(lambda: chosen.encode(page, beside))
        return Made(content, read.version, chosen.media_type, headers)

    def _table(self, question: _Question) -> tuple[pa.Table, State]:
        """Return the whole answer, and the state of the data that it was made from."""
        endpoint, query, digest = question.endpoint, question.query, question.digest
        backend, state, cursor = question.backend, question.state, question.cursor
        if cursor is None or cursor.version == state.version:
            answer = self._tables.get(
                (state.version, digest),
                lambda: settled(
                    backend, state, lambda: endpoint.read(backend, query, None), live=query.is_live
                ),
                _size,
                lambda made: made[1].version == state.version,
            )
            # The data may have moved on since the state was asked: a later page does not go along.
            if cursor is None or answer[1].version == cursor.version:
                return answer
        if not (endpoint.can_look_back and backend.has_database):
            raise Gone("the data have changed since the first page; ask for the first page again")
        if State(cursor.version, cursor.load).origin != state.origin or cursor.load > state.load:
            raise Gone("the cursor belongs to another database; ask for the first page again")

        def look_back() -> tuple[pa.Table, State]:
            table, read = endpoint.read(backend, query, cursor.load)
            through = read.loaded_through if read is not None else {}
            return table, State(cursor.version, cursor.load, through)

        answer = self._tables.get(("back", cursor.version, cursor.load, digest), look_back, _size)
        if _identity(answer[0]) != cursor.identity:
            raise Gone(
                "instruments were renamed or joined since the first page, which is known only as of now; "
                "ask for the first page again"
            )
        return answer


def _untagged(reply: Reply) -> Reply:
    """Return an answer as it is sent to who asked by a body: no cache keeps it."""
    headers = {name: value for name, value in reply.headers.items() if name != "ETag"}
    return Reply(reply.status, headers | {"Cache-Control": "no-store"}, reply.body)


def _digest(endpoint: Endpoint, query: Common) -> str:
    """Return a digest of what is asked, in whatever form it is to be answered."""
    beside = {"format", "columns", "limit", "cursor"}
    return digest_of(endpoint.path, query.model_dump(mode="json", exclude=beside, exclude_none=True))


def _size(answer: tuple[pa.Table, State]) -> int:
    size: int = answer[0].nbytes
    return size


def parsed(model: type[BaseModel], pairs: Pairs) -> Any:  # noqa: ANN401  # an instance of the model
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
        said = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:  # of several together; it begins with the name of one
            raise BadRequest(said, said.partition(":")[0]) from error
        name = str(first["loc"][0])
        given = f" {values[name]!r}" if name in values else ""
        raise BadRequest(f"{name}{given}: {said}", name) from error


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
