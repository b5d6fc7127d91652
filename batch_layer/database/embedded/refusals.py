"""What the operating system refuses the embedded server, in words that say what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from condvest.batch_layer.shared.errors import CondvestError, DatabaseError, DatabaseFull


def refusal(root: Path, exc: OSError) -> CondvestError:
    """Return the error that names the file, says why, and what to do about it.

    Args:
        root: the folder of the server.
        exc: what the operating system said.
    """
    what = f"the embedded PostgreSQL in {root}: {exc}"
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return DatabaseFull(f"{what}. Free some space, or set CONDVEST_HOME to another disk")
    if exc.errno == errno.EROFS:
        return DatabaseError(
            f"{what}. Make its disk writable, or set CONDVEST_HOME to another directory. Published data "
            "can be read without a database: --source published"
        )
    if exc.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG):
        return DatabaseError(f"{what}. Set CONDVEST_HOME to a directory, or move away what has its name")
    if exc.errno in (errno.EACCES, errno.EPERM):
        return DatabaseError(
            f"{what}. It belongs to another user (root, perhaps). Run Condvest as that user, or hand it "
            f"over (as root: chown -R {os.geteuid()} {root}), or set CONDVEST_HOME to a directory of "
            "your own"
        )
    if exc.errno in (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
        return DatabaseError(f"{what}. Its disk knows no locks: set CONDVEST_HOME to a local disk")
    return DatabaseError(f"{what}. Look at the disk, or set CONDVEST_HOME to another directory")
