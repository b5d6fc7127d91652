"""Lists in pages, with the filters and cursors that Massive's endpoints share."""

from __future__ import annotations

import base64
import binascii
import json
import operator

from tests.support.emulators.emulator import Refusal
from tests.support.emulators.massive.errors import bad_request

_COMPARISONS = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
_NO_FILTER = frozenset({"limit", "sort", "order", "cursor", "apiKey", "date", "active", "search"})


def encode(query: dict[str, str], offset: int) -> str:
    """Return an opaque cursor that holds the first call's parameters and where to go on; no key."""
    kept = {name: value for name, value in query.items() if name != "apiKey"}
    return base64.urlsafe_b64encode(json.dumps([kept, offset]).encode()).decode().rstrip("=")


def decode(query: dict[str, str]) -> tuple[dict[str, str], int]:
    """Return the parameters and the offset of a call, from its cursor if it carries one."""
    cursor = query.get("cursor")
    if cursor is None:
        return query, 0
    try:
        first, offset = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        raise Refusal(bad_request("cursor is not valid")) from None
    return first, offset


def limit_of(query: dict[str, str], default: int, most: int) -> int:
    """Return the limit asked for.

    Raises:
        Refusal: 400, it is no number from 1 to ``most``.
    """
    text = query.get("limit", str(default))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise Refusal(bad_request(f"limit must be from 1 to {most}"))
    return int(text)


def matching(records: list[dict], query: dict[str, str]) -> list[dict]:
    """Return the records that pass every ``field``, ``field.gt`` ... and ``field.any_of`` of a query."""
    for name, value in query.items():
        column, _, comparison = name.partition(".")
        if name in _NO_FILTER or not value:
            continue
        if comparison == "any_of":
            wanted = set(value.split(","))
            records = [record for record in records if record.get(column) in wanted]
        elif comparison in _COMPARISONS:
            compare = _COMPARISONS[comparison]
            records = [
                record for record in records if column in record and compare(str(record[column]), value)
            ]
        elif not comparison:
            records = [record for record in records if str(record.get(column)) == value]
        else:
            raise Refusal(bad_request(f"unknown parameter {name}"))
    return records


def ordered(records: list[dict], column: str, order: str) -> list[dict]:
    """Return the records by a column, ties in their given order.

    Raises:
        Refusal: 400, no such order.
    """
    if order not in ("asc", "desc"):
        raise Refusal(bad_request(f"order must be asc or desc, not {order}"))
    return sorted(records, key=lambda record: str(record.get(column, "")), reverse=order == "desc")
