"""Amazon RDS as far as logging in goes: a real PostgreSQL behind TLS that takes IAM's tokens for passwords.

The embedded server knows neither TLS nor PAM, so what stands before it ends TLS and asks, in place of PAM,
for the password of each member of rds_iam: it checks the token's signature by the published rules, with the
secret key that `aws_world` gives to the clients. Everybody else logs in by the server's own rules.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

import datetime as dt
import hashlib
import hmac
import itertools
import os
import select
import socket
import ssl
import struct
import threading
from contextlib import contextmanager
from urllib.parse import parse_qsl, quote, urlsplit

import psycopg

from condvest.batch_layer.database.embedded.account import account_for
from condvest.batch_layer.database.embedded.binaries import find_binaries
from tests.support.aws import artefacts
from tests.support.aws.emulated import credentials
from tests.support.databases.authorities import Authority
from tests.support.databases.servers import _guarded, _run

ADMIN, PASSWORD = "condvest_admin", "made-by-RDS"
PORT = 5432
_SERVICE, _LASTS = "rds-db", 900
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_ACCESS = f"""\
local all all trust
host  all {ADMIN} 127.0.0.1/32 scram-sha-256
host  all +rds_iam 127.0.0.1/32 trust
host  all all 127.0.0.1/32 scram-sha-256
"""
_numbers = itertools.count(77)


def is_token(user, token, server, now):
    """Tell whether IAM would take a token for a user of a server (``host:port``) at an instant."""
    parts = urlsplit(f"https://{token}")
    asked = dict(parse_qsl(parts.query))
    signature = asked.pop("X-Amz-Signature", "")
    try:
        signed = dt.datetime.strptime(asked["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
        age = (now - signed).total_seconds()
        is_meant = (parts.netloc, asked["DBUser"], asked["Action"]) == (server, user, "connect")
        lasts = min(int(asked["X-Amz-Expires"]), _LASTS)
        region = asked["X-Amz-Credential"].split("/")[2]
    except (KeyError, ValueError, IndexError):
        return False
    query = "&".join(f"{quote(name, safe='')}={quote(asked[name], safe='')}" for name in sorted(asked))
    nothing = hashlib.sha256(b"").hexdigest()
    request = f"GET\n/\n{query}\nhost:{parts.netloc}\n\nhost\n{nothing}"
    scope = f"{signed:%Y%m%d}/{region}/{_SERVICE}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{asked['X-Amz-Date']}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials()['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    return is_meant and -1 < age <= lasts and hmac.compare_digest(key.hex(), signature)


class Rds:
    """The server.

    Attributes:
        address: where it listens, on RDS's own port; its certificate is for this address.
        authorities: file of the authority that vouches for it, which is that of all that is built here.
        strangers: file of another authority.
        local: URL for the tests, past TLS and passwords.
        ahead: how far the stand-in for IAM is ahead of the clock.
    """

    def __init__(self, folder, local, port):
        # An address of this machine that no other run of the tests uses.
        number = os.getpid()
        self.address = f"127.{next(_numbers)}.{number // 250 % 250}.{number % 250 + 1}"
        self.local, self._port = local, port
        ours = artefacts.authority()
        self.authorities, self.strangers = ours.path, Authority.made(folder / "strangers.pem").path
        self.ahead = dt.timedelta(0)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(ours.certificate(folder, self.address))

    def url(self, user, host=None, password=""):
        """Return a user's URL; with ``host`` the same server by another name."""
        login = quote(user) + (f":{quote(password)}" if password else "")
        address = (
            f"{host}:{PORT}/condvest?hostaddr={self.address}" if host else f"{self.address}:{PORT}/condvest"
        )
        return f"postgresql://{login}@{address}"

    @contextmanager
    def listening(self):
        """Take connections over TLS and no others."""
        with socket.create_server((self.address, PORT)) as listener:
            thread = threading.Thread(target=self._accept, args=(listener,))
            thread.start()
            try:
                yield
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                thread.join()

    def _accept(self, listener):
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return  # the end
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        try:
            with plain:
                if plain.recv(8, socket.MSG_WAITALL) != _SSL_REQUEST:
                    return
                plain.sendall(b"S")
                with (
                    self._context.wrap_socket(plain, server_side=True) as client,
                    socket.create_connection(("127.0.0.1", self._port)) as server,
                ):
                    startup = _message(client)
                    if self._is_let_in(client, startup):
                        server.sendall(startup)
                        _relay(client, server)
        except OSError:
            return  # one side is gone: so is the connection

    def _is_let_in(self, client, startup):
        """Ask a member of rds_iam for a token; tell whether it is good, and the client if not."""
        words = startup[8:].split(b"\0")
        user = dict(zip(words[::2], words[1::2], strict=False))[b"user"].decode()
        with psycopg.connect(self.local) as connection:
            member = "SELECT pg_has_role(oid, 'rds_iam', 'member') FROM pg_roles WHERE rolname = %s"
            is_member = connection.execute(member, (user,)).fetchone()
        if user == ADMIN or is_member != (True,):
            return True
        client.sendall(struct.pack("!cii", b"R", 8, 3))  # AuthenticationCleartextPassword
        client.recv(1)
        token = _message(client)[4:-1].decode()
        if is_token(user, token, f"{self.address}:{PORT}", dt.datetime.now(dt.UTC) + self.ahead):
            return True
        refusal = f'SFATAL\0VFATAL\0C28000\0MPAM authentication failed for user "{user}"\0\0'.encode()
        client.sendall(b"E" + struct.pack("!i", 4 + len(refusal)) + refusal)
        return False


