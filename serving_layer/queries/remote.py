"""Answers of another Condvest, over HTTP."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Mapping, Sequence
from functools import cache

import httpx
import pyarrow as pa

from condvest.batch_layer.shared.errors import (
    CondvestError,
    NotASession,
    PublishedUnavailable,
    SettingsError,
    UnknownSymbol,
    UsageError,
)
from condvest.serving_layer.kept import Kept
from condvest.serving_layer.queries.bars.bars_table import schema_of
from condvest.serving_layer.queries.bars.question import Question

_TLS = ssl.PROTOCOL_TLS_CLIENT

_LARGEST_CACHE = 256 << 20
"""Bytes of answers that are kept to be asked about again."""

_ERRORS: dict[str, type[CondvestError]] = {
    "unknown-symbol": UnknownSymbol,
    "not-a-session": NotASession,
    "unauthorized": SettingsError,
    "forbidden": SettingsError,
    "not-served": UsageError,
    "quota": PublishedUnavailable,
}

_answers: Kept[tuple[str, pa.Table]] = Kept(_LARGEST_CACHE)

Value = str | int | bool | dt.date | dt.datetime | None
"""Of a parameter; None leaves it out."""


def read_bars_over_http(address: str, key: str | None, question: Question) -> pa.Table:
    """Return the bars of a question, as `condvest.bars` gives them where the server reads.

    Arguments and errors are those of `read_over_http`.
    """
    if question.symbols is not None and not len(question.symbols):
        return schema_of(question).empty_table()  # over HTTP no symbol stands for all of them
    parameters: dict[str, Value] = {
        "interval": int(question.interval),
        "start": question.start,
        "end": question.end,
        "adjust": question.adjust,
        "anchor": question.anchor,
        "include_open": question.include_open or None,
        "as_of": question.as_of,
        "unique_symbols": question.unique_symbols or None,
        "live": question.include_live or None,
        "symbols_on": question.symbols_on,
    }
    return read_over_http(address, key, "bars", parameters, question.symbols or ())


def read_over_http(
    address: str, key: str | None, name: str, parameters: Mapping[str, Value], symbols: Sequence[str] = ()
) -> pa.Table:
    """Return the rows of an endpoint, as they are where the server reads.

    An answer that was given before is asked about by its entity tag, and sent again only if the data changed.

    Args:
        address: of a server (``condvest serve``), ``http://host:8400``.
        key: that the server gave; None if it needs none.
        name: of the endpoint, the last part of its path.
        parameters: of the question.
        symbols: that are asked about; all if none.

    Raises:
        UnknownSymbol, UsageError, NotASession: as the server says.
        SettingsError: the server wants a key, or another one.
        PublishedUnavailable: it does not answer, answers with something else, or cannot answer now.
    """
    url = f"{address.rstrip('/')}/v1/{name}"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    asked_for = [("symbol", symbol) for symbol in symbols]
    asked_for += [(name, _text(value)) for name, value in parameters.items() if value is not None]
    request = httpx.Request("GET", url, params=[*asked_for, ("format", "arrow")], headers=headers)
    asked = str(request.url)
    cached = _answers.find(asked)
    if cached is not None:
        request.headers["If-None-Match"] = cached[0]
    try:
        with httpx.Client(timeout=60, trust_env=False, verify=_trust(request.url.scheme)) as client:
            answer = client.send(request)
    except httpx.HTTPError as error:
        raise PublishedUnavailable(
            f"{url} does not answer ({error}); is condvest serve running there?"
        ) from error
    if answer.status_code == httpx.codes.NOT_MODIFIED and cached is not None:
        return cached[1]
    if answer.status_code != httpx.codes.OK:
        raise _error(url, answer)
    table = _table(url, answer)
    if "etag" in answer.headers:
        _answers.put(asked, (answer.headers["etag"], table), table.nbytes)
    return table


@cache
def _trust(scheme: str) -> ssl.SSLContext:
    """Return whom a client believes; to read the certificates takes longer than most answers.

    Without TLS nobody is asked to prove anything, and none are read: a context that knows no certificate
    believes nobody.
    """
    return httpx.create_ssl_context(trust_env=False) if scheme == "https" else ssl.SSLContext(_TLS)


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, dt.date) else str(value)


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
    if kind == "unknown-symbol":
        return UnknownSymbol(detail, [str(symbol) for symbol in problem.get("symbols", [])])
    if kind in _ERRORS:
        return _ERRORS[kind](detail)
    if answer.is_client_error:
        return UsageError(detail)
    return PublishedUnavailable(f"{url}: {detail}; try again")
