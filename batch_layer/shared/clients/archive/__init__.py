"""The archive: every answer of a provider, as it came, kept for good.

A payload lies under ``provider/dataset/sessions/instant-digest.media`` with a ``.json`` beside it that
says what the bytes alone do not. Nothing in the archive is ever overwritten, and the database can be
rebuilt from it.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from typing import Any, Protocol

from batch_layer.shared.errors import ArchiveError
from batch_layer.shared.models.file_options import AS_TRADED, FileOptions
from batch_layer.shared.models.payloads import Payload

DESCRIBED = ".json"
"""What the name of a payload's description has behind the payload's own."""

_KEY = re.compile(r"[^/]+/[^/]+/[^/]+/[^/]+-[0-9a-f]{16}\.[^/]+")


class Archive(Protocol):
    """Where payloads are kept."""

    def keep(self, payload: Payload, *, again: bool = False) -> str:
        """Keep a payload and return its key.

        If the newest payload of the same provider, data set and sessions has the same bytes, nothing is
        kept and its key returned, unless ``again`` is true: the order of the payloads is the order in
        which they were loaded, and the database can be rebuilt from it.
        """
        ...

    def read(self, key: str) -> Payload:
        """Return the payload kept under ``key``.

        Raises:
            ArchiveError: there is none, or its bytes are no longer what was kept.
        """
        ...

    def keys(self) -> Iterator[str]:
        """Yield all keys, in the order of the instants at which the payloads were fetched."""
        ...


def key_of(payload: Payload) -> str:
    """Return the key of a payload, for example ``sample/splits/all/20261124T211500Z-0f3a....csv``."""
    sessions = "all"
    if payload.first_session and payload.last_session:
        sessions = payload.first_session.isoformat()
        if payload.last_session != payload.first_session:
            sessions += f"..{payload.last_session.isoformat()}"
    instant = payload.fetched_at.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return f"{payload.provider}/{payload.dataset}/{sessions}/{instant}-{payload.digest[:16]}.{payload.media}"


def key_described_by(name: str) -> str | None:
    """Return the key that a name in the archive describes; None if it is no description.

    ``...-0f3a.csv.json`` describes ``...-0f3a.csv``; but ``...-0f3a.json`` is a payload of JSON.
    """
    key = name.removesuffix(DESCRIBED)
    return key if key != name and _KEY.fullmatch(key) else None


def describe(payload: Payload) -> bytes:
    """Return what a payload's bytes do not say about it, as JSON."""
    return json.dumps(
        {
            "provider": payload.provider,
            "dataset": payload.dataset,
            "media": payload.media,
            "first_session": payload.first_session.isoformat() if payload.first_session else None,
            "last_session": payload.last_session.isoformat() if payload.last_session else None,
            "fetched_at": payload.fetched_at.astimezone(dt.UTC).isoformat(),
            "is_whole": payload.is_whole,
            "name": payload.name,
            "symbols_mean": payload.symbols_mean,
            "digest": payload.digest,
            "options": payload.options.as_json(),
        },
        indent=1,
    ).encode()


def restore(key: str, content: bytes, description: bytes) -> Payload:
    """Return the payload that `describe` described.

    Raises:
        ArchiveError: the description is damaged, or the bytes do not have the digest it names.
    """
    try:
        told: dict[str, Any] = json.loads(description)
        payload = Payload(
            provider=told["provider"],
            dataset=told["dataset"],
            content=content,
            media=told["media"],
            first_session=_date(told["first_session"]),
            last_session=_date(told["last_session"]),
            fetched_at=dt.datetime.fromisoformat(told["fetched_at"]),
            is_whole=told["is_whole"],
            name=told["name"],
            options=FileOptions.of_json(told["options"]) if "options" in told else AS_TRADED,
            # Descriptions written before there was a choice have none.
            symbols_mean=told.get("symbols_mean", "date"),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ArchiveError(f"the description of {key} in the archive is damaged: {error}") from error
    if payload.digest != told["digest"]:
        raise ArchiveError(
            f"{key} in the archive has the digest {payload.digest}, but {told['digest']} was kept; "
            "restore it from a backup"
        )
    return payload


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None