def _message(client):
    """Return what begins with its own length: a message without its type."""
    head = _exactly(client, 4)
    return head + _exactly(client, struct.unpack("!i", head)[0] - 4)


def _exactly(client, size):
    content = b""
    while len(content) < size:
        more = client.recv(size - len(content))
        if not more:
            raise ConnectionResetError
        content += more
    return content


def _relay(client, server):
    other = {client: server, server: client}
    while True:
        # What TLS has read ahead makes no socket ready.
        ready = [client] if client.pending() else select.select([client, server], [], [])[0]
        for readable in ready:
            data = readable.recv(65536)
            if not data:
                return
            other[readable].sendall(data)


@contextmanager
def rds():
    """Run a server, with RDS's administrator, its rds_iam and the database ``condvest``."""
    binaries = find_binaries()
    with _guarded(
        lambda root: [str(binaries / "pg_ctl"), "-D", str(root / "data"), "-m", "immediate", "stop"]
    ) as root:
        account = account_for(binaries, root)
        account.own(root)
        begin = [binaries / "initdb", "-D", root / "data", "-U", "postgres"]
        _run(account, begin, ["--auth=trust", "--encoding=UTF8", "--no-sync"])
        (root / "data/pg_hba.conf").write_text(_ACCESS)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = (
            f"-c listen_addresses=127.0.0.1 -c unix_socket_directories={root} -c port={port} -c fsync=off"
        )
        command = [binaries / "pg_ctl", "-D", root / "data", "-w", "-l", root / "data/log"]
        _run(account, command, ["-o", settings, "start"])
        local = f"postgresql://postgres@/condvest?host={root}&port={port}"
        with psycopg.connect(local.replace("/condvest?", "/postgres?"), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {ADMIN} LOGIN CREATEROLE CREATEDB PASSWORD '{PASSWORD}'")
            connection.execute("CREATE ROLE rds_iam")
            connection.execute(f"GRANT rds_iam TO {ADMIN} WITH ADMIN OPTION")
            connection.execute(f"CREATE DATABASE condvest OWNER {ADMIN}")
        certificates = root / "certificates"
        certificates.mkdir()
        server = Rds(certificates, local, port)
        with server.listening():
            yield server
