"""What S3 answers when it does not do what it is asked, in our own errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
)
from botocore.exceptions import (
    ConnectionError as UnreachableError,
)

from batch_layer.shared.errors import PermanentError, TransientError

_PASSING = frozenset(
    {
        "ConditionalRequestConflict",
        "InternalError",
        "RequestTimeout",
        "RequestTimeTooSkewed",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottlingException",
        "Throttling",
    }
)
CONDITION_FAILED = ("PreconditionFailed", "412")
"""Codes of the answer to a change that was asked for on a condition that does not hold."""

_FIRST_SERVER_FAULT = 500
_REASONS = {
    "NoSuchKey": "there is nothing under that key",
    "404": "there is nothing under that key",
    "NoSuchBucket": "there is no such bucket; check {setting}",
    "AccessDenied": "access denied; check the role's policy",
    "ExpiredToken": "the credentials have expired; get new ones",
}


@contextmanager
def translated(
    place: str, *, unavailable: type[TransientError], refused: type[PermanentError], setting: str
) -> Iterator[None]:
    """Turn boto3's errors into ours.

    Args:
        place: what could not be done where; the message begins with it.
        unavailable: raised for what may pass by itself.
        refused: raised for what may not.
        setting: what names the bucket.
    """
    try:
        yield
    except (UnreachableError, HTTPClientError) as error:
        raise unavailable(f"{place}: {error}; try again") from error
    except NoCredentialsError as error:
        raise refused(f"{place}: no AWS credentials; try: aws configure") from error
    except ClientError as error:
        code = error.response["Error"]["Code"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        reason = (
            _REASONS.get(code, "").format(setting=setting) or error.response["Error"].get("Message") or code
        )
        if code in _PASSING or status >= _FIRST_SERVER_FAULT:
            raise unavailable(f"{place}: {reason}; try again") from error
        raise refused(f"{place}: {reason} ({code})") from error
    except BotoCoreError as error:
        raise refused(f"{place}: {error}") from error
