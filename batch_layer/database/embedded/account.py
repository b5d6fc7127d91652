"""The account that the embedded server runs under, and who may log in to it.

What each choice protects is in docs/security.md.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from condvest.batch_layer.database.embedded.binaries import version_of
from condvest.batch_layer.shared.errors import DatabaseError

if sys.platform != "win32":
    import pwd

NOBODY = 65534
"""The last resort of root. Inside a user namespace, also how every stranger looks."""

OWN_ACCOUNTS = ("condvest", "postgres")
"""Accounts that root prefers to `NOBODY`, if the system has them."""

# Writes standard input to a file beside the wanted one, then renames it, so that a reader sees the old text
# or the new one. It runs as the account: a link that somebody laid there reaches no further than the account.
_WRITE = 'umask 077; rm -f -- "$1.new" && cat >"$1.new" && mv -f -- "$1.new" "$1"'


@dataclass(frozen=True)
class ServerAccount:
    """How the server's programs are run.

    Attributes:
        uid: owner that the server's files must have, as this process sees it.
        gid: group of those files.
        prefix: what stands before a program on the command line; empty when run as we are.
        version: what ``postgres`` reports when it is run that way.
        callers: the operating system's names, as the server sees them, of those who may log in.
    """

    uid: int
    gid: int
    prefix: tuple[str, ...]
    version: str
    callers: tuple[str, ...] = ()

    def own(self, path: Path) -> None:
        """Give one file or directory to the account. Only root ever has to."""
        status = path.lstat()
        if status.st_uid != self.uid:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def own_files_in(self, directory: Path) -> None:
        """Give a directory and the plain files in it to the account, without following a link. Root only.

        Raises:
            DatabaseError: it is a link, or belongs to somebody else.
        """
        if os.geteuid() != 0:
            return
        try:
            opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except NotADirectoryError as exc:
            raise DatabaseError(f"{directory} is a link or no directory; root does not follow it") from exc
        try:
            owner = os.fstat(opened).st_uid
            if owner not in (0, self.uid, NOBODY):
                raise DatabaseError(f"{directory} belongs to user id {owner}; root does not take it over")
            for name in os.listdir(opened):  # noqa: PTH208  # of a descriptor, which no link can change
                status = os.stat(name, dir_fd=opened, follow_symlinks=False)
                # A second name of the file may be anywhere.
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid != self.uid:
                    os.chown(name, self.uid, self.gid, dir_fd=opened, follow_symlinks=False)
            if owner != self.uid:
                os.fchown(opened, self.uid, self.gid)
        finally:
            os.close(opened)

    def own_tree(self, top: Path) -> None:
        """Give a whole tree to the account, the top last: a killed run is seen, and done again.

        Raises:
            DatabaseError: the tree belongs to somebody else and we are not root, or root finds a link.
        """
        is_root = os.geteuid() == 0
        status = top.lstat() if is_root else top.stat()
        if is_root and not stat.S_ISDIR(status.st_mode):
            raise DatabaseError(f"{top} is a link or no directory; root does not follow it")
        if status.st_uid == self.uid:
            return
        if not is_root:
            raise DatabaseError(
                f"the database in {top} belongs to user id {status.st_uid}, and this is user id "
                f"{os.geteuid()}. Run Condvest as that user, or hand it over (as root: chown -R "
                f"{os.geteuid()} {top.parent}), or set CONDVEST_HOME to a directory of your own"
            )
        for _, directories, files, opened in os.fwalk(top, topdown=False):
            for name in (*files, *directories):
                os.chown(name, self.uid, self.gid, dir_fd=opened, follow_symlinks=False)
        os.chown(top, self.uid, self.gid, follow_symlinks=False)

    def write(self, path: Path, text: str) -> None:
        """Write a file of the account's, mode 0600, in one step.

        Raises:
            OSError: the account may not write there.
        """
        done = subprocess.run(
            [*self.prefix, "/bin/sh", "-c", _WRITE, "sh", str(path)],
            input=text.encode("utf-8", "surrogateescape"),
            capture_output=True,
            check=False,
            cwd="/",
        )
        if done.returncode != 0:
            raise PermissionError(f"cannot write {path}: {done.stderr.decode(errors='replace').strip()}")


def give_new(root: Path) -> None:
    """Give the server's directory, which root has just made, to the user whose home it lies in.

    Not if that user could not run a server there: without a name, or where only root may enter.
    """
    owner = root.parent.stat()
    if os.geteuid() != 0 or owner.st_uid in (0, NOBODY) or _name_of(owner.st_uid) is None:
        return
    if _may_enter(root.parent, _switched(owner.st_uid, owner.st_gid)):
        os.chown(root, owner.st_uid, owner.st_gid, follow_symlinks=False)


def account_for(binaries: Path, root: Path) -> ServerAccount:
    """Choose the account: ourselves, or when we are root one that PostgreSQL accepts.

    Root runs the server on another user's directory as that user. On its own directory it runs the server in
    a user namespace, without any capability and with root's own files; where the system has no user
    namespaces, as an account of its own (``condvest`` or ``postgres``) or as ``nobody``.

    A user id without a name, as in many containers, has one in a user namespace.

    Each way is tried by running ``postgres --version``.

    Args:
        binaries: directory of the server's programs.
        root: directory of all the server's files.

    Raises:
        DatabaseError: no way works; the message says what each one answered.
    """
    us = os.geteuid()
    if us != 0:
        name = _name_of(us)
        if name is not None:
            root_name = _name_of(0)
            names = (name,) if root_name is None else (name, root_name)
            return ServerAccount(us, os.getegid(), (), version_of(binaries), names)
        advice = (
            f"user id {us} has no name, and PostgreSQL needs one. Add it to /etc/passwd, or run Condvest as "
            "a user that is there, or set CONDVEST_DATABASE_URL to a server"
        )
        ways = list(_in_namespace(us, os.getegid()))
    else:
        advice = (
            "PostgreSQL does not run as root, and neither unshare nor setpriv (both of util-linux) could run "
            "it as somebody else. Run Condvest as an ordinary user, or set CONDVEST_DATABASE_URL to a server"
        )
        ways = list(_ways_for_root(root))
    refusals = []
    for uid, gid, prefix, callers in ways:
        try:
            return ServerAccount(uid, gid, prefix, version_of(binaries, prefix), callers)
        except DatabaseError as exc:
            refusals.append(str(exc))
    answers = "; ".join(refusals) or "there is no account but root and nobody, as whom it could run"
    raise DatabaseError(f"{advice}. The system answered: {answers}")


_Way = tuple[int, int, tuple[str, ...], tuple[str, ...]]
"""User, group, prefix, callers."""


def _ways_for_root(root: Path) -> Iterator[_Way]:
    status = root.stat()
    callers = (_name_of(0) or "root",)
    # Up to version 0.1, nobody owned the server that root started.
    if status.st_uid not in (0, NOBODY):
        name = _name_of(status.st_uid)
        yield (
            status.st_uid,
            status.st_gid,
            _switched(status.st_uid, status.st_gid),
            callers if name is None else (name, *callers),
        )
        return
    yield from _in_namespace(0, 0)
    uid, gid = _account_of_its_own()
    prefix = _switched(uid, gid)
    if not _may_enter(root.parent, prefix):
        # Strangers of the account, which lack the capability, cannot enter either.
        prefix += ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    yield uid, gid, prefix, callers


def _in_namespace(uid: int, gid: int) -> Iterator[_Way]:
    """Yield the way by a user namespace, in which we are some named user and everybody else is nobody.

    There is none where only root and nobody have names, as in the smallest images of containers.
    """
    for named in pwd.getpwall():
        if named.pw_uid not in (0, NOBODY):
            yield uid, gid, ("unshare", "--user", f"--map-user={named.pw_uid}"), (named.pw_name,)
            return


def _switched(uid: int, gid: int) -> tuple[str, ...]:
    return ("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups")


def _account_of_its_own() -> tuple[int, int]:
    for name in OWN_ACCOUNTS:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return user.pw_uid, user.pw_gid
    return NOBODY, NOBODY


def _may_enter(directory: Path, prefix: tuple[str, ...]) -> bool:
    command = [*prefix, "/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory)]
    try:
        return subprocess.run(command, capture_output=True, check=False, cwd="/").returncode == 0
    except OSError:
        return True  # there is no such program; the way fails when it is tried


def _name_of(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
