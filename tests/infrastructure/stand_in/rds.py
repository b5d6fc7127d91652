"""PostgreSQL as RDS serves it: over TLS alone, with an administrator who has a password, and with rds_iam.

TLS ends before the server, whose build knows none. The users of the functions and jobs are let in whatever
token they send: the server knows no AWS. That the token is right is for the unit tests.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from batch_layer.database.binaries import find_binaries
from batch_layer.database.server_account import account_for
from tests.integration.servers import _guarded, _run

ADMIN, PASSWORD = "condvest_admin", "kept-in-a-secret"

ACCESS = """\
local all all trust
host  all condvest_loader,condvest_jobs 127.0.0.1/32 trust
host  all all 127.0.0.1/32 scram-sha-256
"""

SSL_REQUEST = bytes([0, 0, 0, 8, 4, 210, 22, 47])
"""https://www.postgresql.org/docs/current/protocol-message-formats.html"""


@dataclass(frozen=True)
class Instance:
    """A server that runs.

    Attributes:
        url: of the administrator, with the password.
        bundle: file of the authority that vouches for it.
        local: URL for the tests, past TLS and passwords.
    """

    url: str
    bundle: Path
    local: str


@contextmanager
def instance(folder):
    """Run a server; its certificate is made in ``folder``. It has RDS's port, on an address of its own."""
    address = _address()
    bundle, key = folder / "bundle.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key,
            "-out", bundle, "-subj", "/CN=rds", "-addext", f"subjectAltName=IP:{address}",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    binaries = find_binaries()
    with _guarded(
        lambda root: [str(binaries / "pg_ctl"), "-D", str(root / "data"), "-m", "immediate", "stop"]
    ) as root:
        account = account_for(binaries, root)
        account.own(root)
        _run(
            account,
            [binaries / "initdb", "-D", root / "data", "-U", "postgres"],
            ["--auth=trust", "--encoding=UTF8"],
        )
        (root / "data" / "pg_hba.conf").write_text(ACCESS)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = (
            f"-c listen_addresses=127.0.0.1 -c unix_socket_directories={root} -c port={port} -c fsync=off"
        )
        command = [binaries / "pg_ctl", "-D", root / "data", "-w", "-l", root / "data" / "log"]
        _run(account, command, ["-o", settings, "start"])
        local = f"postgresql://postgres@/condvest?host={root}&port={port}"
        with psycopg.connect(local.replace("/condvest?", "/postgres?"), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {ADMIN} LOGIN CREATEROLE CREATEDB PASSWORD '{PASSWORD}'")
            connection.execute("CREATE ROLE rds_iam")
            connection.execute(f"GRANT rds_iam TO {ADMIN} WITH ADMIN OPTION")
            connection.execute(f"CREATE DATABASE condvest OWNER {ADMIN}")
        with _behind_tls(address, port, bundle, key):
            yield Instance(f"postgresql://{ADMIN}:{PASSWORD}@{address}/condvest", bundle, local)


def _address():
    """An address of this machine that no other run of the tests uses."""
    number = os.getpid()
    return f"127.77.{number // 250 % 250}.{number % 250 + 1}"


@contextmanager
def _behind_tls(address, port, certificate, key):
    """Take connections over TLS and no others, and hand them to the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server((address, 5432)) as listening:
        threading.Thread(target=_accept, args=(listening, context, port), daemon=True).start()
        yield
        listening.shutdown(socket.SHUT_RDWR)


def _accept(listening, context, port):
    while True:
        try:
            plain, _ = listening.accept()
        except OSError:
            return  # the end
        threading.Thread(target=_serve, args=(plain, context, port), daemon=True).start()


def _serve(plain, context, port):
    if plain.recv(8, socket.MSG_WAITALL) != SSL_REQUEST:
        plain.close()
        return
    plain.sendall(b"S")
    with (
        context.wrap_socket(plain, server_side=True) as client,
        socket.create_connection(("127.0.0.1", port)) as server,
    ):
        other = {client: server, server: client}
        try:
            while True:
                # What TLS has read ahead makes no socket ready.
                ready = [client] if client.pending() else select.select([client, server], [], [])[0]
                for one in ready:
                    data = one.recv(65536)
                    if not data:
                        return
                    other[one].sendall(data)
        except OSError:
            return  # one side is gone: so is the connection
