"""A PostgreSQL URL, taken apart once, so that no text of ours or of the driver's can repeat its password.

Format: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import unquote_to_bytes

from condvest.batch_layer.shared.errors import SettingsError

SCHEMES = ("postgresql://", "postgres://")

_SHOWN = ("host", "hostaddr", "port", "user", "dbname")
"""The parameters that a text may show. Of the others, any may be secret."""

_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<name>[^\[\]:@\s]*))(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True)
class PostgresUrl:
    """Where a database is, and how to log in there.

    ``str`` and ``repr`` show host, port, user and database, never a password or another parameter.

    Attributes:
        parameters: libpq's parameters by name, decoded; those that the URL leaves open are missing.
    """

    parameters: Mapping[str, str] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> PostgresUrl:
        """Take a URL apart.

        Example: ``postgresql://me:p%40ss@db.example:5433/prices?sslmode=require`` gives user ``me``, password
        ``p@ss``, host ``db.example``, port ``5433``, dbname ``prices``, sslmode ``require``.

        Raises:
            SettingsError: it is no such URL. The message names the part that is wrong and quotes none of it,
                for what stands in the wrong place may be the password.
        """
        scheme = next((scheme for scheme in SCHEMES if url.startswith(scheme)), None)
        if scheme is None:
            _refuse("it must begin with postgresql:// (for example postgresql://user@host:5432/condvest)")
        if re.search(r"[\s\x00-\x1f\x7f]", url):
            _refuse("it holds a blank or a control character; write a blank as %20")
        rest, _, query = url.removeprefix(scheme).partition("?")
        authority, _, dbname = rest.partition("/")
        if authority.count("@") > 1 or "@" in dbname:
            _refuse("it has an @ too many; in a user, password or database name write @ as %40 and / as %2F")
        userinfo, _, hosts = authority.rpartition("@")
        user, _, password = userinfo.partition(":")
        parameters = {
            "user": _decoded(user, "user"),
            "password": _decoded(password, "password"),
            **_hosts(hosts),
            "dbname": _decoded(dbname, "database name"),
            **_query(query),
        }
        return cls({name: value for name, value in parameters.items() if value})

    def with_parameters(self, more: Mapping[str, str]) -> PostgresUrl:
        """Return the same with parameters added or replaced."""
        return PostgresUrl({**self.parameters, **more})

    def __str__(self) -> str:
        """Return the parts that may be shown, as libpq writes parameters: ``host=... user=...``."""
        return " ".join(f"{name}={self.parameters[name]}" for name in _SHOWN if name in self.parameters)

    def __repr__(self) -> str:
        return f"PostgresUrl({self})"


def _hosts(text: str) -> dict[str, str]:
    """Read ``host:port,host:port``; host and port are lists of one length, as libpq takes them."""
    hosts, ports = [], []
    for part in text.split(","):
        match = _HOST.fullmatch(part)
        if match is None:
            _refuse(
                "host and port must read name:5432 or [address]:5432; in a password write : as %3A, "
                "/ as %2F, ? as %3F and @ as %40"
            )
        hosts.append(match["v6"] or _decoded(match["name"], "host"))
        ports.append(match["port"] or "")
    return {"host": ",".join(hosts), "port": ",".join(ports)}


def _query(text: str) -> dict[str, str]:
    parameters = {}
    for part in text.split("&") if text else ():
        name, equals, value = part.partition("=")
        if not equals or not re.fullmatch("[a-z_]+", name):
            _refuse("what follows the ? must read name=value&name=value; in a password write ? as %3F")
        parameters["sslmode" if (name, value) == ("ssl", "true") else name] = (
            "require" if (name, value) == ("ssl", "true") else _decoded(value, "value of a parameter")
        )
    return parameters


def _decoded(text: str, what: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})|%00", text):
        _refuse(f"the {what} holds a % that is not followed by two hexadecimal digits; write % as %25")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        _refuse(f"the {what} is not UTF-8")


def _refuse(reason: str) -> NoReturn:
    # No cause either: a traceback would show what is quoted there.
    raise SettingsError(f"CONDVEST_DATABASE_URL cannot be read: {reason}") from None
