"""Logging in as on AWS, to a real PostgreSQL over TLS: who the server is, who the client is, until when."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import boto3
import psycopg
import pytest

from condvest.batch_layer.database.postgres.connecting.connection import Database
from condvest.batch_layer.shared.clients import aws
from condvest.batch_layer.shared.errors import DatabaseError, SettingsError
from condvest.batch_layer.shared.settings import Settings
from tests.support.aws.emulated import configured, fresh_bucket
from tests.support.databases.rds import ADMIN, PASSWORD, rds

pytestmark = pytest.mark.aws

USER = "condvest_loader"


@pytest.fixture(scope="module")
def rds_server():
    with rds() as one:
        with psycopg.connect(
            one.url(ADMIN), password=PASSWORD, sslmode="verify-full", sslrootcert=str(one.authorities)
        ) as connection:
            connection.execute(f"CREATE ROLE {USER} LOGIN IN ROLE rds_iam")
            connection.execute(
                f"CREATE ROLE expired LOGIN PASSWORD '{PASSWORD}' VALID UNTIL '2020-01-01 00:00:00+00'"
            )
        yield one


@pytest.fixture(autouse=True)
def clients(aws_endpoint, monkeypatch):
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    with configured(monkeypatch, aws_endpoint):
        fresh_bucket(aws_endpoint)
        yield


def by_iam(rds_server, **how):
    return {
        "CONDVEST_DATABASE_URL": rds_server.url(USER, **how),
        "CONDVEST_DATABASE_IAM": "true",
        "CONDVEST_DATABASE_CA": str(rds_server.authorities),
    }


def logged_in(environ):
    """Return who is logged in, and whether over TLS, by the settings of a function or a job."""
    settings = Settings.from_env(environ)
    database = Database(settings.database.url, aws.database_login(settings))
    with database, database.transaction(read_only=True) as connection:
        (user,) = connection.execute("SELECT current_user").fetchone()
        return user, connection.pgconn.ssl_in_use


def test_a_token_opens_the_right_server_and_each_connection_has_its_own(rds_server):
    assert logged_in(by_iam(rds_server)) == (USER, True)
    assert logged_in(by_iam(rds_server)) == (USER, True)


def test_a_server_of_another_name_gets_no_token(rds_server):
    """A name beside the address that is really asked: the token would be signed for the one or the other."""
    with pytest.raises(SettingsError, match="one host, and no hostaddr"):
        logged_in(by_iam(rds_server, host="another.test"))


def test_a_server_that_another_authority_vouches_for_gets_no_token(rds_server):
    with pytest.raises(DatabaseError, match="certificate verify failed"):
        logged_in(by_iam(rds_server) | {"CONDVEST_DATABASE_CA": str(rds_server.strangers)})


def test_the_url_cannot_do_without_the_proof(rds_server):
    environ = by_iam(rds_server) | {"CONDVEST_DATABASE_CA": str(rds_server.strangers)}
    environ["CONDVEST_DATABASE_URL"] += "?sslmode=prefer"
    with pytest.raises(DatabaseError, match="certificate verify failed"):
        logged_in(environ)


@pytest.mark.parametrize(("minutes", "is_good"), [(14, True), (16, False)])
def test_a_token_lasts_a_quarter_of_an_hour(rds_server, monkeypatch, minutes, is_good):
    monkeypatch.setattr(rds_server, "ahead", dt.timedelta(minutes=minutes))
    if is_good:
        assert logged_in(by_iam(rds_server)) == (USER, True)
        return
    with pytest.raises(DatabaseError, match="authentication failed"):
        logged_in(by_iam(rds_server))


def test_a_token_signed_by_somebody_else_is_refused(rds_server, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it remembers the right one
    aws.client.cache_clear()
    aws.credentials.cache_clear()
    with pytest.raises(DatabaseError, match="authentication failed"):
        logged_in(by_iam(rds_server))


def by_secret(rds_server, user, password):
    boto3.client("secretsmanager").create_secret(Name="the-password", SecretString=password)
    return {
        "CONDVEST_DATABASE_URL": rds_server.url(user),
        "CONDVEST_DATABASE_SECRET": "the-password",
        "CONDVEST_DATABASE_CA": str(rds_server.authorities),
    }


def test_the_password_of_a_secret_opens_it_too(rds_server):
    assert logged_in(by_secret(rds_server, ADMIN, PASSWORD)) == (ADMIN, True)


@pytest.mark.parametrize(("user", "password"), [("expired", PASSWORD), (ADMIN, "an old one")])
def test_a_password_that_is_no_longer_good_is_refused_and_not_told(rds_server, user, password):
    with pytest.raises(DatabaseError, match="authentication failed") as told:
        logged_in(by_secret(rds_server, user, password))
    assert password not in str(told.value)


def test_a_job_that_is_refused_is_not_run_again(rds_server):
    """Neither a wrong server, which is a wrong setting, nor a refused login mends itself."""
    for environ, code in (
        (by_iam(rds_server, host="another.test"), 2),
        (by_iam(rds_server) | {"AWS_SECRET_ACCESS_KEY": "another"}, 1),
    ):
        done = subprocess.run(
            [Path(sys.executable).parent / "condvest", "resample"],
            env=os.environ | environ | {"AWS_BATCH_JOB_ID": "job"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
