"""Authorities that vouch for servers of the tests, in the place of those of RDS."""

import datetime as dt
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM
_LASTS = dt.timedelta(days=365)


class Authority:
    """An authority, and its key.

    Attributes:
        path: file of its certificate.
    """

    def __init__(self, path, certificate, key):
        self.path, self._certificate, self._key = path, certificate, key

    @classmethod
    def made(cls, path):
        """Make one; its certificate and, beside it, its key are written."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed(path.stem, key, x509.Name([_name(path.stem)]), key, is_authority=True)
        path.write_bytes(certificate.public_bytes(_PEM))
        path.with_suffix(".key").write_bytes(_private(key))
        return cls(path, certificate, key)

    @classmethod
    def kept(cls, path):
        """Return the one that was made there before, or make it."""
        if not (path.exists() and path.with_suffix(".key").exists()):
            return cls.made(path)
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        if certificate.not_valid_after_utc - dt.datetime.now(dt.UTC) < _LASTS / 2:
            return cls.made(path)
        key = serialization.load_pem_private_key(path.with_suffix(".key").read_bytes(), password=None)
        return cls(path, certificate, key)

    def certificate(self, folder, address):
        """Write the certificate and the key of a server with that address to one file; return it."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed(address, key, self._certificate.subject, self._key, is_authority=False)
        path = folder / "server.pem"
        path.write_bytes(_private(key) + certificate.public_bytes(_PEM))
        return path


def _private(key):
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _signed(name, key, issuer, issuer_key, *, is_authority):
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([_name(name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + _LASTS)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if not is_authority:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))]), critical=False
        )
    return builder.sign(issuer_key, hashes.SHA256())


def _name(text):
    return x509.NameAttribute(NameOID.COMMON_NAME, text)
