"""What Condvest asks AWS for: clients, secrets, and passwords of the database that are signed here.

boto3 is imported when first needed: who does not use AWS does not wait for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from condvest.batch_layer.shared import variables
from condvest.batch_layer.shared.errors import SettingsError, VendorUnavailable
from condvest.batch_layer.shared.postgres_url import PostgresUrl
from condvest.batch_layer.shared.settings import Settings
from condvest.batch_layer.shared.utils.extras import from_extra

SHIPPED_CA = Path(__file__).parents[2] / "rds-bundle.pem"
"""Where the packages for AWS hold the authorities of RDS."""

_KEY_NAMES = ("MASSIVE_API_KEY", "POLYGON_API_KEY", "api_key", "key")


@cache
def client(service: str) -> Any:  # noqa: ANN401  # boto3 has no types
    """Return the client of a service; one for each service and process.

    Attempts and waits are bounded, so that a function ends by its own error and not by its time limit.

    Raises:
        SettingsError: AWS is not configured: no region, no such profile, an endpoint that is none.
    """
    with from_extra("aws", "AWS"):
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, NoRegionError  # noqa: PLC0415

    # Of itself boto3 signs addresses of objects in older regions, us-east-1 among them, by version 2 of the
    # signature, which buckets made since 2020-06-24 refuse (boto3 1.44.8; https://aws.amazon.com/blogs/aws/
    # amazon-s3-update-sigv2-deprecation-period-extended-modified).
    signed = {"signature_version": "s3v4"} if service == "s3" else {}
    config = Config(
        connect_timeout=5,
        read_timeout=20,
        retries={"mode": "standard", "total_max_attempts": 4},
        **signed,
    )
    try:
        return boto3.client(service, config=config)
    except NoRegionError as error:
        raise SettingsError("no AWS region is set; set AWS_REGION") from error
    except (BotoCoreError, ValueError) as error:
        raise SettingsError(
            f"AWS is not configured: {error}; look at AWS_PROFILE, AWS_REGION and AWS_ENDPOINT_URL"
        ) from error


@cache
def credentials() -> Any:  # noqa: ANN401  # botocore has no types
    """Return boto3's credentials, for what reads S3 without boto3; None if it has none.

    Lent ones renew themselves when they are frozen. Asked for once a process: to look for them takes
    milliseconds, and published data are opened at each request.
    """
    import boto3  # noqa: PLC0415

    return boto3.Session().get_credentials()


def with_secrets(settings: Settings) -> Settings:
    """Return the settings with the vendor's key from Secrets Manager, if they name a secret and hold no key.

    Raises:
        SettingsError: the secret is not there, may not be read, or holds no key; the message has its name.
        VendorUnavailable: Secrets Manager does not answer.
    """
    if settings.massive.secret is None or settings.massive.api_key is not None:
        return settings
    key = variables.secret({"MASSIVE_API_KEY": _secret_key(settings.massive.secret)}, "MASSIVE_API_KEY")
    return replace(settings, massive=replace(settings.massive, api_key=key))


def bucket_and_prefix(uri: str, what: str) -> tuple[str, str]:
    """Return the two parts of ``s3://bucket/prefix``; ``what`` begins the message if it is none.

    The prefix ends with a slash, unless it is empty.

    Raises:
        SettingsError: it is no such URI.
    """
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise SettingsError(f"{what} like s3://bucket/prefix, not {uri!r}")
    prefix = parts.path.strip("/")
    return parts.netloc, f"{prefix}/" if prefix else ""


def forget_secrets() -> None:
    """Ask for the secrets again when next needed: a vendor has refused what was known."""
    _secret_key.cache_clear()


@cache
def _secret_key(name: str) -> str:
    """Return the key that a secret holds, as plain text or as JSON; asked for once a process."""
    key = _value_in(_secret_text(name), _KEY_NAMES)
    if not key:
        raise SettingsError(f"the secret {name} holds no API key; put it in as plain text")
    return key


def _secret_text(name: str) -> str:
    from condvest.batch_layer.shared.clients.aws_errors import translated  # noqa: PLC0415  # it imports botocore

    with translated(
        f"cannot read the secret {name}",
        unavailable=VendorUnavailable,
        refused=SettingsError,
        setting="the name of the secret",
    ):
        answer = client("secretsmanager").get_secret_value(SecretId=name)
    if "SecretString" not in answer:
        raise SettingsError(f"the secret {name} holds no text; put one in")
    return str(answer["SecretString"]).strip()


def _value_in(text: str, names: Sequence[str]) -> str:
    """Return the plain text, or the first of the names that the JSON holds; empty if it holds none."""
    try:
        fields = json.loads(text)
    except ValueError:
        return text
    if isinstance(fields, dict):
        return next((str(fields[name]) for name in names if fields.get(name)), "")
    return text


def database_login(settings: Settings) -> Callable[[], Mapping[str, str]] | None:
    """Return what gives the parameters of each connection to the database, None if the URL is enough.

    By IAM the password is a token that is good for 15 minutes, and only to connect: so each connection gets
    its own. It is signed here, with the role's credentials; nothing is asked over the network. By a secret it
    is what Secrets Manager holds when the connection is made, for RDS rotates it. Either goes to no server
    but the one whose certificate bears the URL's host name.

    Raises:
        SettingsError: CONDVEST_DATABASE_IAM or CONDVEST_DATABASE_SECRET is set, and the URL names no host or
            user, or has a password, or there is no file of authorities; or both are set.
    """
    if not settings.database.iam and settings.database.secret is None:
        return None
    if settings.database.iam and settings.database.secret is not None:
        raise SettingsError("set CONDVEST_DATABASE_IAM or CONDVEST_DATABASE_SECRET, not both")
    # As libpq will read it: a host after the ? comes before the one in front of it.
    parts = PostgresUrl.parse(settings.database.url).parameters if settings.database.url else {}
    host, user = parts.get("host", ""), parts.get("user", "")
    if not host or not user or not {"password", "hostaddr"}.isdisjoint(parts) or "," in host or "/" in host:
        raise SettingsError(
            f"CONDVEST_DATABASE_{'IAM' if settings.database.iam else 'SECRET'} needs a CONDVEST_DATABASE_URL "
            "with host and user and without a password (one host, and no hostaddr)"
        )
    authorities = settings.database.authorities or SHIPPED_CA
    if not authorities.is_file():
        raise SettingsError(
            f"there is no file {authorities} of the authorities that vouch for the database's server; set "
            "CONDVEST_DATABASE_CA to the bundle of RDS (truststore.pki.rds.amazonaws.com)"
        )
    port = int(parts.get("port", "5432"))
    secret = settings.database.secret

    def parameters() -> Mapping[str, str]:
        password = _token(host, port, user) if secret is None else _password(secret)
        return {"password": password, "sslmode": "verify-full", "sslrootcert": str(authorities)}

    return parameters


def _token(host: str, port: int, user: str) -> str:
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    try:
        token: str = client("rds").generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)
    except BotoCoreError as error:
        raise SettingsError(f"cannot sign in to the database as {user}: {error}") from error
    return token


def _password(secret: str) -> str:
    password = _value_in(_secret_text(secret), ("password",))
    if not password:
        raise SettingsError(f"the secret {secret} holds no password; it should be the one that RDS made")
    return password
