"""The versions of a published data set in one target: which is current, which stay."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from condvest.batch_layer.shared.errors import PublishedError, PublishedFormat
from condvest.batch_layer.shared.published.manifest import CURRENT, MANIFESTS, Manifest
from condvest.batch_layer.shared.published.target import PublishTarget


def current_manifest(target: PublishTarget) -> Manifest | None:
    """Return the manifest of the current version; None if nothing has been published there.

    Raises:
        PublishedError, PublishedUnavailable: it cannot be read, or another version of Condvest wrote it.
    """
    return manifest_of(target.read(CURRENT), target)


def manifest_of(content: bytes | None, target: PublishTarget) -> Manifest | None:
    """Return the manifest whose bytes were read in the target; None if there was none.

    Raises:
        PublishedError: it is damaged, or another version of Condvest wrote it.
    """
    return None if content is None else Manifest.from_json(content, target.name)


def manifests_of(target: PublishTarget) -> list[Manifest]:
    """Return the manifests of all versions that are kept, the current one last; none if nothing is published.

    Raises:
        PublishedError, PublishedUnavailable: the current one cannot be read.
    """
    current = current_manifest(target)
    if current is None:
        return []
    paths = sorted(path for path in target.sizes() if path.startswith(MANIFESTS) and path < current.path)
    return [*filter(None, (_manifest_at(target, path) for path in paths)), current]


def switch(target: PublishTarget, manifest: Manifest, seen: bytes | None) -> None:
    """Make a version current, if ``seen`` (bytes, None for nothing) still is the current manifest.

    Raises:
        PublishedError, PublishedUnavailable: it is not, or the target cannot be written; nothing switched.
    """
    if not target.replace(seen, manifest.to_json(), CURRENT):
        # Each database locks only its own publications, so another database may have published meanwhile.
        raise PublishedError(
            f"another publication in {target.name} came first; nothing was switched. If it came from "
            "another database, give each its own target with --to; then run the command again"
        )


def newest_manifest(target: PublishTarget, sizes: Mapping[str, int]) -> Manifest | None:
    """Return the newest version whose manifest is whole, for a target without a current version.

    Raises:
        PublishedFormat: another version of Condvest wrote a newer one.
    """
    paths = sorted((path for path in sizes if path.startswith(MANIFESTS)), reverse=True)
    return next(filter(None, (_manifest_at(target, path) for path in paths)), None)


def remove_unneeded(target: PublishTarget, current: Manifest, keep: int) -> int:
    """Remove the versions that are too old, and every file that no other version names.

    The current version stays, and the newest ``keep`` before it. Nothing is removed if another publication
    has switched meanwhile, or if another version of Condvest wrote one of the manifests. Files that Condvest
    did not write stay, whatever their names: a manifest is ours if it can be read, a file of data if a
    manifest names it, or if its name holds the digest of its bytes (a killed run left it).

    Returns:
        The number of files removed.
    """
    sizes = target.sizes()
    if current_manifest(target) != current:
        return 0
    older = sorted(path for path in sizes if path.startswith(MANIFESTS) and path < current.path)
    try:
        manifests = {path: manifest for path in older if (manifest := _manifest_at(target, path)) is not None}
    except PublishedFormat:
        return 0
    kept = dict(list(manifests.items())[-keep:] if keep else ())
    needed = {current.path, *_files_of(current), *kept}.union(*map(_files_of, kept.values()))
    named = needed.union(manifests, *map(_files_of, manifests.values()))
    gone = [
        path
        for path in sizes.keys() - needed
        if path in named or (not path.startswith(MANIFESTS) and _bears_its_digest(target, path))
    ]
    # Versions go before the files that they name.
    for path in sorted(gone, key=lambda path: not path.startswith(MANIFESTS)):
        target.remove(path)
    return len(gone)


def _files_of(manifest: Manifest) -> set[str]:
    return {file.path for file in manifest.all_files()}


def _bears_its_digest(target: PublishTarget, path: str) -> bool:
    """Return whether a file's name holds the digest of its bytes, as ours do."""
    content = target.read(path)
    digest = path.rpartition("-")[2].partition(".")[0]
    return content is not None and hashlib.sha256(content).hexdigest().startswith(digest)


def _manifest_at(target: PublishTarget, path: str) -> Manifest | None:
    """Return the manifest of a version to keep; None if it is gone or damaged, which protects no file."""
    content = target.read(path)
    try:
        return None if content is None else Manifest.from_json(content, f"{target.name}/{path}")
    except PublishedFormat:
        raise
    except PublishedError:
        return None
