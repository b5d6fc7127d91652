"""The account that the embedded server runs under, for PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from batch_layer.database.embedded.binaries import version_of
from batch_layer.shared.errors import DatabaseError

NOBODY = 65534
"""User and group of the server that root starts on a directory which is no other user's."""


@dataclass(frozen=True)
class ServerAccount:
    """How the server's programs are run.

    Attributes:
        uid: owner that the server's files must have, as this process sees it.
        gid: group of those files.
        prefix: what stands before a program on the command line; empty when run as we are.
        version: what ``postgres`` reports when it is run that way.
    """

    uid: int
    gid: int
    prefix: tuple[str, ...]
    version: str

    def own(self, path: Path) -> None:
        """Give one file or directory to the account. Only root ever has to."""
        status = path.lstat()
        if status.st_uid != self.uid:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def own_tree(self, top: Path) -> None:
        """Give a whole tree to the account, the top last: a killed run is seen, and done again.

        Raises:
            DatabaseError: the tree belongs to somebody else and we are not root.
        """
        owner = top.stat().st_uid
        if owner == self.uid:
            return
        if os.geteuid() != 0:
            raise DatabaseError(
                f"the database in {top} belongs to user id {owner}, and this is user id {os.geteuid()}. Run "
                f"Condvest as that user, or hand it over (as root: chown -R {os.geteuid()} {top.parent}), or "
                "set CONDVEST_HOME to a directory of your own"
            )
        for directory, _, files in os.walk(top, topdown=False):
            for name in files:
                self.own(Path(directory, name))
            self.own(Path(directory))


def account_for(binaries: Path, root: Path) -> ServerAccount:
    """Choose the account: ourselves, or when we are root one that PostgreSQL accepts.

    Root runs the server as the owner of ``root``, the directory of all the server's files; if that is root
    too, as ``nobody`` with the one capability that lets it reach a private home, else in a user namespace,
    in which root's own files are ``nobody``'s. Each way is tried by running ``postgres --version``.

    Raises:
        DatabaseError: no way works; the message says what each one answered.
    """
    if os.geteuid() != 0:
        return ServerAccount(os.geteuid(), os.getegid(), (), version_of(binaries))
    refusals = []
    for uid, gid, prefix in _ways_for_root(root):
        try:
            return ServerAccount(uid, gid, prefix, version_of(binaries, prefix))
        except DatabaseError as exc:
            refusals.append(str(exc))
    raise DatabaseError(
        "PostgreSQL does not run as root, and neither setpriv nor unshare (both of util-linux) could run it "
        "as somebody else. Run Condvest as an ordinary user, or set CONDVEST_DATABASE_URL to a server. "
        "They answered: " + "; ".join(refusals)
    )


def _ways_for_root(root: Path) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    uid, gid = NOBODY, NOBODY
    status = root.stat()
    if status.st_uid != 0:
        # A user's own database, opened by root: the user must be able to open it again afterwards.
        uid, gid = status.st_uid, status.st_gid
    yield (
        uid,
        gid,
        (
            *("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"),
            *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
        ),
    )
    yield 0, 0, ("unshare", "--user", f"--map-user={NOBODY}")
