"""The versions of a published data set in one target: which is current, who made them, which stay."""

from __future__ import annotations

from collections.abc import Mapping

from batch_layer.shared.errors import PublishedError, PublishedFormat
from batch_layer.shared.published.manifest import CURRENT, MANIFESTS, Manifest
from batch_layer.shared.published.target import PublishTarget


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
    return next(filter(None, (_kept(target, path) for path in paths)), None)


def check_owner(before: Manifest | None, own: str, target: PublishTarget) -> None:
    """Check that the published data set comes from the database ``own``.

    Raises:
        PublishedError: it comes from another one; the message says what to do.
    """
    if before is not None and before.database not in ("", own):
        raise PublishedError(
            f"the data set in {target.name} comes from another database ({before.database}; this one is "
            f"{own}), and each would undo what the other publishes. Publish elsewhere with --to; or, if this "
            "database was restored or rebuilt and replaces the other, run condvest publish --take-over"
        )


def remove_unneeded(target: PublishTarget, current: Manifest, keep: int) -> int:
    """Remove the versions that are too old, and every file that no other version names.

    The current version stays, and the newest ``keep`` before it; one whose manifest is damaged protects no
    file. Nothing is removed if another publication has switched meanwhile, or if another version of Condvest
    wrote one of the manifests. Files that Condvest did not write stay.

    Returns:
        The number of files removed.
    """
    sizes = target.sizes()
    if current_manifest(target) != current:
        return 0
    older = sorted(path for path in sizes if path.startswith(MANIFESTS) and path < current.path)
    needed = {current.path, *(file.path for file in current.all_files())}
    try:
        kept = {path: _kept(target, path) for path in (older[-keep:] if keep else ())}
    except PublishedFormat:
        return 0
    for path, manifest in kept.items():
        if manifest is not None:
            needed |= {path, *(file.path for file in manifest.all_files())}
    # Versions go before the files that they name.
    gone = sorted(set(sizes) - needed, key=lambda path: not path.startswith(MANIFESTS))
    for path in gone:
        target.remove(path)
    return len(gone)


def _kept(target: PublishTarget, path: str) -> Manifest | None:
    """Return the manifest of a version to keep; None if it is gone or damaged, which protects no file."""
    content = target.read(path)
    try:
        return None if content is None else Manifest.from_json(content, f"{target.name}/{path}")
    except PublishedFormat:
        raise
    except PublishedError:
        return None
