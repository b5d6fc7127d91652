"""Which database a published data set is from, and whether it is this one or a copy of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from condvest.batch_layer.shared.errors import PublishedError
from condvest.batch_layer.shared.published.manifest import Manifest
from condvest.batch_layer.shared.published.target import PublishTarget


@dataclass(frozen=True)
class DataDirectory:
    """The directory of an embedded database.

    Attributes:
        number: what tells it from a copy: its inode, which stays when it is moved within its disk.
        holds_target: whether the published data lie in the same home, and are moved and copied with it.
    """

    number: int
    holds_target: bool

    @classmethod
    def of(cls, home: Path, target: Path | str) -> DataDirectory:
        """Return the directory of a home's server, which must be there.

        Args:
            home: the home.
            target: where it publishes; text for a bucket.
        """
        holds = isinstance(target, Path) and target.resolve().is_relative_to(home.resolve())
        return cls((home / "postgres" / "data").stat().st_ino, holds)


def owner_named(identity: str, directory: DataDirectory | None, before: str) -> str | None:
    """Return what a manifest says of the database that publishes; None if ``before`` names another one.

    Args:
        identity: of the database, ``system identifier/number``; a copied data directory has the same.
        directory: where an embedded one lies; None of a server that others run.
        before: what the manifest of the version before says: an identity, with the number of its directory
            behind another slash if it is known; "" of a very early version.
    """
    own = identity if directory is None else f"{identity}/{directory.number}"
    if before in ("", identity, own):
        return own
    if before.rpartition("/")[0] != identity:
        return None
    if directory is None:
        return before  # the same server, reached by its URL
    return own if directory.holds_target else None


def owner_of(
    identity: str,
    directory: DataDirectory | None,
    before: Manifest | None,
    target: PublishTarget,
    *,
    take_over: bool,
) -> str:
    """Return what the next manifest says of the database that publishes; see `owner_named`.

    Raises:
        PublishedError: the version before comes from another database, or from the home that this one is a
            copy of, and ``take_over`` is false; the message says what to do.
    """
    then = before.database if before else ""
    own = owner_named(identity, directory, then)
    if own is None and take_over:
        return owner_named(identity, directory, "") or ""
    if own is None:
        is_copy = then.startswith(f"{identity}/")
        which = "the home that this one is a copy of" if is_copy else "another database"
        named = owner_named(identity, directory, "") if is_copy else identity
        raise PublishedError(
            f"the data set in {target.name} comes from {which} ({then}; this one is {named}), and each would "
            "undo what the other publishes. Publish elsewhere with --to; or, if this database was restored "
            "or rebuilt and replaces the other, run condvest publish --take-over"
        )
    return own
