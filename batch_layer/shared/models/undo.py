"""What a person takes back, as it is kept in the archive: so a rebuild takes it back, too. Pure.

The content is JSON: ``{"undo": [KEY, ...]}`` names the archived payloads whose loads are taken back, and
``{"remove": SYMBOL, "on": DATE}`` the instrument that carried a symbol on a date. ``at`` is the instant, by
which no two contents are alike.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.given_rows import GivenRows
from condvest.batch_layer.shared.models.given.payload_rows import UndoRows
from condvest.batch_layer.shared.models.given.payloads import Parsed, Payload

UNDO = "undo"
"""The data set of such payloads, and so the name of their folder in the archive."""


def is_undo(archive_key: str) -> bool:
    """Return whether a key of the archive is of a payload that takes back."""
    return archive_key.split("/")[1:2] == [UNDO]


def undo_of(provider: str, name: str, archive_keys: Sequence[str], now: dt.datetime) -> Payload:
    """Return the payload that takes back the loads of archived payloads."""
    return _payload(provider, name, {"undo": list(archive_keys)}, now)


def removal_of(provider: str, name: str, symbol: str, on: dt.date, now: dt.datetime) -> Payload:
    """Return the payload that takes back all rows of the instrument that carried a symbol on a date."""
    return _payload(provider, name, {"remove": symbol, "on": on.isoformat()}, now)


def parse_undo(payload: Payload) -> Parsed:
    """Return what a payload takes back, a row for each archived payload or instrument.

    Raises:
        InputError: it is not in the expected form.
    """
    try:
        content: dict[str, Any] = json.loads(payload.content[:])
        keys = [str(key) for key in content.get("undo", [])]
        removed = [(str(content["remove"]), np.datetime64(content["on"], "D"))] if "remove" in content else []
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{payload.name}: says not what to take back ({error})") from error
    if not keys and not removed:
        raise InputError(f"{payload.name}: names nothing to take back")
    count = len(keys) + len(removed)
    rows = UndoRows(
        line=np.arange(1, count + 1, dtype=np.int64),
        symbol=np.array([*[""] * len(keys), *(symbol for symbol, _ in removed)], dtype=object),
        date=np.array([*[np.datetime64("NaT")] * len(keys), *(on for _, on in removed)], "datetime64[D]"),
        archive_key=np.array([*keys, *[""] * len(removed)], dtype=object),
    )
    return Parsed(rows, {}, GivenRows({"archive_key": rows.archive_key.tolist()}, count))


def _payload(provider: str, name: str, content: dict[str, Any], now: dt.datetime) -> Payload:
    return Payload(
        provider=provider,
        dataset="undo",
        content=json.dumps({**content, "at": now.astimezone(dt.UTC).isoformat()}).encode(),
        media="json",
        first_session=None,
        last_session=None,
        fetched_at=now.astimezone(dt.UTC),
        is_whole=False,
        name=name,
    )
