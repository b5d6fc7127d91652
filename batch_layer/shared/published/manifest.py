"""The manifest of a published data set: which files make one version of it.

It is JSON, for any reader. Paths are relative to the place where the manifest lies, so that the whole may be
moved. A file bears the digest of its own bytes in its name and is never altered, so versions share files.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from batch_layer.shared.errors import PublishedError, PublishedFormat

FORMAT = 1
"""Number of the layout of files and manifest; another one is refused, not guessed at."""

CURRENT = "manifest.json"
"""Where the manifest of the current version lies. It is switched at once, when all that it names is there."""

KEEP = 3
"""How many versions before the current one stay, so that who reads one of them can end."""

MANIFESTS = "manifests/"
"""Where the manifests of all versions lie that are kept, in the order of their names."""

_OWN_NAMES = re.compile(
    r"(manifests/\d{8}\.json|(daily_bars|bars_\d+|instruments|symbols|sessions|splits|dividends)"
    r"/(\d{4}|all)-[0-9a-f]{16}\.parquet)"
)


@dataclass(frozen=True)
class PublishedFile:
    """One file of Parquet.

    Attributes:
        path: relative to the manifest's place: ``bars_13/2024-<16 digits of the digest>.parquet``.
        part: the year of the rows' sessions (of the windows' last ones), or ``all``.
        sha256: digest of the file's bytes, hexadecimal.
        bytes: its size.
        rows: how many it holds.
        fingerprint: of the rows in the database that it was made from; "" where it is made anew each time.
    """

    path: str
    part: str
    sha256: str
    bytes: int
    rows: int
    fingerprint: str = ""


@dataclass(frozen=True)
class Manifest:
    """One version of a published data set.

    Attributes:
        version: ascends by one from 1.
        published_at: when it was made, an aware datetime.
        database: which database it was made from; "" where Condvest did not say so yet.
        schema_version: of that database.
        first_session, last_session: the sessions that its daily bars cover, inclusive; None without bars.
        loaded_through: provider's id to the ordinal of the last session loaded from it.
        schema: data set to its columns, and those to their types.
        files: data set to its files, by part.
    """

    version: int
    published_at: dt.datetime
    database: str
    schema_version: int
    first_session: dt.date | None
    last_session: dt.date | None
    loaded_through: Mapping[int, int]
    schema: Mapping[str, Mapping[str, str]]
    files: Mapping[str, Sequence[PublishedFile]]

    @property
    def path(self) -> str:
        """Where this version's manifest stays when it is no longer the current one."""
        return f"{MANIFESTS}{self.version:08}.json"

    def all_files(self) -> list[PublishedFile]:
        """Return the files of all data sets."""
        return [file for files in self.files.values() for file in files]

    def says_the_same(self, other: Manifest) -> bool:
        """Return whether the other one differs in nothing but its number and instant."""
        return _content(self) == _content(other)

    def to_json(self) -> bytes:
        """Return the manifest as JSON."""
        told = {"format": FORMAT, "version": self.version, "published_at": self.published_at.isoformat()}
        return json.dumps(told | _content(self), indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes, place: str) -> Manifest:
        """Return the manifest that `to_json` made; ``place`` is named in what is raised.

        Raises:
            PublishedFormat: it has another format.
            PublishedError: it is damaged.
        """
        try:
            told: dict[str, Any] = json.loads(content)
            if told["format"] != FORMAT:
                raise PublishedFormat(
                    f"the published data set {place} has format {told['format']}, and this version of "
                    f"Condvest reads format {FORMAT}: use the version that wrote it, or publish elsewhere"
                )
            return cls(
                version=int(told["version"]),
                published_at=dt.datetime.fromisoformat(told["published_at"]),
                database=str(told.get("database", "")),
                schema_version=int(told["schema_version"]),
                first_session=_date(told["sessions"]["first"]),
                last_session=_date(told["sessions"]["last"]),
                loaded_through={int(one): int(last) for one, last in told["loaded_through"].items()},
                schema=told["schema"],
                files={
                    name: [PublishedFile(**file) for file in files] for name, files in told["files"].items()
                },
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PublishedError(
                f"the manifest of the published data set {place} is damaged ({error}); remove {CURRENT} "
                "there and run condvest publish"
            ) from error


def is_own(path: str) -> bool:
    """Return whether a path is one that a publication may have written, and so may remove."""
    return _OWN_NAMES.fullmatch(path) is not None


def _content(manifest: Manifest) -> dict[str, Any]:
    first, last = manifest.first_session, manifest.last_session
    return {
        "database": manifest.database,
        "schema_version": manifest.schema_version,
        "sessions": {
            "first": first.isoformat() if first else None,
            "last": last.isoformat() if last else None,
        },
        "loaded_through": {str(one): last for one, last in manifest.loaded_through.items()},
        "schema": manifest.schema,
        "files": {name: [asdict(file) for file in files] for name, files in manifest.files.items()},
    }


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None
