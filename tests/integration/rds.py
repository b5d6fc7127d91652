"""Amazon RDS as far as logging in goes: a real PostgreSQL with TLS that takes IAM's tokens for passwords.

RDS asks PAM about a token; this one asks a stand-in over LDAP, which PostgreSQL speaks as well. The stand-in
checks the signature by the published rules, with the secret key that `aws_world` gives to the clients.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import datetime as dt
import hashlib
import hmac
import socketserver
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from batch_layer.database.server_account import account_for
from tests.infrastructure.workshop import missing
from tests.integration.aws_world import credentials
from tests.integration.servers import _guarded, _run, _start

ADMIN, PASSWORD = "condvest_admin", "made by RDS"
_REGION, _SERVICE, _LASTS = "us-east-1", "rds-db", 900


def is_token(user, token, now):
    """Tell whether IAM would take a token for a user at an instant."""
    parts = urlsplit(f"https://{token}")
    asked = dict(parse_qsl(parts.query))
    signature = asked.pop("X-Amz-Signature", "")
    try:
        signed = dt.datetime.strptime(asked["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
        age = (now - signed).total_seconds()
        names_user = asked["DBUser"] == user and asked["Action"] == "connect"
        lasts = min(int(asked["X-Amz-Expires"]), _LASTS)
    except (KeyError, ValueError):
        return False
    query = "&".join(f"{quote(name, safe='')}={quote(asked[name], safe='')}" for name in sorted(asked))
    nothing = hashlib.sha256(b"").hexdigest()
    request = f"GET\n/\n{query}\nhost:{parts.netloc}\n\nhost\n{nothing}"
    scope = f"{signed:%Y%m%d}/{_REGION}/{_SERVICE}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{asked['X-Amz-Date']}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials()['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    return names_user and -1 < age <= lasts and hmac.compare_digest(key.hex(), signature)


class _Bind(socketserver.StreamRequestHandler):
    """Answers one simple bind of LDAP (RFC 4511): success, or invalid credentials."""

    def handle(self):
        while message := self._element():
            number, rest = _split(message)
            operation, _ = _split(rest)
            if operation[0] != 0x60:  # a bind request; anything else ends the talk
                return
            _, rest = _split(operation[1])  # the version
            name, rest = _split(rest)
            password, _ = _split(rest)
            is_known = is_token(name[1].decode(), password[1].decode(), self.server.now())
            code = bytes([0 if is_known else 49])
            answer = _made(0x61, _made(0x0A, code) + _made(0x04, b"") + _made(0x04, b""))
            self.wfile.write(_made(0x30, _made(number[0], number[1]) + answer))

    def _element(self):
        head = self.rfile.read(2)
        if len(head) < 2:
            return b""
        length = head[1]
        if length & 0x80:
            length = int.from_bytes(self.rfile.read(length & 0x7F), "big")
        return self.rfile.read(length)


def _split(content):
    """Return the first element of BER, as its tag and content, and what follows it."""
    length, at = content[1], 2
    if length & 0x80:
        at += length & 0x7F
        length = int.from_bytes(content[2:at], "big")
    return (content[0], content[at : at + length]), content[at + length :]


def _made(tag, content):
    return bytes([tag, len(content)]) + content


class Rds:
    """The server.

    Attributes:
        port: where it listens, on 127.0.0.1; its certificate is for ``localhost``.
        authorities: file of the authority that vouches for it.
        strangers: file of another authority.
        ahead: how far the stand-in for IAM is ahead of the clock.
    """

    def __init__(self, port, authorities, strangers):
        self.port, self.authorities, self.strangers = port, authorities, strangers
        self.ahead = dt.timedelta(0)

    def now(self):
        return dt.datetime.now(dt.UTC) + self.ahead

    def url(self, user, host="localhost"):
        return f"postgresql://{user}@{host}:{self.port}/postgres"


@contextmanager
def rds():
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not installed:
        missing("no PostgreSQL with TLS is installed: apt-get install postgresql (the embedded one has none)")
    binaries = installed[-1]
    iam = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Bind)
    iam.daemon_threads = True
    thread = threading.Thread(target=iam.serve_forever)
    thread.start()
    try:
        with _guarded(
            lambda root: [str(binaries / "pg_ctl"), "-D", str(root / "data"), "-m", "immediate", "stop"]
        ) as root:
            one = _started(binaries, root, iam.server_address[1])
            iam.now = one.now
            yield one
    finally:
        iam.shutdown()
        thread.join()
        iam.server_close()


def _started(binaries, root, iam_port):
    account = account_for(binaries, root)
    account.own(root)
    secret = root / "password"
    secret.write_text(PASSWORD + "\n")
    account.own(secret)
    _run(
        account,
        [binaries / "initdb", "-D", root / "data", "-U", ADMIN],
        ["--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C"],
    )
    certificates = root / "certificates"
    certificates.mkdir()
    authorities, key = _authority(certificates / "ca.pem", "the authority")
    _authority(certificates / "strangers.pem", "strangers")
    _certificate(root / "data/server", authorities, key, account)
    ldap = f'ldap ldapserver=127.0.0.1 ldapport={iam_port} ldapprefix="" ldapsuffix=""'
    (root / "data/pg_hba.conf").write_text(
        f"hostssl all {ADMIN},expired 127.0.0.1/32 scram-sha-256\nhostssl all all 127.0.0.1/32 {ldap}\n"
    )
    with (root / "data/postgresql.conf").open("a") as settings:
        settings.write("ssl = on\n")
    port = _start(account, binaries, root)
    return Rds(port, certificates / "ca.pem", certificates / "strangers.pem")


def _authority(path, name):
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed(name, key, x509.Name([_name(name)]), key, is_authority=True)
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return certificate, key


def _certificate(path, authority, authority_key, account):
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed("localhost", key, authority.subject, authority_key, is_authority=False)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for suffix, content in (
        (".crt", certificate.public_bytes(serialization.Encoding.PEM)),
        (".key", private),
    ):
        place = path.with_suffix(suffix)
        place.write_bytes(content)
        place.chmod(0o600)
        account.own(place)


def _signed(name, key, issuer, issuer_key, *, is_authority):
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([_name(name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if not is_authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(text):
    return x509.NameAttribute(NameOID.COMMON_NAME, text)
