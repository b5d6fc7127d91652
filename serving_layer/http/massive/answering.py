"""From a request to the bytes of its answer, or to an error in Massive's form.

An answer belongs to one version of the data, as those below ``/v1`` do: it has a tag, is kept for who asks
again, and a later page is of the version of the first one or is refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from condvest.batch_layer.shared.errors import CondvestError
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE
from condvest.serving_layer.compatible.massive.lists import Place, selected
from condvest.serving_layer.compatible.massive.parameters import Parameters
from condvest.serving_layer.compatible.massive.records import Record
from condvest.serving_layer.formats import content_coding, negotiated
from condvest.serving_layer.http.answers.problems import Busy, Gone, problem
from condvest.serving_layer.http.answers.replying import LARGEST_CACHE, Asked, Made, Pairs, Replies, Reply
from condvest.serving_layer.http.backends.backend import Backend
from condvest.serving_layer.http.backends.settling import settled
from condvest.serving_layer.http.backends.states import State
from condvest.serving_layer.http.massive.paths import Listing, Single
from condvest.serving_layer.http.massive.reading import Given, NotCovered
from condvest.serving_layer.kept import Kept
from condvest.serving_layer.versions import digest_of

_BYTES_PER_RECORD = 512
_MEDIA_TYPE = "application/json"


def _today_there() -> dt.date:
    """Return the exchange's date."""
    return dt.datetime.now(EXCHANGE_ZONE).date()


class CompatibleAnswering:
    """Answers others' protocols from one backend. Its methods may be called from several threads at once."""

    def __init__(self, backend: Backend, today: Callable[[], dt.date] = _today_there) -> None:
        """Answer from a backend; ``today`` tells the exchange's date."""
        self._backend = backend
        self._today = today
        self._lists: Kept[tuple[list[Record], State]] = Kept(LARGEST_CACHE)
        self._replies = Replies()

    def reply(self, path: Single | Listing, given: Given, pairs: Pairs, headers: Mapping[str, str]) -> Reply:
        """Answer one request.

        Args:
            path: which one was asked.
            given: the parts of the path.
            pairs: the query's parameters, as they came.
            headers: of the request, names in lower case.

        Raises:
            CondvestError: see `failed`, which makes Massive's answer of it.
        """
        known = path.known if isinstance(path, Listing) else path.parameters
        asked = Parameters(pairs, known, self._today())
        # Days to come are told from today on: though the data stay, tomorrow's answer is another one.
        digest = digest_of(path.path, {"path": dict(given), "query": asked.given, "today": asked.today})
        coding = content_coding(headers.get("accept-encoding"), negotiated("json", None))
        state = self._backend.state()

        def make() -> Made:
            answer: dict[str, Any] | list[Record]
            if isinstance(path, Listing):
                answer, made_from = self._page(path, given, asked, state)
            else:
                answer, read = settled(
                    self._backend, state, lambda: (path.read(self._backend, given, asked), None)
                )
                made_from = read.version
            return Made(orjson.dumps(answer), made_from, _MEDIA_TYPE)

        return self._replies.reply(
            Asked(state.version, digest, (), coding, headers.get("if-none-match")), make
        )

    def _page(
        self, path: Listing, given: Given, asked: Parameters, state: State
    ) -> tuple[dict[str, Any], str]:
        """Return a page of a list, and the version of the data that it was made from; "" for none."""
        position = (
            Place.decoded(asked.given["cursor"]) if "cursor" in asked.given else Place(state.version, 0)
        )
        limit = asked.count("limit", path.kind.default, path.kind.most)
        beside = {name: value for name, value in asked.given.items() if name not in ("cursor", "limit")}

        def select() -> tuple[list[Record], State | None]:
            return selected(path.read(self._backend, given, asked), asked, path.kind), None

        records, read = self._lists.get(
            (state.version, digest_of(path.path, {"path": dict(given), "query": beside})),
            lambda: settled(self._backend, state, select),
            lambda made: _BYTES_PER_RECORD * len(made[0]),
            lambda made: made[1].version == state.version,
        )
        made_from = read.version
        if position.version != made_from and position.row:
            raise Gone("the data have changed since the first page; ask for the first page again")
        page = records[position.row : position.row + limit]
        answer = path.head(given, asked, len(page)) | {"status": "OK", "count": len(page), "results": page}
        following = position.row + limit
        if following < len(records):
            if not made_from:
                raise Busy("the data change while they are read, so no second page could follow; ask again")
            cursor = Place(made_from, following).encoded()
            query = urlencode([*beside.items(), ("limit", limit), ("cursor", cursor)])
            parts = {name: quote(value, safe="") for name, value in given.items()}
            answer["next_url"] = f"{path.path.format(**parts)}?{query}"
        return answer, made_from


_STATUS = {403: "NOT_AUTHORIZED", 404: "NOT_FOUND"}
"""Massive's word for each status; "ERROR" for every other."""


def failed(error: CondvestError, request_id: str) -> Reply:
    """Return an error in Massive's form: the sentence is its ``error``, or the ``message`` beside a word."""
    status, members = problem(error, request_id)
    if isinstance(error, NotCovered):
        status, members = 403, {"detail": str(error)}
    word = _STATUS.get(status, "ERROR")
    body = {"status": word, "request_id": request_id}
    body["error" if word == "ERROR" else "message"] = members["detail"]
    return Reply(status, {"Content-Type": _MEDIA_TYPE}, orjson.dumps(body))
