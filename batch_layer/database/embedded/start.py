"""Starting the server of a home where none lives.

Apart from `local_server`, which imports this module when it has to start one: who comes to a running server
waits for none of it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from condvest.batch_layer.database.embedded.account import ServerAccount, account_for
from condvest.batch_layer.database.embedded.binaries import find_binaries
from condvest.batch_layer.database.embedded.cluster import (
    check_major,
    make_cluster,
    server_environment,
    write_settings,
)
from condvest.batch_layer.database.embedded.listening import read_listening
from condvest.batch_layer.database.embedded.process import name_for_server, read_pid_file, server_pid
from condvest.batch_layer.database.embedded.socket_directory import (
    choose_socket_directory,
    prepare_socket_directory,
)
from condvest.batch_layer.shared.errors import DatabaseError

# The shell leaves the server in the background and ends, so that the server is nobody's child: no zombie is
# left when it stops before us. Arguments are handed over as they are, whatever characters they hold. The
# shell runs as the account, so that a link in the place of the log leads no further than the account may go.
_DETACHED = 'umask 077; log=$1; shift; exec >>"$log" 2>&1 && { "$@" & }'

_NO_PROCESS = 2**31 - 1
_LONGEST_LOG = 8 * 2**20


def start(home: Path, root: Path, binaries: Path | None, *, lock: int) -> int:
    """Start a server, with a new data directory if there is none; return where in the log it begins.

    Args:
        home: whose server.
        root: directory of everything of the server's: ``data`` and ``log`` lie in it.
        binaries: directory of the server's programs, or None to find them.
        lock: descriptor of the lock that the server's processes keep while one of them lives.

    Raises:
        DatabaseError, DatabaseFull: it cannot be started; the message says what to do.
    """
    data, log = root / "data", root / "log"
    binaries = find_binaries(binaries)
    account = account_for(binaries, root)
    if not data.exists():
        make_cluster(data, account, binaries, lock=lock)
    check_major(data, account, binaries)
    # Root on a user's database leaves nothing behind that the user could not open again.
    account.own_files_in(root)
    account.own_tree(data)
    disown_pid_file(data)
    directory = choose_socket_directory(home, os.environ, os.fstat(lock))
    prepare_socket_directory(directory, account)
    write_settings(data, account, directory, read_listening(root))
    if log.exists() and log.stat().st_size > _LONGEST_LOG:
        log.replace(log.with_name("log.old"))
    begin = log.stat().st_size if log.exists() else 0
    launch(data, account, binaries, log, lock=lock)
    return begin


def launch(data: Path, account: ServerAccount, binaries: Path, log: Path, *, lock: int) -> None:
    """Start the server on ``data`` and return at once; it writes to ``log`` and keeps ``lock`` till it ends.

    It lives in a session of its own: Ctrl-C and the end of a terminal do not reach it.

    Raises:
        DatabaseError: the account may not write to ``log``.
    """
    server = (binaries / "postgres", "-D", name_for_server(data))
    launched = subprocess.run(
        [*account.prefix, "/bin/sh", "-c", _DETACHED, "sh", log, *server],
        check=False,
        cwd=data,
        env=server_environment(),
        pass_fds=(lock,),
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    if launched.returncode != 0:
        said = launched.stderr.decode(errors="replace").strip()
        raise DatabaseError(f"the server cannot write its log {log}: {said}")


def disown_pid_file(data: Path) -> None:
    """Let a stale pid file name no process, for PostgreSQL refuses to start when it names a living one.

    The rest of the file is kept: by it PostgreSQL finds out whether old server processes are still
    attached to the shared memory of this directory, and then refuses.

    Raises:
        DatabaseError: a server runs on ``data`` that Condvest has not started.
    """
    file = read_pid_file(data)
    path = data / "postmaster.pid"
    if file is None:
        path.unlink(missing_ok=True)  # empty, or not a pid file: PostgreSQL would refuse it
    elif server_pid(data) is not None:
        raise DatabaseError(
            f"a PostgreSQL server that Condvest did not start runs on {data} (process {file.pid}). "
            f"Stop it: pg_ctl -D {data} stop"
        )
    else:
        first, _, rest = path.read_bytes().partition(b"\n")
        path.write_bytes(str(_NO_PROCESS).encode().ljust(len(first)) + b"\n" + rest)
