"""The password of the database that is signed here, and the terms on which it is sent."""

import base64
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.errors import SettingsError
from condvest.batch_layer.shared.settings import DatabaseSettings, Settings

URL = "postgresql://condvest_loader@db.example.rds.amazonaws.com:5433/condvest?sslmode=prefer"


@pytest.fixture
def settings(tmp_path, monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIATESTING",
        "AWS_SECRET_ACCESS_KEY": "not-to-be-seen",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    # boto3's default session remembers the credentials of whoever used it first.
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    aws.client.cache_clear()
    aws.credentials.cache_clear()
    authorities = tmp_path / "ca.pem"
    authorities.write_text("-----BEGIN CERTIFICATE-----\n")
    yield Settings(tmp_path, database=DatabaseSettings(url=URL, iam=True, authorities=authorities))
    aws.client.cache_clear()
    aws.credentials.cache_clear()


def changed(settings, **database):
    return replace(settings, database=replace(settings.database, **database))


def test_the_token_is_for_this_host_port_and_user_and_lasts_a_quarter_of_an_hour(settings):
    parameters = aws.database_login(settings)()
    token = urlsplit(f"https://{parameters['password']}")
    asked = parse_qs(token.query)
    assert token.netloc == "db.example.rds.amazonaws.com:5433"
    assert (asked["Action"], asked["DBUser"]) == (["connect"], ["condvest_loader"])
    assert asked["X-Amz-Expires"] == ["900"]
    assert asked["X-Amz-Credential"][0].startswith("AKIATESTING/")
    assert "not-to-be-seen" not in parameters["password"]


def test_the_token_is_for_the_host_that_libpq_will_ask(settings):
    """A host in the query comes before the one in front of it, for libpq and so for the token."""
    url = "postgresql://condvest_loader@db.example.rds.amazonaws.com:5433/condvest?host=other.example"
    parameters = aws.database_login(changed(settings, url=url))()
    assert urlsplit(f"https://{parameters['password']}").hostname == "other.example"
    assert psycopg.conninfo.conninfo_to_dict(url)["host"] == "other.example"
    assert parameters["sslmode"] == "verify-full"


def test_it_goes_only_to_a_server_that_has_proved_its_name_whatever_the_url_says(settings, monkeypatch):
    """The driver is handed the stricter terms; the URL alone would do without a proof."""
    given = []

    def connect(conninfo, **_):
        given.append(psycopg.conninfo.conninfo_to_dict(conninfo))
        raise psycopg.OperationalError("enough")

    monkeypatch.setattr(psycopg, "connect", connect)
    database = Database(URL, aws.database_login(settings))
    for _ in range(2):
        with pytest.raises(Exception, match="enough"), database.transaction():
            pass
    assert [one["sslmode"] for one in given] == ["verify-full"] * 2
    assert {one["sslrootcert"] for one in given} == {str(settings.database.authorities)}
    assert all(one["password"].startswith("db.example.rds.amazonaws.com") for one in given)


def test_without_iam_the_url_is_enough(settings):
    assert aws.database_login(changed(settings, iam=False)) is None


class Secrets:
    """Secrets Manager with one secret, whose value may change."""

    def __init__(self, text):
        self.text = text

    def get_secret_value(self, SecretId):  # noqa: N803  # AWS's name
        assert SecretId == "rds!db-1"
        return {"SecretString": self.text}


def test_a_secret_is_read_anew_for_each_connection_and_sent_over_tls_alone(settings, monkeypatch):
    """RDS changes the administrator's password every week, also while a job runs."""
    secrets = Secrets('{"username": "condvest_admin", "password": "first"}')
    monkeypatch.setattr("boto3.client", lambda _service, **_: secrets)
    login = aws.database_login(changed(settings, iam=False, secret="rds!db-1"))  # noqa: S106
    assert login() == {
        "password": "first",
        "sslmode": "verify-full",
        "sslrootcert": str(settings.database.authorities),
    }
    secrets.text = '{"username": "condvest_admin", "password": "second"}'
    assert login()["password"] == "second"  # noqa: S105  # made up


def test_a_secret_without_a_password_is_named(settings, monkeypatch):
    secrets = Secrets('{"username": "condvest_admin"}')
    monkeypatch.setattr("boto3.client", lambda _service, **_: secrets)
    login = aws.database_login(changed(settings, iam=False, secret="rds!db-1"))  # noqa: S106
    with pytest.raises(SettingsError, match="the secret rds!db-1 holds no password"):
        login()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"secret": "rds!db-1"}, "not both"),
        ({"iam": False, "secret": "s", "url": "postgresql://h/d"}, "SECRET needs"),
        ({"url": None}, "CONDVEST_DATABASE_URL with host and user"),
        ({"url": "postgresql://u:p@h/d"}, "without a password"),
        ({"url": "postgresql://h/d"}, "host and user"),
        ({"authorities": Path("/nowhere/ca.pem")}, "no file /nowhere/ca.pem"),
    ],
)
def test_what_is_missing_is_named(settings, change, said):
    with pytest.raises(SettingsError, match=said):
        aws.database_login(changed(settings, **change))


def test_a_password_is_never_shown_by_the_error(settings):
    secret = base64.b64encode(b"a password").decode()
    with pytest.raises(SettingsError) as refused:
        aws.database_login(changed(settings, url=f"postgresql://u:{secret}@h/d"))
    assert secret not in str(refused.value)
