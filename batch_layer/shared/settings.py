"""The settings, and how they are read from an environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from batch_layer.shared.errors import SettingsError

INTERVALS = (3, 5, 8, 13, 21, 34)
"""The Fibonacci intervals that are stored, in sessions."""


@dataclass(frozen=True)
class Settings:
    """Where things lie. Every setting has a default; none is secret.

    Attributes:
        home: directory of the embedded database and of the archive (``CONDVEST_HOME``; default: the
            user's data directory).
        database_url: a PostgreSQL URL, or None for the embedded server (``CONDVEST_DATABASE_URL``).
        postgres_bin: directory of the server's binaries for the embedded server, or None to find them
            (``CONDVEST_POSTGRES_BIN``).
        ask_again: how many of the newest sessions the nightly job asks for again, since vendors correct
            (``CONDVEST_ASK_AGAIN``).
    """

    home: Path
    database_url: str | None = None
    postgres_bin: Path | None = None
    ask_again: int = 3

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings from ``environ``; an empty value counts as unset.

        Raises:
            SettingsError: a variable holds a value that its setting cannot have.
        """
        home = environ.get("CONDVEST_HOME") or platformdirs.user_data_dir("condvest", appauthor=False)
        bin_dir = environ.get("CONDVEST_POSTGRES_BIN")
        return cls(
            home=Path(home).expanduser().absolute(),
            database_url=checked_database_url(environ.get("CONDVEST_DATABASE_URL") or None),
            postgres_bin=Path(bin_dir).expanduser().absolute() if bin_dir else None,
            ask_again=_count("CONDVEST_ASK_AGAIN", environ.get("CONDVEST_ASK_AGAIN") or "3"),
        )

    @property
    def archive(self) -> Path:
        """Directory of the archive of vendors' answers."""
        return self.home / "archive"


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


def _count(name: str, text: str) -> int:
    if not text.isdecimal():
        raise SettingsError(f"{name} must be a whole number from 0, not {text!r}")
    return int(text)
