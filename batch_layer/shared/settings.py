"""The settings, and how they are read from an environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

import platformdirs

from batch_layer.shared.errors import SettingsError

INTERVALS = (3, 5, 8, 13, 21, 34)
"""The Fibonacci intervals that are stored, in sessions."""

MassivePlan = Literal["basic", "paid"]
"""``basic``: 5 calls a minute, two years back, nothing before the end of the day. ``paid``: any other."""

MASSIVE_BASE_URL = "https://api.massive.com"
FLATFILES_ENDPOINT = "https://files.massive.com"

_S3 = "s3://"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Settings:
    """Where things lie. Every setting has a default.

    Attributes:
        home: directory of the embedded database and of the archive (``CONDVEST_HOME``; default: the
            user's data directory).
        database_url: a PostgreSQL URL, or None for the embedded server (``CONDVEST_DATABASE_URL``).
        postgres_bin: directory of the server's binaries for the embedded server, or None to find them
            (``CONDVEST_POSTGRES_BIN``).
        ask_again: how many of the newest sessions the nightly job asks for again, since vendors correct
            (``CONDVEST_ASK_AGAIN``).
        provider: whom the jobs ask if no provider is named (``CONDVEST_PROVIDER``).
        massive_api_key: the key of Massive, secret, so never shown; None if there is none
            (``MASSIVE_API_KEY``, else ``POLYGON_API_KEY``).
        massive_plan: what the key may ask for (``CONDVEST_MASSIVE_PLAN``: ``basic`` or ``paid``).
        massive_base_url: where Massive's REST service is (``CONDVEST_MASSIVE_BASE_URL``;
            ``https://api.polygon.io`` works as well).
        flatfiles_endpoint: where Massive's flat files are (``CONDVEST_FLATFILES_ENDPOINT``).
        flatfiles_bucket: the bucket there (``CONDVEST_FLATFILES_BUCKET``).
        flatfiles_key_id, flatfiles_secret: the keys of the files, secret, so never shown; None if there are
            none (``CONDVEST_FLATFILES_KEY_ID``, ``CONDVEST_FLATFILES_SECRET``).
        massive_secret: name or ARN of the secret of AWS Secrets Manager that holds the key, asked for if
            no key is given; None if there is none (``CONDVEST_MASSIVE_SECRET``).
        archive_at: where the archive is: ``s3://bucket/prefix`` or a directory; None for ``archive`` below
            ``home`` (``CONDVEST_ARCHIVE``).
        published_at: where data sets are published: ``s3://bucket/prefix`` or a directory; None for
            ``published`` below ``home`` (``CONDVEST_PUBLISHED``).
        database_iam: whether to log in to the database by IAM, over TLS (``CONDVEST_DATABASE_IAM``:
            ``true`` or ``false``).
        database_secret: name or ARN of the secret of AWS Secrets Manager that holds the password of the
            URL's user, over TLS as well; None if there is none (``CONDVEST_DATABASE_SECRET``).
        database_ca: file of the authorities that may vouch for the server then, or None for the one that is
            shipped to AWS (``CONDVEST_DATABASE_CA``).
    """

    home: Path
    database_url: str | None = None
    postgres_bin: Path | None = None
    ask_again: int = 3
    provider: str = "sample"
    yahoo_base_url: str | None = None
    massive_api_key: str | None = field(default=None, repr=False)
    massive_plan: MassivePlan = "basic"
    massive_base_url: str = MASSIVE_BASE_URL
    massive_secret: str | None = None
    flatfiles_endpoint: str = FLATFILES_ENDPOINT
    flatfiles_bucket: str = "flatfiles"
    flatfiles_key_id: str | None = field(default=None, repr=False)
    flatfiles_secret: str | None = field(default=None, repr=False)
    archive_at: str | None = None
    published_at: str | None = None
    database_iam: bool = False
    database_secret: str | None = None
    database_ca: Path | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings from ``environ``; an empty value counts as unset.

        Raises:
            SettingsError: a variable holds a value that its setting cannot have.
        """
        home = environ.get("CONDVEST_HOME") or platformdirs.user_data_dir("condvest", appauthor=False)
        bin_dir = environ.get("CONDVEST_POSTGRES_BIN")
        yahoo = environ.get("CONDVEST_YAHOO_BASE_URL")
        authorities = environ.get("CONDVEST_DATABASE_CA")
        return cls(
            home=Path(home).expanduser().absolute(),
            database_url=checked_database_url(environ.get("CONDVEST_DATABASE_URL") or None),
            postgres_bin=Path(bin_dir).expanduser().absolute() if bin_dir else None,
            provider=environ.get("CONDVEST_PROVIDER") or "sample",
            ask_again=_count("CONDVEST_ASK_AGAIN", environ.get("CONDVEST_ASK_AGAIN") or "3"),
            yahoo_base_url=_vendor_url("CONDVEST_YAHOO_BASE_URL", yahoo) if yahoo else None,
            massive_api_key=_massive_key(environ),
            massive_plan=_massive_plan(environ.get("CONDVEST_MASSIVE_PLAN") or "basic"),
            massive_base_url=_vendor_url(
                "CONDVEST_MASSIVE_BASE_URL", environ.get("CONDVEST_MASSIVE_BASE_URL") or MASSIVE_BASE_URL
            ),
            massive_secret=environ.get("CONDVEST_MASSIVE_SECRET") or None,
            flatfiles_endpoint=_vendor_url(
                "CONDVEST_FLATFILES_ENDPOINT",
                environ.get("CONDVEST_FLATFILES_ENDPOINT") or FLATFILES_ENDPOINT,
            ),
            flatfiles_bucket=environ.get("CONDVEST_FLATFILES_BUCKET") or "flatfiles",
            flatfiles_key_id=_secret("CONDVEST_FLATFILES_KEY_ID", environ),
            flatfiles_secret=_secret("CONDVEST_FLATFILES_SECRET", environ),
            archive_at=checked_place("CONDVEST_ARCHIVE", environ.get("CONDVEST_ARCHIVE") or None),
            published_at=checked_place("CONDVEST_PUBLISHED", environ.get("CONDVEST_PUBLISHED") or None),
            database_iam=_flag("CONDVEST_DATABASE_IAM", environ.get("CONDVEST_DATABASE_IAM") or "false"),
            database_secret=environ.get("CONDVEST_DATABASE_SECRET") or None,
            database_ca=Path(authorities).expanduser().absolute() if authorities else None,
        )

    @property
    def archive(self) -> Path | str:
        """Where the archive of vendors' answers is: a directory, or ``s3://bucket/prefix``."""
        return self._at("archive_at", self.archive_at, "archive")

    @property
    def published(self) -> Path | str:
        """Where data sets are published: a directory, or ``s3://bucket/prefix``."""
        return self._at("published_at", self.published_at, "published")

    def _at(self, name: str, place: str | None, default: str) -> Path | str:
        checked = checked_place(name, place)
        if checked is None:
            return self.home / default
        return checked if checked.startswith(_S3) else Path(checked).expanduser().absolute()


def checked_database_url(url: str | None) -> str | None:
    """Return ``url`` if it names a PostgreSQL server, None if it is None.

    Raises:
        SettingsError: the URL has another scheme. The message leaves the URL out, for it may hold a
            password.
    """
    if url is not None and urlsplit(url).scheme not in ("postgresql", "postgres"):
        raise SettingsError(
            "CONDVEST_DATABASE_URL must begin with postgresql:// "
            "(for example postgresql://user@host:5432/condvest); unset it for the embedded server"
        )
    return url


def checked_place(name: str, place: str | None) -> str | None:
    """Return ``place`` if it is a directory or in S3, None if it is None.

    Raises:
        SettingsError: it is a URI of something else; the message begins with ``name``.
    """
    if place and "://" in place and not place.startswith(_S3):
        raise SettingsError(f"{name} must be s3://bucket/prefix or a directory, not {place!r}")
    return place


def _flag(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise SettingsError(f"{name} must be true or false, not {text!r}")
    return text.lower() == "true"


def _count(name: str, text: str) -> int:
    if not text.isdecimal():
        raise SettingsError(f"{name} must be a whole number from 0, not {text!r}")
    return int(text)


def _massive_key(environ: Mapping[str, str]) -> str | None:
    return _secret("MASSIVE_API_KEY", environ) or _secret("POLYGON_API_KEY", environ)


def _secret(name: str, environ: Mapping[str, str]) -> str | None:
    key = environ.get(name, "").strip()  # a line break at its end is how keys come out of files
    if not all("!" <= character <= "~" for character in key):
        raise SettingsError(f"{name} holds a character that no API key has; copy the key again")
    return key or None


def _massive_plan(text: str) -> MassivePlan:
    for plan in get_args(MassivePlan):
        if text == plan:
            return plan  # type: ignore[no-any-return]  # get_args does not say of what type they are
    raise SettingsError(
        f"CONDVEST_MASSIVE_PLAN must be basic or paid, not {text!r} (paid is every plan but the free one)"
    )


def _vendor_url(name: str, text: str) -> str:
    """Return the base URL of a vendor without a slash at its end; the message never holds its user part."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        # The reason is left out, for it may repeat a part that is secret.
        raise SettingsError(f"{name} is no URL; it must be one like {MASSIVE_BASE_URL}") from None
    if parts.scheme not in ("https", "http") or not host:
        raise SettingsError(f"{name} must be a URL like {MASSIVE_BASE_URL}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingsError(f"{name} must be a plain URL, without a user, a query or a fragment")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise SettingsError(
            f"{name} must begin with https://: over http:// to {host} anybody on the way could read the key"
        )
    return text.rstrip("/")
