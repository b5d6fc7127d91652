"""The S3 service that holds Massive's flat files: its client, and its errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from batch_layer.shared.errors import VendorRefused, VendorUnavailable
from batch_layer.shared.settings import Settings

CONNECT_SECONDS, READ_SECONDS = 10, 30

_FIRST_FAULT, _FIRST_REFUSAL = 500, 400
_PASSING = frozenset({408, 425, 429, 499})
_FORBIDDEN, _MISSING = (401, 403), 404


def client_of(settings: Settings) -> Any:  # noqa: ANN401  # boto3 has no types
    """Return a client of the endpoint of the settings, signing with its own keys and retrying nothing.

    boto3 is imported here: only who asks for the files waits for it.
    """
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    return boto3.session.Session(
        aws_access_key_id=settings.flat_files.key_id,
        aws_secret_access_key=settings.flat_files.secret,
        region_name="us-east-1",
    ).client(
        "s3",
        endpoint_url=settings.flat_files.endpoint,
        config=Config(
            s3={"addressing_style": "path"},
            signature_version="s3v4",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
        ),
    )


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn boto3's errors about an object into ours.

    Raises:
        FileNotFoundError: there is no such object.
        VendorRefused: the keys, or the plan, do not allow it.
        VendorUnavailable: the failure may pass.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        yield
    except ClientError as error:
        raise _ours(error.response, name) from error
    except (BotoCoreError, ResponseParserError, KeyError, ValueError) as error:
        raise VendorUnavailable(f"no whole answer ({type(error).__name__}: {error})") from error


def _ours(response: Any, name: str) -> Exception:  # noqa: ANN401  # boto3 has no types
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code = str(response.get("Error", {}).get("Code", ""))
    if status == _MISSING and code in ("NoSuchKey", "404"):
        return FileNotFoundError(name)
    if status in _PASSING or status >= _FIRST_FAULT or status < _FIRST_REFUSAL:
        return VendorUnavailable(f"{status} {code}")
    if status in _FORBIDDEN:
        return VendorRefused(
            f"your Massive plan, or the keys, do not cover the flat file {name} ({status} {code}): files "
            "come with the Starter plan and up, for its years; check CONDVEST_FLATFILES_KEY_ID and "
            "CONDVEST_FLATFILES_SECRET, ask for later sessions, or leave out --from-files"
        )
    return VendorRefused(
        f"Massive refuses the flat file {name} ({status} {code}); check CONDVEST_FLATFILES_ENDPOINT and "
        "CONDVEST_FLATFILES_BUCKET"
    )
