"""The groups of settings, and what no setting can be."""

import datetime as dt
from pathlib import Path

import pytest

from condvest.batch_layer.shared.errors import SettingsError
from condvest.batch_layer.shared.settings import (
    DatabaseSettings,
    FlatFilesSettings,
    MassiveSettings,
    NightlySettings,
    Settings,
    YahooSettings,
)

FULL = {
    "CONDVEST_HOME": "/data/condvest",
    "CONDVEST_ARCHIVE": "s3://bucket/archive",
    "CONDVEST_PUBLISHED": "/data/published",
    "CONDVEST_DISPUTED_SESSIONS": "2025-01-10=held, 2025-01-09=closed",
    "CONDVEST_DATABASE_URL": "postgresql://reader:pa55word@db.example:5433/prices",
    "CONDVEST_POSTGRES_BIN": "/usr/lib/postgresql/17/bin",
    "CONDVEST_DATABASE_IAM": "True",
    "CONDVEST_DATABASE_SECRET": "rds!db-1",
    "CONDVEST_DATABASE_CA": "/etc/ca.pem",
    "CONDVEST_PROVIDER": "massive",
    "CONDVEST_ASK_AGAIN": "0",
    "MASSIVE_API_KEY": "k3y",
    "CONDVEST_MASSIVE_PLAN": "paid",
    "CONDVEST_MASSIVE_BASE_URL": "https://api.polygon.io/",
    "CONDVEST_MASSIVE_SECRET": "condvest/massive",
    "CONDVEST_FLATFILES_ENDPOINT": "https://files.polygon.io",
    "CONDVEST_FLATFILES_BUCKET": "files",
    "CONDVEST_FLATFILES_KEY_ID": "1d",
    "CONDVEST_FLATFILES_SECRET": "s3cret",
    "CONDVEST_YAHOO_BASE_URL": "http://localhost:8000",
}


def test_each_variable_reaches_its_group():
    assert Settings.from_env(FULL) == Settings(
        home=Path("/data/condvest"),
        archive_at="s3://bucket/archive",
        published_at="/data/published",
        disputed_sessions=((dt.date(2025, 1, 9), False), (dt.date(2025, 1, 10), True)),
        database=DatabaseSettings(
            url="postgresql://reader:pa55word@db.example:5433/prices",
            binaries=Path("/usr/lib/postgresql/17/bin"),
            iam=True,
            secret="rds!db-1",  # noqa: S106  # a name, not the secret
            authorities=Path("/etc/ca.pem"),
        ),
        nightly=NightlySettings(provider="massive", ask_again=0),
        massive=MassiveSettings(
            api_key="k3y",
            plan="paid",
            base_url="https://api.polygon.io",
            secret="condvest/massive",  # noqa: S106  # a name as well
        ),
        flat_files=FlatFilesSettings("https://files.polygon.io", "files", "1d", "s3cret"),
        yahoo=YahooSettings("http://localhost:8000"),
    )


def test_an_empty_environment_and_empty_values_give_the_defaults():
    settings = Settings.from_env(dict.fromkeys(FULL, "") | {"CONDVEST_HOME": "/h"})
    assert settings == Settings(home=Path("/h"))
    assert Settings.from_env({}).home.is_absolute()


def test_no_secret_is_shown():
    shown = repr(Settings.from_env(FULL))
    assert [secret for secret in ("pa55word", "k3y", "1d'", "s3cret") if secret in shown] == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CONDVEST_ASK_AGAIN", "-1", "a whole number from 0, not '-1'"),
        ("CONDVEST_ASK_AGAIN", "three", "a whole number from 0, not 'three'"),
        ("CONDVEST_DATABASE_IAM", "yes", "true or false, not 'yes'"),
        ("CONDVEST_DATABASE_URL", "mysql://h/d", "must begin with postgresql://"),
        ("CONDVEST_ARCHIVE", "gs://bucket", "must be s3://bucket/prefix or a directory, not 'gs://bucket'"),
        ("CONDVEST_DISPUTED_SESSIONS", "2025-01-09", "with held or closed, each date once"),
        ("CONDVEST_DISPUTED_SESSIONS", "2025-01-09=open", "not '2025-01-09=open'"),
        ("CONDVEST_DISPUTED_SESSIONS", "9 January=held", "not '9 January=held'"),
        ("CONDVEST_DISPUTED_SESSIONS", "2025-01-09=held,2025-01-09=closed", "not '2025-01-09=closed'"),
        ("CONDVEST_FLATFILES_SECRET", "two words", "a character that no API key has"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(name, value, said):
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({name: value})
    assert str(refused.value).startswith(name)
    assert said in str(refused.value)


@pytest.fixture
def homeless(monkeypatch):
    """A user whom the system does not know, without HOME: as in docker run --user 12345."""
    for name in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 12345)


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_is_told_what_to_set():
    with pytest.raises(SettingsError, match=r"has no home directory.*set CONDVEST_HOME"):
        Settings.from_env({})
    assert Settings.from_env({"CONDVEST_HOME": "/h"}).home == Path("/h")


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("name", ["CONDVEST_HOME", "CONDVEST_POSTGRES_BIN", "CONDVEST_DATABASE_CA"])
def test_a_tilde_of_nobody_is_refused_by_name(name):
    with pytest.raises(SettingsError, match=f"^{name}: '~/x' begins with ~"):
        Settings.from_env({"CONDVEST_HOME": "/h", name: "~/x"})
    with pytest.raises(SettingsError, match=r"^archive_at: '~/x' begins with ~"):
        _ = Settings(home=Path("/h"), archive_at="~/x").archive


def test_a_path_relative_to_a_directory_that_is_gone_is_refused(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(
        SettingsError, match=r"^CONDVEST_HOME: 'h' is relative to the working directory, which"
    ):
        Settings.from_env({"CONDVEST_HOME": "h"})


@pytest.mark.parametrize("home", ["prices", Path("prices"), "~/prices"])
def test_a_home_of_python_is_read_as_the_variable_is(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings(home=home).home == tmp_path / "prices"
    assert Settings(home=home).archive == tmp_path / "prices/archive"
