"""The archive: every answer of a provider, as it came, kept for good.

A payload has the key ``provider/dataset/sessions/instant-digest.media``. Its bytes lie under the key, or
packed under ``KEY.zst`` (see ``packing``), with a ``KEY.json`` beside them that says what the bytes alone do
not. The digest is that of the payload as it came. The instants ascend in the order of the loads. Nothing in
the archive is ever overwritten, and the database can be rebuilt from it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any, Protocol

from condvest.batch_layer.shared.clients.archive.packing import SUFFIXES, unpacked
from condvest.batch_layer.shared.errors import ArchiveError
from condvest.batch_layer.shared.models.given.file_options import AS_TRADED, FileOptions
from condvest.batch_layer.shared.models.given.payloads import Payload
from condvest.batch_layer.shared.models.instruments.provider_kinds import checked_name

DESCRIBED = ".json"
"""What the name of a payload's description has behind the payload's own."""

_OF_ITSELF, _PACKED = "description_digest", "packed"

_INSTANT = "%Y%m%dT%H%M%S.%fZ"

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

    def options(self, key: str) -> FileOptions:
        """Return what was said of the payload kept under ``key``, without reading its bytes.

        Raises:
            ArchiveError: there is none, or its description is damaged.
        """
        ...

    def keys(self) -> Iterator[str]:
        """Yield all keys, by their instants: in the order in which the payloads were loaded."""
        ...


def key_of(payload: Payload) -> str:
    """Return the key of a payload, for example ``sample/splits/all/20261124T211500Z-0f3a....csv``.

    Raises:
        UsageError: the provider's name could be another folder's; see `checked_name`.
    """
    checked_name(payload.provider)
    return _key_of(payload, payload.digest)


def _key_of(payload: Payload, digest: str) -> str:
    sessions = "all"
    if payload.first_session and payload.last_session:
        sessions = payload.first_session.isoformat()
        if payload.last_session != payload.first_session:
            sessions += f"..{payload.last_session.isoformat()}"
    instant = payload.order_instant.astimezone(dt.UTC).strftime(_INSTANT)
    return f"{payload.provider}/{payload.dataset}/{sessions}/{instant}-{digest[:16]}.{payload.media}"


def key_described_by(name: str) -> str | None:
    """Return the key that a name in the archive describes; None if it is no description.

    ``...-0f3a.csv.json`` describes ``...-0f3a.csv``; but ``...-0f3a.json`` is a payload of JSON.
    """
    key = name.removesuffix(DESCRIBED)
    return key if key != name and _KEY.fullmatch(key) else None


def describe(payload: Payload, packing: str | None = None) -> bytes:
    """Return what a payload's bytes do not say about it, and how they are packed, as JSON."""
    description = {
        "provider": payload.provider,
        "dataset": payload.dataset,
        "media": payload.media,
        "first_session": payload.first_session.isoformat() if payload.first_session else None,
        "last_session": payload.last_session.isoformat() if payload.last_session else None,
        "fetched_at": payload.fetched_at.astimezone(dt.UTC).isoformat(),
        "is_whole": payload.is_whole,
        "name": payload.name,
        "digest": payload.digest,
        "options": payload.options.as_json(),
    }
    if payload.ordered_at is not None:
        description["ordered_at"] = payload.ordered_at.astimezone(dt.UTC).isoformat()
    if packing is not None:
        description[_PACKED] = packing
    return json.dumps(description | {_OF_ITSELF: _digest_of(description)}, indent=1).encode()


def _digest_of(description: dict[str, Any]) -> str:
    """Return the digest of a description, SHA-256 in hexadecimal, without the digest itself."""
    rest = {name: value for name, value in description.items() if name != _OF_ITSELF}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def packing_told(key: str, description: bytes) -> str | None:
    """Return how the bytes of a payload are packed, by its description; see `packing`.

    Raises:
        ArchiveError: the description is damaged.
    """
    try:
        fields: dict[str, Any] = json.loads(description)
        packing: str | None = fields.get(_PACKED)
        _ = SUFFIXES[packing], fields["digest"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(key, error) from error
    return packing


def options_told(key: str, description: bytes) -> FileOptions:
    """Return what was said of a payload, by its description.

    Raises:
        ArchiveError: the description is damaged.
    """
    try:
        fields: dict[str, Any] = json.loads(description)
        if fields.get(_OF_ITSELF, own := _digest_of(fields)) != own:
            # The one handler below names the file for every way in which a description may be wrong.
            raise ValueError(f"it has the digest {own}, but {fields[_OF_ITSELF]} was kept")  # noqa: TRY301
        return FileOptions.of_json(fields["options"]) if "options" in fields else AS_TRADED
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(key, error) from error


def restore(key: str, kept: bytes, description: bytes) -> Payload:
    """Return the payload that `describe` described.

    A description is held against its own digest and against the key. One of an earlier version has no digest.

    Args:
        key: of the payload.
        kept: its bytes, packed as the description says.
        description: what `describe` returned.

    Raises:
        ArchiveError: the description is damaged or of another payload, or the bytes are damaged or do not
            have the digest it names.
    """
    content = unpacked(kept, packing_told(key, description), key=key)
    try:
        fields: dict[str, Any] = json.loads(description)
        digest = fields["digest"]
        if fields.get(_OF_ITSELF, own := _digest_of(fields)) != own:
            # The one handler below names the file for every way in which a description may be wrong.
            raise ValueError(f"it has the digest {own}, but {fields[_OF_ITSELF]} was kept")  # noqa: TRY301
        payload = Payload(
            provider=fields["provider"],
            dataset=fields["dataset"],
            content=content,
            media=fields["media"],
            first_session=_date(fields["first_session"]),
            last_session=_date(fields["last_session"]),
            fetched_at=dt.datetime.fromisoformat(fields["fetched_at"]),
            is_whole=fields["is_whole"],
            name=fields["name"],
            options=FileOptions.of_json(fields["options"]) if "options" in fields else AS_TRADED,
            ordered_at=_instant(fields.get("ordered_at")),
        )
        described = _key_of(payload, digest) if _is_zoned(payload) else "an instant without a zone"
        if described != key or not isinstance(payload.is_whole, bool) or not isinstance(payload.name, str):
            # As above.
            raise ValueError(f"it describes {described}")  # noqa: TRY301
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(key, error) from error
    if payload.digest != digest:
        raise ArchiveError(
            f"{key} in the archive has the digest {payload.digest}, but {digest} was kept; "
            "restore it from a backup"
        )
    return payload


def _damaged(key: str, error: Exception) -> ArchiveError:
    return ArchiveError(
        f"the description of {key} in the archive is damaged: {error}; restore {key}{DESCRIBED} from a backup"
    )


def order_instant_of(key: str) -> dt.datetime | None:
    """Return the instant that orders what lies under a key; None if the key names none."""
    try:
        return dt.datetime.strptime(key.rpartition("/")[2].partition("-")[0], _INSTANT).replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def _is_zoned(payload: Payload) -> bool:
    return payload.fetched_at.tzinfo is not None and payload.order_instant.tzinfo is not None


def _instant(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None
