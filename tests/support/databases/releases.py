"""A primary and a hot standby of any release of PostgreSQL, of those that npm has and of the embedded one."""

import fcntl
import os
import shutil
import socket
import subprocess
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from condvest.batch_layer.database.embedded.account import account_for
from condvest.batch_layer.database.embedded.binaries import find_binaries, major_of, version_of
from tests.support.databases.servers import _guarded, _run

SERVERS = Path(__file__).parents[3] / "build" / "servers"
_SETTINGS = (
    "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c shared_buffers=32MB "
    "-c wal_level=replica -c hot_standby=on"
)


@cache
def binaries_of(major):
    """Return the directory of a release's programs, installed if need be; 13 to 17, or the embedded one."""
    embedded = find_binaries()
    if major_of(version_of(embedded)) == str(major):
        return embedded
    SERVERS.mkdir(parents=True, exist_ok=True)
    with (SERVERS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        script = Path(__file__).with_name("install_servers.sh")
        done = subprocess.run([str(script)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        message = f"PostgreSQL {major} cannot be installed ({script.name}): {done.stderr[-500:]}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return SERVERS / "node_modules" / str(major) / "native" / "bin"


@contextmanager
def primary_and_standby(major):
    """Run two servers of a release; yield the URLs of their database ``postgres``, for a superuser.

    Nobody needs a password. The standby is a cold copy of the primary, and follows it.
    """
    binaries = binaries_of(major)
    with _server(binaries, "primary") as (root, account, start):
        _run(account, [binaries / "initdb", "-D", root / "data", "-U", "postgres"], _INITDB)
        with _server(binaries, "standby") as (copy, of_copy, start_copy):
            shutil.copytree(root / "data", copy / "data")
            port = start()
            address = f"host=127.0.0.1 port={port} user=postgres"
            (copy / "data" / "standby.signal").touch()
            with (copy / "data" / "postgresql.conf").open("a") as settings:
                settings.write(f"primary_conninfo = '{address}'\n")
            of_copy.own_tree(copy / "data")
            second = start_copy()
            yield (f"postgresql://postgres@127.0.0.1:{number}/postgres" for number in (port, second))


_INITDB = ["--auth=trust", "--encoding=UTF8", "--locale=C"]


@contextmanager
def _server(binaries, name):
    """Give a directory for a server, the account that runs it, and what starts it and returns its port."""

    def stopping(root):
        return [str(binaries / "pg_ctl"), "-D", str(root / "data"), "-m", "immediate", "stop"]

    with _guarded(stopping) as root:
        account = account_for(binaries, root)
        account.own(root)

        def start():
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            command = [binaries / "pg_ctl", "-D", root / "data", "-w", "-l", root / "data" / f"{name}.log"]
            _run(account, command, ["-o", f"{_SETTINGS} -p {port}", "start"])
            return port

        yield root, account, start
