"""The manifest of a published data set: which files make one version of it.

It is JSON, for any reader. Paths are relative to the manifest's directory, so the whole may be moved. A file
has the digest of its bytes in its name and is never altered, so versions share files.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from condvest.batch_layer.shared.errors import PublishedError, PublishedFormat
from condvest.batch_layer.shared.published.datasets import APART, HISTORY, OFTEN, REPORTS, is_own
from condvest.batch_layer.shared.published.document import count_of, date_of, first_year_of, instant_of
from condvest.batch_layer.shared.published.recorded import Recorded

BY_YEAR, BY_MONTH = 1, 2
"""The number of the layout of files and manifest: in the second, some years are divided by month. A reader
refuses any other, as earlier versions of Condvest do with the second."""

CURRENT = "manifest.json"
"""The path of the current version's manifest. It is switched atomically, after all files that it names."""

KEEP = 3
"""How many versions before the current one stay, so that their readers can finish."""

MANIFESTS = "manifests/"
"""The directory of the manifests of all versions that are kept; their names ascend with the versions."""


@dataclass(frozen=True)
class PublishedFile:
    """One file of Parquet.

    Attributes:
        path: relative to the manifest's directory: ``bars_13/2024-<16 digits of the digest>.parquet``.
        part: the year or the month (``2024-07``) of the rows' sessions (of the windows' last ones), or
            ``all``.
        sha256: digest of the file's bytes, hexadecimal.
        bytes: its size.
        rows: how many it holds.
        fingerprint: of the database rows that it was made from; "" if every publication writes the file.
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
        database: which database it was made from, see `owner_named`; "" in manifests of early versions.
        schema_version: of that database.
        first_session, last_session: the sessions that its daily bars cover, inclusive; None without bars.
        loaded_through: provider's id to the ordinal of the last session loaded from it.
        schema: data set to its columns, and those to their types.
        files: data set to its files, by part.
        through_load: the last load of the database that it holds; None if an earlier Condvest made it. A load
            that changed no row makes no version, so later loads may say nothing new.
        footers: the SHA-256 of each file's footer (and the eight bytes behind it), by path; hexadecimal.
            Empty in manifests of early versions of Condvest.
        recorded: by what the next publication knows what it need not look at.
        months_from: the first year that is divided by month; None if every year is whole.
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
    through_load: int | None = None
    footers: Mapping[str, str] = field(default_factory=dict)
    recorded: Recorded = field(default_factory=Recorded)
    months_from: int | None = None

    @property
    def path(self) -> str:
        """The path of the copy of this manifest that stays when the version is no longer current."""
        return path_of(self.version)

    def all_files(self) -> list[PublishedFile]:
        """Return the files of all data sets."""
        return [file for files in self.files.values() for file in files]

    def without_footer(self) -> list[str]:
        """Return the paths of files of whose footers the manifest names no digest."""
        return [file.path for file in self.all_files() if file.path not in self.footers]

    def says_the_same(self, other: Manifest) -> bool:
        """Return whether the other manifest differs at most in version, published_at, and what was loaded.

        That a load came and changed nothing is nothing to say; ``loads`` names it with the next change.
        """
        same_division = self.months_from == other.months_from
        return same_division and _said(self) == _said(other) and self.recorded.says_the_same(other.recorded)

    def to_json(self) -> bytes:
        """Return the manifest as JSON."""
        header: dict[str, Any] = {
            "format": BY_YEAR if self.months_from is None else BY_MONTH,
            "version": self.version,
            "published_at": self.published_at.isoformat(),
        }
        if self.through_load is not None:
            header["through_load"] = self.through_load
        if self.months_from is not None:
            header["months_from"] = self.months_from
        # Beside the files, where earlier versions of Condvest look for nothing.
        footers = {"footers": dict(self.footers)} if self.footers else {}
        apart = _apart(self, "history", HISTORY) | _apart(self, "reports", REPORTS)
        more = apart | footers | self.recorded.document()
        return json.dumps(header | _content(self) | more, indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes, name: str) -> Manifest:
        """Return the manifest that `to_json` made; errors name the target ``name``.

        Raises:
            PublishedFormat: it has another format.
            PublishedError: it is damaged.
        """
        try:
            document: dict[str, Any] = json.loads(content)
            if document["format"] not in (BY_YEAR, BY_MONTH):
                raise PublishedFormat(
                    f"the published data set {name} has format {document['format']}, and this version of "
                    f"Condvest reads formats {BY_YEAR} and {BY_MONTH}: use the version that wrote it, or "
                    "publish elsewhere"
                )
            return cls(
                version=count_of(document["version"]),
                published_at=instant_of(document["published_at"]),
                database=str(document.get("database", "")),
                schema_version=count_of(document["schema_version"]),
                first_session=date_of(document["sessions"]["first"]),
                last_session=date_of(document["sessions"]["last"]),
                loaded_through={
                    int(provider): int(last) for provider, last in document["loaded_through"].items()
                },
                schema=document["schema"]
                | document.get("history_schema", {})
                | document.get("reports_schema", {}),
                through_load=document.get("through_load"),
                months_from=first_year_of(document.get("months_from")),
                footers={str(path): str(digest) for path, digest in document.get("footers", {}).items()},
                recorded=Recorded.of(document),
                files={
                    dataset: [_file(dataset, file) for file in files]
                    for dataset, files in (
                        document["files"] | document.get("history", {}) | document.get("reports", {})
                    ).items()
                },
            )
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise PublishedError(
                f"the manifest of the published data set {name} is damaged ({error}); remove {CURRENT} "
                "there and run condvest publish"
            ) from error


def path_of(version: int) -> str:
    """Return the path of the manifest of a version that is kept."""
    return f"{MANIFESTS}{version:08}.json"


def _content(manifest: Manifest) -> dict[str, Any]:
    first, last = manifest.first_session, manifest.last_session
    return {
        "database": manifest.database,
        "schema_version": manifest.schema_version,
        "sessions": {
            "first": first.isoformat() if first else None,
            "last": last.isoformat() if last else None,
        },
        "loaded_through": {str(provider): last for provider, last in manifest.loaded_through.items()},
        "schema": {name: columns for name, columns in manifest.schema.items() if name not in APART},
        "files": {
            name: [asdict(file) for file in files]
            for name, files in manifest.files.items()
            if name not in APART
        },
    }


def _apart(manifest: Manifest, key: str, datasets: Sequence[str]) -> dict[str, Any]:
    """Return what the JSON says of data sets that stand apart from the others; nothing if there are none."""
    files = {
        name: [asdict(file) for file in manifest.files[name]] for name in datasets if name in manifest.files
    }
    schema = {name: manifest.schema[name] for name in datasets if name in manifest.schema}
    return {f"{key}_schema": schema, key: files} if files else {}


def _said(manifest: Manifest) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    schemas = {name: manifest.schema[name] for name in APART if name in manifest.schema}
    files = {name: manifest.files[name] for name in APART if name in manifest.files and name not in OFTEN}
    often = tuple(f"{name}/" for name in OFTEN)
    footers = {path: digest for path, digest in manifest.footers.items() if not path.startswith(often)}
    return _content(manifest), {"schemas": schemas, "files": files}, footers


def _file(dataset: str, document: dict[str, Any]) -> PublishedFile:
    """Return the file that a manifest names.

    Raises:
        ValueError: it is no file of the data set, so nothing is read from elsewhere.
    """
    file = PublishedFile(**document)
    if not is_own(file.path) or file.path.rpartition("-")[0] != f"{dataset}/{file.part}":
        raise ValueError(f"{file.path!r} is no file of {dataset}")
    count_of(file.bytes), count_of(file.rows)
    return file
