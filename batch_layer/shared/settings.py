"""The settings, in groups by what they configure, and how each group is read from an environment.

::

    Settings                 home, archive, published data, disputed sessions
    ├── database             DatabaseSettings: which PostgreSQL, and how to log in
    ├── nightly              NightlySettings: which provider the nightly job asks, and how much again
    ├── massive              MassiveSettings: key, plan and address of Massive's REST service
    ├── flat_files           FlatFilesSettings: keys and address of Massive's flat files
    └── yahoo                YahooSettings: addresses of Yahoo's service and its stream

Every setting has a default, and nothing reads the environment at import. Secrets are left out of ``repr``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from condvest.batch_layer.shared import variables
from condvest.batch_layer.shared.errors import SettingsError
from condvest.batch_layer.shared.vendor_settings import FlatFilesSettings, MassiveSettings, YahooSettings

INTERVALS = (3, 5, 8, 13, 21, 34)
"""The Fibonacci intervals that are stored, in sessions."""


@dataclass(frozen=True)
class DatabaseSettings:
    """Which PostgreSQL holds the data, and how to log in to it.

    Attributes:
        url: a PostgreSQL URL, or None for the embedded server (``CONDVEST_DATABASE_URL``). It may hold a
            password, so ``repr`` leaves it out.
        binaries: directory of the embedded server's programs, or None to find them
            (``CONDVEST_POSTGRES_BIN``).
        iam: whether to log in by AWS IAM, over verified TLS (``CONDVEST_DATABASE_IAM``: ``true`` or
            ``false``).
        secret: name or ARN of the secret of AWS Secrets Manager that holds the password of the URL's user,
            sent over verified TLS; None if there is none (``CONDVEST_DATABASE_SECRET``).
        authorities: file of the certificate authorities that may vouch for the server then, or None for the
            one that is shipped to AWS (``CONDVEST_DATABASE_CA``).
    """

    url: str | None = field(default=None, repr=False)
    binaries: Path | None = None
    iam: bool = False
    secret: str | None = None
    authorities: Path | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> DatabaseSettings:
        """Read the group; raises SettingsError as `Settings.from_env` does."""
        return cls(
            url=variables.checked_database_url(variables.text(environ, "CONDVEST_DATABASE_URL")),
            binaries=variables.path(environ, "CONDVEST_POSTGRES_BIN"),
            iam=variables.flag(environ, "CONDVEST_DATABASE_IAM"),
            secret=variables.text(environ, "CONDVEST_DATABASE_SECRET"),
            authorities=variables.path(environ, "CONDVEST_DATABASE_CA"),
        )


@dataclass(frozen=True)
class NightlySettings:
    """What the nightly job asks, and whom.

    Attributes:
        provider: the provider asked if a command names none (``CONDVEST_PROVIDER``).
        ask_again: how many of the newest sessions to ask for again, since vendors correct them
            (``CONDVEST_ASK_AGAIN``).
    """

    provider: str = "sample"
    ask_again: int = 3

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> NightlySettings:
        """Read the group; raises SettingsError as `Settings.from_env` does."""
        return cls(
            provider=variables.text(environ, "CONDVEST_PROVIDER") or cls.provider,
            ask_again=variables.count(environ, "CONDVEST_ASK_AGAIN", cls.ask_again),
        )


@dataclass(frozen=True)
class Settings:
    """All settings.

    Attributes:
        home: directory of the embedded database, the archive and the published data, as a path or text, ``~``
            expanded (``CONDVEST_HOME``; default: the user's data directory).
        archive_at: where the archive is: ``s3://bucket/prefix`` or a directory; None for ``archive`` below
            ``home`` (``CONDVEST_ARCHIVE``).
        published_at: where data sets are published: ``s3://bucket/prefix`` or a directory; None for
            ``published`` below ``home`` (``CONDVEST_PUBLISHED``).
        journal_at: ``s3://bucket/prefix`` to which the files of the journal are copied as they end; None
            for no copy (``CONDVEST_JOURNAL``).
        disputed_sessions: dates on which calendar libraries disagree, and whether the exchange held a session
            (``CONDVEST_DISPUTED_SESSIONS``: ``2025-01-09=closed,2025-01-10=held``).
        database, nightly, massive, flat_files, yahoo: the groups; see the module.
        webhook_networks: networks that webhooks may reach though they are not public
            (``CONDVEST_WEBHOOK_NETWORKS``: ``10.1.0.0/16,fd00::/8``).
    """

    home: Path
    archive_at: str | None = None
    published_at: str | None = None
    journal_at: str | None = None
    disputed_sessions: tuple[tuple[dt.date, bool], ...] = ()
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    nightly: NightlySettings = field(default_factory=NightlySettings)
    massive: MassiveSettings = field(default_factory=MassiveSettings)
    flat_files: FlatFilesSettings = field(default_factory=FlatFilesSettings)
    yahoo: YahooSettings = field(default_factory=YahooSettings)
    webhook_networks: tuple[variables.Network, ...] = ()

    def __post_init__(self) -> None:
        # Whoever writes Settings(home="prices") means what CONDVEST_HOME=prices does.
        object.__setattr__(self, "home", variables.absolute(str(self.home), "home"))

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings from ``environ``; an empty value counts as unset.

        Raises:
            SettingsError: a variable holds a value that its setting cannot have.
        """
        return cls(
            home=variables.path(environ, "CONDVEST_HOME") or _default_home(),
            archive_at=_location(environ, "CONDVEST_ARCHIVE"),
            published_at=_location(environ, "CONDVEST_PUBLISHED"),
            journal_at=_location(environ, "CONDVEST_JOURNAL"),
            disputed_sessions=variables.held_or_closed(environ, "CONDVEST_DISPUTED_SESSIONS"),
            database=DatabaseSettings.from_env(environ),
            nightly=NightlySettings.from_env(environ),
            massive=MassiveSettings.from_env(environ),
            flat_files=FlatFilesSettings.from_env(environ),
            yahoo=YahooSettings.from_env(environ),
            webhook_networks=variables.networks(environ, "CONDVEST_WEBHOOK_NETWORKS"),
        )

    @property
    def archive(self) -> Path | str:
        """Where the archive of vendors' answers is: a directory, or ``s3://bucket/prefix``."""
        return self._at("archive_at", self.archive_at, "archive")

    @property
    def published(self) -> Path | str:
        """Where data sets are published: a directory, or ``s3://bucket/prefix``."""
        return self._at("published_at", self.published_at, "published")

    def _at(self, name: str, location: str | None, default: str) -> Path | str:
        checked = variables.checked_location(name, location)
        if checked is None:
            return self.home / default
        return checked if checked.startswith(variables.S3) else variables.absolute(checked, name)


def _default_home() -> Path:
    try:
        return Path(platformdirs.user_data_dir("condvest", appauthor=False))
    except RuntimeError as error:
        raise SettingsError(
            "this user has no home directory (HOME is not set, and the system knows no such user): set "
            "CONDVEST_HOME to a directory for the database and the archive"
        ) from error


def _location(environ: Mapping[str, str], name: str) -> str | None:
    return variables.checked_location(name, variables.text(environ, name))
