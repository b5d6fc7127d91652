"""Versions of the data, entity tags and cursors. Pure.

Every answer belongs to one version of the data: a text that changes whenever any answer might.
The tag of an answer is derived from that version, the question and the form of the answer, and from nothing
that was computed: so a server can say "not modified" without answering again.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from condvest.batch_layer.shared.errors import UsageError


def digest_of(path: str, question: Mapping[str, Any]) -> str:
    """Return a digest (16 hexadecimal digits) of a question, whatever the order of its parameters."""
    text = json.dumps([path, question], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def entity_tag(version: str, digest: str, *form: str) -> str:
    """Return the strong entity tag of an answer.

    Args:
        version: of the data.
        digest: of the question.
        form: what else makes the bytes differ: the program's version, the format, the content coding.
    """
    text = "\n".join((version, digest, *form))
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def matches(if_none_match: str | None, tag: str) -> bool:
    """Return whether an If-None-Match header names the tag, by the weak comparison of RFC 9110, 13.1.2."""
    named = (if_none_match or "").split(",")
    return tag in [each.strip().removeprefix("W/") for each in named]


def is_any(if_none_match: str | None) -> bool:
    """Return whether an If-None-Match header stands for whatever there is: which has to be found out."""
    return (if_none_match or "").strip() == "*"


_VERSION = re.compile(r"[dp]-[0-9a-f]{8}-[0-9:.]+(-([0-9a-f]{16}|none))?")
_LARGEST = 2**31
"""Loads and rows are numbered below this."""


@dataclass(frozen=True)
class Cursor:
    """Where the next page of an answer begins, and which state of the data it belongs to.

    Attributes:
        version: of the data that the first page was made from.
        load: the last load that had been stored then.
        identity: a digest of the symbols that the instruments of the question carried.
        digest: of the question.
        row: the first row of the next page, from 0.
    """

    version: str
    load: int
    identity: str
    digest: str
    row: int

    def encoded(self) -> str:
        """Return the cursor as text that may stand in a URL; clients must not look into it."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode().rstrip("=")

    @classmethod
    def decoded(cls, text: str, digest: str) -> Cursor:
        """Return the cursor of a text.

        Raises:
            UsageError: the text is no cursor, or belongs to another question than that of ``digest``.
        """
        try:
            content = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            cursor = cls(
                version=str(content["version"]),
                load=int(content["load"]),
                identity=str(content["identity"]),
                digest=str(content["digest"]),
                row=int(content["row"]),
            )
            if not _VERSION.fullmatch(cursor.version):
                raise ValueError(f"version {cursor.version!r}")  # noqa: TRY301  # as of any other damage
            if not (0 <= cursor.load < _LARGEST and 0 <= cursor.row < _LARGEST):
                raise ValueError(f"load {cursor.load}, row {cursor.row}")  # noqa: TRY301  # as above
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise UsageError("cursor: not one that this server gave; ask for the first page again") from error
        if cursor.digest != digest:
            raise UsageError(
                "cursor: it belongs to another question; repeat the parameters of the first page, or ask anew"
            )
        return cursor
