"""The S3 service that holds Massive's flat files: its client, and its errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from condvest.batch_layer.shared.errors import VendorRefused, VendorUnavailable
from condvest.batch_layer.shared.settings import Settings

CONNECT_SECONDS, READ_SECONDS = 10, 30

_FIRST_REFUSAL = 400
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

    Not by `aws_errors.translated`: a refusal is one of the vendor's plan or keys and no matter of AWS, a
    missing file is an answer, and whatever comes broken is asked for again.

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
        raise _ours(error, name) from error
    except (BotoCoreError, ResponseParserError, KeyError, ValueError) as error:
        raise VendorUnavailable(f"no whole answer ({type(error).__name__}: {error})") from error


def _ours(error: Any, name: str) -> Exception:  # noqa: ANN401  # boto3 has no types
    from condvest.batch_layer.shared.clients.aws_errors import code_of, may_pass, status_of  # noqa: PLC0415

    status, code = status_of(error), code_of(error)
    if status == _MISSING and code in ("NoSuchKey", "404"):
        return FileNotFoundError(name)
    if may_pass(error) or status < _FIRST_REFUSAL:
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
