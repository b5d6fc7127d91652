"""From a question to the bytes of its answer: parameters, versions, pages, formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from condvest.serving_layer.contract import LARGEST_PAGE, PAGE, Common
from condvest.serving_layer.formats import Format
from condvest.serving_layer.http.answers.endpoints import Endpoint
from condvest.serving_layer.http.answers.paging import beside, columns_of, identity_of, url_of
from condvest.serving_layer.http.answers.problems import Busy, Gone
from condvest.serving_layer.http.answers.replying import LARGEST_CACHE, Made, Pairs, Replies, Reply
from condvest.serving_layer.http.answers.reports import LARGEST
from condvest.serving_layer.http.answers.requests import (
    Request,
    asked_of,
    digest_of_question,
    parsed,
    understood,
)
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.backends.settling import settled
from condvest.serving_layer.http.backends.states import State
from condvest.serving_layer.http.calls import encoded
from condvest.serving_layer.kept import Kept
from condvest.serving_layer.queries.bars.size import TooLarge
from condvest.serving_layer.versions import Cursor


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
            CondvestError: see `condvest.serving_layer.http.answers.problems`.
        """
        request = understood(endpoint, pairs, headers, is_post=is_post)
        query, digest, has = request.query, request.digest, request.has
        cursor = Cursor.decoded(query.cursor, digest) if query.cursor else None
        backend = self._backend_for(query, cursor)
        # Who has no answer yet needs no look at the state before there is one.
        answer = None if has or cursor else endpoint.at_once(backend, query)
        if answer:
            self._tables.put((answer[1].version, digest), answer, _size(answer))
        state = answer[1] if answer else backend.state(live=query.is_live)
        version = cursor.version if cursor else state.version
        asked = asked_of(request, version)
        question = _Question(endpoint, query, digest, backend, state, cursor, is_post)
        reply = self.replies.reply(asked, lambda: self._made(question, request.chosen))
        if is_post:
            return _untagged(reply)
        # What stands before this looks up the server's own version: a page of an earlier one, and an answer
        # from the other source, are found here alone.
        is_own = cursor is None and (backend.has_database is self.backend.has_database or asked.is_pinned)
        return reply if is_own else replace(reply, asked=None)

    def reply_with(self, request: Request, answer: tuple[pa.Table, State]) -> Reply:
        """Answer a request that `is_of_now` with its answer, which is kept; it waits for nothing.

        The answer is one symbol's stored bars, so that nobody has to ask whether it is too large.
        """
        table, state = answer
        self._tables.put((state.version, request.digest), answer, _size(answer))
        question = _Question(request.endpoint, request.query, request.digest, self.backend, state)
        return self.replies.reply_at_once(
            asked_of(request, state.version),
            lambda: self._page(question, request.chosen, table, state, largest=None),
        )

    def _backend_for(self, query: Common, cursor: Cursor | None) -> Backend:
        """Return what answers a question: the data as they are now, or the version that it belongs to."""
        backend = self.backend if query.source is None else self.backend.of(query.source)
        if query.version is not None:
            return backend.at(query.version)
        if cursor is None or backend.has_database or query.is_live:
            return backend  # of which live rows a page was, no version keeps
        if not cursor.version.startswith("p-"):
            raise Gone("the cursor belongs to a database; ask for the first page again")
        return backend.at(cursor.version)

    def table(self, endpoint: Endpoint, pairs: Pairs) -> tuple[pa.Table, str]:
        """Return the whole answer to a question, and the version it was made from; raises as `reply`."""
        query: Common = parsed(endpoint.model, pairs)
        backend = self._backend_for(query, None)
        state = backend.state(live=query.is_live)
        table, read = self._table(
            _Question(endpoint, query, digest_of_question(endpoint, query), backend, state)
        )
        return table, read.version

    def _made(self, question: _Question, chosen: Format) -> Made:
        table, read = self._table(question)
        return self._page(question, chosen, table, read, largest=LARGEST.answer)

    def _page(
        self, question: _Question, chosen: Format, table: pa.Table, read: State, *, largest: int | None
    ) -> Made:
        """Make the page that is asked for; ``largest`` is None where it is known to be small."""
        endpoint, query, cursor = question.endpoint, question.query, question.cursor
        first = cursor.row if cursor else 0
        limit = query.limit or (PAGE if chosen.is_paged else len(table))
        page = columns_of(table.slice(first, limit), query.columns)
        if largest is not None and page.nbytes > largest:
            raise TooLarge(
                f"the answer would hold {len(page)} rows of {page.nbytes >> 20} MiB; this server gives at "
                f"most {largest >> 20} MiB at once. Ask for fewer symbols, columns or sessions, or "
                f"for pages (limit={LARGEST_PAGE})"
            )
        said: dict[str, Any] = {"version": read.version or None, **beside(query)}
        if endpoint.path == "/v1/bars":
            said["loaded_through"] = read.loaded_through
        headers = {"Condvest-Rows": str(len(page))}
        if said.get("as_of"):
            headers["Condvest-As-Of"] = said["as_of"]
        if chosen.name == "csv":  # so that a browser saves it, and shows nothing of it
            headers["Content-Disposition"] = f'attachment; filename="{endpoint.path.rpartition("/")[2]}.csv"'
        if first + limit < len(table) and not read.version:
            raise Busy("the data change while they are read, so no second page could follow; ask again")
        if first + limit < len(table):
            following = Cursor(read.version, read.load, identity_of(table), question.digest, first + limit)
            if question.is_post:
                said["cursor"] = headers["Condvest-Cursor"] = following.encoded()
            else:
                said["next"] = url_of(endpoint, query, following)
                headers["Link"] = f'<{said["next"]}>; rel="next"'
        elif chosen.is_paged:
            said["cursor" if question.is_post else "next"] = None
        content = encoded(lambda: chosen.encode(page, said))
        return Made(content, read.version, chosen.media_type, headers)

    def _table(self, question: _Question) -> tuple[pa.Table, State]:
        """Return the whole answer, and the state of the data that it was made from."""
        endpoint, query, digest = question.endpoint, question.query, question.digest
        backend, state, cursor = question.backend, question.state, question.cursor
        if cursor is None or cursor.version == state.version:
            answer = self._tables.get(
                (state.version, digest),
                lambda: settled(
                    backend,
                    state,
                    lambda: endpoint.at_once(backend, query) or endpoint.read(backend, query, None),
                    live=query.is_live,
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
            raise Gone(
                "the cursor belongs to another database, or its server was started again meanwhile; ask for "
                "the first page again"
            )

        def look_back() -> tuple[pa.Table, State]:
            table, read = endpoint.read(backend, query, cursor.load)
            through = read.loaded_through if read is not None else {}
            return table, State(cursor.version, cursor.load, through)

        answer = self._tables.get(("back", cursor.version, cursor.load, digest), look_back, _size)
        if identity_of(answer[0]) != cursor.identity:
            raise Gone(
                "instruments were renamed or joined since the first page, which is known only as of now; "
                "ask for the first page again"
            )
        return answer


def _untagged(reply: Reply) -> Reply:
    """Return an answer as it is sent to who asked by a body: no cache keeps it."""
    headers = {name: value for name, value in reply.headers.items() if name != "ETag"}
    return Reply(reply.status, headers | {"Cache-Control": "no-store"}, reply.body)


def _size(answer: tuple[pa.Table, State]) -> int:
    size: int = answer[0].get_total_buffer_size()  # which a slice keeps, too
    return size
