"""Requests for rows as they are understood, before anything of the data is looked at. Pure."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from condvest.serving_layer.compatible.massive.parameters import KEY
from condvest.serving_layer.contract import Common
from condvest.serving_layer.formats import Format, content_coding, negotiated
from condvest.serving_layer.http.answers.endpoints import Endpoint
from condvest.serving_layer.http.answers.problems import BadRequest
from condvest.serving_layer.http.answers.replying import Asked, Pairs
from condvest.serving_layer.http.answers.wording import in_words
from condvest.serving_layer.versions import digest_of


@dataclass(frozen=True)
class Request:
    """A request as it was understood; nothing of the data has been looked at.

    Attributes:
        endpoint: which one was asked.
        query: the question.
        chosen: the format of the answer.
        coding: its content coding; "" for none.
        digest: of the question.
        has: the tags that the client has, as they came.
        is_post: whether the parameters came as a body.
    """

    endpoint: Endpoint
    query: Common
    chosen: Format
    coding: str
    digest: str
    has: str | None
    is_post: bool = False

    @property
    def is_of_now(self) -> bool:
        """Whether it asks the server's own source for a first page of what is now, and has no answer yet."""
        query = self.query
        return not (self.has or query.cursor or query.source or query.version or query.is_live)


def understood(
    endpoint: Endpoint, pairs: Pairs, headers: Mapping[str, str], *, is_post: bool = False
) -> Request:
    """Return what a request asks for; arguments and errors are those of `Answering.reply`."""
    query: Common = parsed(endpoint.model, pairs)
    chosen = negotiated(query.format, headers.get("accept"))
    coding = content_coding(headers.get("accept-encoding"), chosen)
    has = None if is_post else headers.get("if-none-match")
    return Request(endpoint, query, chosen, coding, digest_of_question(endpoint, query), has, is_post)


def check_no_parameters(pairs: Pairs) -> None:
    """Raise BadRequest if a path is given parameters that takes none; it passes over a key."""
    for name, _ in pairs:
        if name != KEY:
            raise BadRequest(f"unknown parameter {name!r}; this path takes none", name)


def asked_of(request: Request, version: str) -> Asked:
    """Return what a request asks for of a version of the data."""
    query = request.query
    way = "POST" if request.is_post else "GET"
    form = (way, request.chosen.name, query.columns or "", str(query.limit), query.cursor or "")
    return Asked(version, request.digest, form, request.coding, request.has, query.version is not None)


def digest_of_question(endpoint: Endpoint, query: Common) -> str:
    """Return a digest of what is asked, in whatever form it is to be answered."""
    beside = {"format", "columns", "limit", "cursor"}
    return digest_of(endpoint.path, query.model_dump(mode="json", exclude=beside, exclude_none=True))


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
            raise BadRequest(f"{name} is empty; leave it out, or give it a value", name, value="")
        if known[name].annotation == list[str]:
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        said = in_words(first)
        if not first["loc"]:  # of several together; it begins with the name of one
            raise BadRequest(said, said.partition(":")[0]) from error
        name = str(first["loc"][0])
        if first["type"] == "missing":
            raise BadRequest(f"{name} is missing; there is no answer without it", name) from error
        wrong: str | None = values.get(name)
        given = "" if wrong is None else f" {wrong!r}"
        raise BadRequest(f"{name}{given}: {said}", name, value=wrong) from error
