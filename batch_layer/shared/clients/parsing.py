"""Read a payload of any provider."""

from __future__ import annotations

from collections.abc import Callable

from batch_layer.shared.clients import files, massive, yahoo
from batch_layer.shared.models.payloads import Parsed, Payload

_OF_PROVIDER: dict[str, Callable[[Payload], Parsed]] = {"massive": massive.parse, "yahoo": yahoo.parse}
"""Who reads a provider's JSON; CSV and Parquet are read alike, whoever they come from."""


def parse(payload: Payload) -> Parsed:
    """Return the rows of a payload; pure.

    Raises:
        InputError: the bytes are not what the payload should hold.
    """
    if payload.media.startswith("json") and payload.provider in _OF_PROVIDER:
        return _OF_PROVIDER[payload.provider](payload)
    return files.parse(payload)
