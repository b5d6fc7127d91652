"""Signatures of webhooks; pure.

The scheme is that of Standard Webhooks (https://www.standardwebhooks.com, version 1): the base64 of the
HMAC-SHA256 of ``id.timestamp.body`` under a secret, which receivers verify in any of a dozen languages.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

from condvest.batch_layer.shared.errors import UsageError

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a secret."""


def new_secret() -> str:
    """Return a secret drawn at random."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def checked_secret(text: str) -> str:
    """Return a secret as it was given.

    Raises:
        UsageError: it is none; the message does not repeat it.
    """
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(PREFIX) or not SHORTEST <= len(key) <= LONGEST:
        raise UsageError(
            f"a secret is {PREFIX} and base64 of {SHORTEST} to {LONGEST} bytes; leave it out and Condvest "
            "makes one"
        )
    return text


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header ``webhook-signature``.

    Args:
        secret: as `new_secret` makes them.
        message_id: value of ``webhook-id``: the same in each attempt.
        timestamp: value of ``webhook-timestamp``: seconds since 1970-01-01 UTC, of this attempt.
        body: the bytes that are sent.
    """
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"
