"""What boto3 raises when a service of AWS does not do what it is asked, in our own errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
)
from botocore.exceptions import (
    ConnectionError as UnreachableError,
)

from condvest.batch_layer.shared.errors import PermanentError, TransientError

_PASSING = frozenset(
    {
        "ConditionalRequestConflict",
        "InternalError",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeout",
        "RequestTimeTooSkewed",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottlingException",
        "Throttling",
    }
)
"""Codes that some services send with the status of a refusal."""

_PASSING_STATUSES = frozenset({408, 425, 429, 499})
_FIRST_SERVER_FAULT = 500

CONDITION_FAILED = ("PreconditionFailed", "412")
"""Codes of the answer to a change that was asked for on a condition that does not hold."""

_REASONS = {
    "NoSuchKey": "there is nothing under that key",
    "404": "there is nothing under that key",
    "NoSuchBucket": "there is no such bucket; check {setting}",
    "AccessDenied": "access denied; check the role's policy",
    "AccessDeniedException": "access denied; check the role's policy",
    "ExpiredToken": "the credentials have expired; get new ones",
    "ExpiredTokenException": "the credentials have expired; get new ones",
    "ResourceNotFoundException": "there is nothing of that name; check {setting}",
}


def status_of(error: ClientError) -> int:
    """Return the HTTP status of an answer, 0 if it bore none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code_of(error: ClientError) -> str:
    """Return the service's own code of an answer, such as ``NoSuchKey``; empty if it has none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def may_pass(error: ClientError) -> bool:
    """Tell whether the same request may succeed later: the service is busy, or failed itself."""
    status = status_of(error)
    return code_of(error) in _PASSING or status in _PASSING_STATUSES or status >= _FIRST_SERVER_FAULT


@contextmanager
def translated(
    action: str, *, unavailable: type[TransientError], refused: type[PermanentError], setting: str
) -> Iterator[None]:
    """Turn boto3's errors into ours.

    Args:
        action: what could not be done where; the message begins with it.
        unavailable: raised for what may pass by itself.
        refused: raised for what may not.
        setting: what names the bucket, the secret or the queue.
    """
    try:
        yield
    except (UnreachableError, HTTPClientError, IncompleteReadError) as error:
        raise unavailable(f"{action}: {error}; try again") from error
    except NoCredentialsError as error:
        raise refused(f"{action}: no AWS credentials; try: aws configure") from error
    except ClientError as error:
        code = code_of(error)
        reason = (
            _REASONS.get(code, "").format(setting=setting) or error.response["Error"].get("Message") or code
        )
        if may_pass(error):
            raise unavailable(f"{action}: {reason}; try again") from error
        raise refused(f"{action}: {reason} ({code})") from error
    except BotoCoreError as error:
        raise refused(f"{action}: {error}") from error
