"""What is said of a published file that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from condvest.batch_layer.shared.errors import PublishedError, PublishedUnavailable

_DENIED = (
    "ACCESS_DENIED",
    "INVALID_ACCESS_KEY_ID",
    "INVALID_CLIENT_TOKEN_ID",
    "INVALID_SIGNATURE",
    "MISSING_AUTHENTICATION_TOKEN",
    "REQUEST_EXPIRED",
    "SIGNATURE_DOES_NOT_MATCH",
    "UNRECOGNIZED_CLIENT",
)
"""S3 errors, under Arrow's names, that do not pass by themselves.

Without the right to list a bucket, S3 also answers ACCESS_DENIED for a missing object.
"""

_FAILURES = (OSError, pa.ArrowException, LookupError, TypeError, AttributeError, ValueError)
"""What reading a file may raise: a damaged file can break a reader in any of these ways."""


@contextmanager
def translated(where: str, version: int) -> Iterator[None]:
    """Turn what reading a file raises into an error that says which file it is, and what to do.

    Args:
        where: the file, and the data set that it is of.
        version: which names the file.

    Raises:
        PublishedError: it is gone, may not be read, or is damaged.
        PublishedUnavailable: S3 does not give it now.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise PublishedError(
            f"{where} is gone, though version {version} names it: newer versions replaced "
            "it, or it was removed by hand. Read again; if that does not help, run condvest publish"
        ) from error
    except MemoryError:
        raise
    except _FAILURES as error:
        if any(f"AWS Error {denied}" in str(error) for denied in _DENIED):
            raise PublishedError(
                f"{where} may not be read, or is gone: {error}. Read again; if that does not help, look "
                "at the credentials, which need s3:GetObject there"
            ) from error
        if "AWS Error" in str(error):
            raise PublishedUnavailable(f"{where} cannot be read now: {error}; try again") from error
        raise PublishedError(
            f"{where} cannot be read ({type(error).__name__}: {error}). If it is damaged, and no longer "
            "what the manifest's sha256 says, run condvest publish --check: it writes the file anew"
        ) from error
