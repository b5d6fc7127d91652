"""One variable of an environment: read, checked, and refused with what it should have been.

An empty value counts as unset. No message repeats a value that may be secret.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from condvest.batch_layer.shared.errors import SettingsError
from condvest.batch_layer.shared.postgres_url import PostgresUrl

S3 = "s3://"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def text(environ: Mapping[str, str], name: str) -> str | None:
    """Return the value of a variable, None if it is unset or empty."""
    return environ.get(name) or None


def path(environ: Mapping[str, str], name: str) -> Path | None:
    """Return an absolute path, ``~`` expanded; None if the variable is unset.

    Raises:
        SettingsError: as for `absolute`.
    """
    given = text(environ, name)
    return absolute(given, name) if given else None


def absolute(given: str, name: str) -> Path:
    """Return the absolute path of what a setting names, ``~`` expanded.

    Raises:
        SettingsError: it begins with ``~`` and that user has no home directory, or it is relative to a
            directory that is gone; the message begins with ``name``.
    """
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError as error:
        raise SettingsError(
            f"{name}: {given!r} begins with ~, and that user has no home directory; give an absolute path"
        ) from error
    except FileNotFoundError as error:
        raise SettingsError(
            f"{name}: {given!r} is relative to the working directory, which was removed; give an absolute "
            "path"
        ) from error


def flag(environ: Mapping[str, str], name: str) -> bool:
    """Return whether a variable is ``true``; False if it is unset.

    Raises:
        SettingsError: the value is neither ``true`` nor ``false``, in any case.
    """
    given = text(environ, name) or "false"
    if given.lower() not in ("true", "false"):
        raise SettingsError(f"{name} must be true or false, not {given!r}")
    return given.lower() == "true"


def count(environ: Mapping[str, str], name: str, default: int) -> int:
    """Return a whole number from 0; ``default`` if the variable is unset.

    Raises:
        SettingsError: the value is not a whole number from 0.
    """
    given = text(environ, name)
    if given is None:
        return default
    if not given.isdecimal():
        raise SettingsError(f"{name} must be a whole number from 0, not {given!r}")
    return int(given)


def held_or_closed(environ: Mapping[str, str], name: str) -> tuple[tuple[dt.date, bool], ...]:
    """Return dates, ascending, each with whether the exchange held a session; none if the variable is unset.

    Raises:
        SettingsError: a part is not a date with ``held`` or ``closed``, or a date is there twice.
    """
    decided: dict[dt.date, bool] = {}
    for part in filter(None, (part.strip() for part in (text(environ, name) or "").split(","))):
        date, _, word = (piece.strip() for piece in part.partition("="))
        try:
            session = dt.date.fromisoformat(date)
        except ValueError:
            session = None
        if session is None or word not in ("held", "closed") or session in decided:
            raise SettingsError(
                f"{name} must be dates with held or closed, each date once, like "
                f"2025-01-09=closed,2025-01-10=held, not {part!r}"
            )
        decided[session] = word == "held"
    return tuple(sorted(decided.items()))


def networks(environ: Mapping[str, str], name: str) -> tuple[Network, ...]:
    """Return networks of IP addresses; none if the variable is unset.

    Raises:
        SettingsError: a part is no network, or one whose address has bits beyond its prefix.
    """
    parts = filter(None, (part.strip() for part in (text(environ, name) or "").split(",")))
    try:
        return tuple(ipaddress.ip_network(part) for part in parts)
    except ValueError as error:
        raise SettingsError(f"{name} must be networks like 10.1.0.0/16,fd00::/8: {error}") from error


def secret(environ: Mapping[str, str], name: str) -> str | None:
    """Return a key without the white space around it; None if the variable is unset.

    Raises:
        SettingsError: the key holds a character outside printable ASCII, or a blank.
    """
    key = environ.get(name, "").strip()  # a key copied from a file often ends with a line break
    if not all("!" <= character <= "~" for character in key):
        raise SettingsError(f"{name} holds a character that no API key has; copy the key again")
    return key or None


def vendor_url(environ: Mapping[str, str], name: str, example: str, scheme: str = "http") -> str | None:
    """Return the base URL of a vendor without the slash at its end; None if the variable is unset.

    Args:
        environ: where to look.
        name: of the variable.
        example: a URL as it should be, for the message.
        scheme: ``http``, or ``ws`` of a websocket.

    Raises:
        SettingsError: it is not a plain ``https://`` (``wss://``) URL. ``http://`` (``ws://``) is accepted
            for this machine only, as anybody on the way could read the key.
    """
    given = text(environ, name)
    if given is None:
        return None
    try:
        parts = urlsplit(given)
        host, _ = parts.hostname, parts.port
    except ValueError:
        # The reason is left out: it may repeat a part that is secret.
        raise SettingsError(f"{name} is no URL; it must be one like {example}") from None
    if parts.scheme not in (scheme, f"{scheme}s") or not host:
        raise SettingsError(f"{name} must be a URL like {example}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingsError(f"{name} must be a plain URL, without a user, a query or a fragment")
    if parts.scheme == scheme and host not in _LOOPBACK:
        raise SettingsError(
            f"{name} must begin with {scheme}s://: over {scheme}:// to {host} anybody on the way could read "
            "the key"
        )
    return given.rstrip("/")


def checked_database_url(url: str | None) -> str | None:
    """Return ``url`` if it is a PostgreSQL URL, None if it is None.

    Raises:
        SettingsError: as for `PostgresUrl.parse`; the message leaves the URL out, for it may hold a password.
    """
    if url is not None:
        PostgresUrl.parse(url)
    return url


def checked_location(name: str, location: str | None) -> str | None:
    """Return ``location`` if it is a directory or a URI of S3, None if it is None.

    Raises:
        SettingsError: it is a URI of something else; the message begins with ``name``.
    """
    if location and "://" in location and not location.startswith(S3):
        raise SettingsError(f"{name} must be s3://bucket/prefix or a directory, not {location!r}")
    return location
