"""The versions of a published data set in one place: which is current, whose they are, which stay."""

from __future__ import annotations

from collections.abc import Mapping

from batch_layer.shared.errors import PublishedError, PublishedFormat
from batch_layer.shared.published.manifest import CURRENT, MANIFESTS, Manifest
from batch_layer.shared.published.target import PublishTarget


def current_manifest(place: PublishTarget) -> Manifest | None:
    """Return the manifest of the current version; None if nothing has been published there.

    Raises:
        PublishedError, PublishedUnavailable: it cannot be read, or was written by another version.
    """
    return manifest_of(place.read(CURRENT), place)


def manifest_of(content: bytes | None, place: PublishTarget) -> Manifest | None:
    """Return the manifest that was read in the place; None if there was none.

    Raises:
        PublishedError: it is damaged, or was written by another version.
    """
    return None if content is None else Manifest.from_json(content, place.name)


def switch(place: PublishTarget, manifest: Manifest, seen: bytes | None) -> None:
    """Make a version current, if what was ``seen`` as the current one's manifest still is.

    Raises:
        PublishedError, PublishedUnavailable: it is not, or the place cannot be written; nothing was switched.
    """
    if not place.replace(seen, manifest.to_json(), CURRENT):
        # The lock of a publication is its database's own, so another one may have published meanwhile.
        raise PublishedError(
            f"somebody else published in {place.name} meanwhile; nothing was switched. If it was "
            "another database, give each a place of its own with --to; then run the command again"
        )


def newest_manifest(place: PublishTarget, held: Mapping[str, int]) -> Manifest | None:
    """Return the newest version whose manifest is whole, for where there is no current one.

    Raises:
        PublishedFormat: another version of Condvest wrote a newer one.
    """
    paths = sorted((path for path in held if path.startswith(MANIFESTS)), reverse=True)
    return next(filter(None, (_kept(place, path) for path in paths)), None)


def check_owner(before: Manifest | None, own: str, place: PublishTarget) -> None:
    """Check that what is published in the place is of the database ``own``.

    Raises:
        PublishedError: it is of another one; the message says what to do.
    """
    if before is not None and before.database not in ("", own):
        raise PublishedError(
            f"what is published in {place.name} is from another database ({before.database}, and this one is "
            f"{own}): each would undo what the other publishes. Publish elsewhere with --to; or, if this "
            "database was restored or rebuilt and takes the other's place, run condvest publish --take-over"
        )


def remove_unneeded(place: PublishTarget, current: Manifest, keep: int) -> int:
    """Remove the versions that are too old, and every file that none of the others names.

    The current version stays, and ``keep`` before it, the newest; one whose manifest is damaged keeps
    nothing. Nothing is removed where somebody else has switched to another version meanwhile, or where
    another version of Condvest keeps what is its own. What nobody published in the place is not touched.

    Returns:
        How many files were removed.
    """
    held = place.sizes()
    if current_manifest(place) != current:
        return 0
    older = sorted(path for path in held if path.startswith(MANIFESTS) and path < current.path)
    needed = {current.path, *(file.path for file in current.all_files())}
    try:
        kept = {path: _kept(place, path) for path in (older[-keep:] if keep else ())}
    except PublishedFormat:
        return 0
    for path, manifest in kept.items():
        if manifest is not None:
            needed |= {path, *(file.path for file in manifest.all_files())}
    # Versions go before the files that they name.
    gone = sorted(set(held) - needed, key=lambda path: not path.startswith(MANIFESTS))
    for path in gone:
        place.remove(path)
    return len(gone)


def _kept(place: PublishTarget, path: str) -> Manifest | None:
    """Return the manifest of a version that is kept; None if it is damaged: then it keeps nothing."""
    content = place.read(path)
    try:
        return None if content is None else Manifest.from_json(content, f"{place.name}/{path}")
    except PublishedFormat:
        raise
    except PublishedError:
        return None
