"""Bars from another Condvest, over HTTP."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import httpx
import pyarrow as pa

from batch_layer.shared.errors import (
    CondvestError,
    NotASession,
    PublishedUnavailable,
    SettingsError,
    UnknownSymbol,
    UsageError,
)
from serving_layer.queries.question import Question

_KEPT = 16
"""Answers kept to be asked about again, the least recently used forgotten first."""

_ERRORS: dict[str, type[CondvestError]] = {
    "unknown-symbol": UnknownSymbol,
    "not-a-session": NotASession,
    "unauthorized": SettingsError,
    "forbidden": SettingsError,
}

_answers: OrderedDict[str, tuple[str, pa.Table]] = OrderedDict()


def read_bars_over_http(address: str, key: str | None, question: Question) -> pa.Table:
    """Return the bars of a question, as `condvest.bars` gives them where the server reads.

    An answer that was given before is asked about by its entity tag, and sent again only if the data changed.

    Args:
        address: of a server (``condvest serve``), ``http://host:8400``.
        key: that the server gave; None if it needs none.
        question: what is asked.

    Raises:
        UnknownSymbol, UsageError, NotASession: as the server says.
        SettingsError: the server wants a key, or another one.
        PublishedUnavailable: it does not answer, answers with something else, or cannot answer now.
    """
    url = f"{address.rstrip('/')}/v1/bars"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = httpx.Request("GET", url, params=_parameters(question), headers=headers)
    asked = str(request.url)
    kept = _answers.get(asked)
    if kept is not None:
        request.headers["If-None-Match"] = kept[0]
    try:
        with httpx.Client(timeout=60, trust_env=False) as client:
            answer = client.send(request)
    except httpx.HTTPError as error:
        raise PublishedUnavailable(
            f"{url} does not answer ({error}); is condvest serve running there?"
        ) from error
    if answer.status_code == httpx.codes.NOT_MODIFIED and kept is not None:
        _answers.move_to_end(asked)
        return kept[1]
    if answer.status_code != httpx.codes.OK:
        raise _error(url, answer)
    table = _table(url, answer)
    if "etag" in answer.headers:
        _answers[asked] = (answer.headers["etag"], table)
        while len(_answers) > _KEPT:
            _answers.popitem(last=False)
    return table


def _parameters(question: Question) -> list[tuple[str, Any]]:
    given = {
        "interval": question.interval,
        "start": question.start,
        "end": question.end,
        "adjust": question.adjust,
        "anchor": question.anchor,
        "include_open": "true" if question.include_open else None,
        "as_of": question.as_of and question.as_of.isoformat(),
        "format": "arrow",
    }
    symbols = [("symbol", symbol) for symbol in question.symbols or ()]
    return [*symbols, *((name, str(value)) for name, value in given.items() if value is not None)]


def _table(url: str, answer: httpx.Response) -> pa.Table:
    """Return the table of an answer; one that was cut off on the way is refused."""
    try:
        table = pa.ipc.open_stream(answer.content).read_all()
    except pa.ArrowException as error:
        raise PublishedUnavailable(f"{url}: the answer is no Arrow table ({error}); try again") from error
    if answer.headers.get("condvest-rows") != str(len(table)):
        expected = answer.headers.get("condvest-rows", "an unknown number of")
        raise PublishedUnavailable(f"{url}: {len(table)} rows came of {expected}; try again")
    return table.replace_schema_metadata(None)


def _error(url: str, answer: httpx.Response) -> CondvestError:
    """Return the error that a server's problem document tells."""
    try:
        problem = answer.json()
        kind, detail = str(problem["type"]).rpartition("/")[2], str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return PublishedUnavailable(f"{url} answered {answer.status_code}; is it a Condvest server?")
    if kind in _ERRORS:
        return _ERRORS[kind](detail)
    if answer.is_client_error:
        return UsageError(detail)
    return PublishedUnavailable(f"{url}: {detail}; try again")
