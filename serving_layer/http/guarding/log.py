"""One line of log a request, and no secret in it."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import sys
import traceback
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson

from condvest.batch_layer.shared.errors import CondvestError
from condvest.serving_layer.compatible.massive.parameters import KEY
from condvest.serving_layer.http.answers.problems import Unexpected
from condvest.serving_layer.http.calls import Call
from condvest.serving_layer.http.protocol import Scope

FAILURE = "condvest.failure"
"""Where the scope of a request holds the error that it ended with."""


def _asked(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def key_in(scope: Scope) -> str:
    """Return the key that the query holds, as Massive's clients may send theirs; "" if it holds none."""
    return next((value for name, value in _asked(scope) if name == KEY), "")


def _without_key(scope: Scope) -> str:
    """Return the query for the log, which holds no key, however its name is written."""
    raw = scope["query_string"]
    if b"%" not in raw and KEY.lower().encode() not in raw.lower():
        return str(raw, "latin-1")
    return urlencode(
        [(name, "***" if name.lower() == KEY.lower() else value) for name, value in _asked(scope)]
    )


def line_of(method: str, scope: Scope, call: Call) -> str:
    """Return the line of log of a request: JSON, so that no text of a client can make a second line."""
    line: dict[str, Any] = {
        "time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
        "id": call.request_id,
        "method": method,
        "path": scope["path"],
        "query": _without_key(scope),
        "status": call.status,
        "rows": call.rows,
        "bytes": call.bytes,
        "ms": round(call.seconds * 1000, 2),
        "kept": call.is_kept,
    }
    if call.key:
        line["key"] = call.key
    failure: CondvestError | None = scope.get(FAILURE)
    if failure is not None:
        cause = failure.__cause__
        line["error"] = (
            "".join(traceback.format_exception(cause)) if isinstance(failure, Unexpected) else str(failure)
        )
    try:
        return orjson.dumps(line).decode()
    except TypeError:  # a text that is no Unicode
        return json.dumps(line)


class Lines:
    """Writes lines to standard error, those of one turn of the event loop at once."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def __call__(self, line: str) -> None:
        """Write a line, soon."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._write)
        self._lines.append(line)

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        print("\n".join(lines), file=sys.stderr, flush=True)  # noqa: T201  # the server's log
