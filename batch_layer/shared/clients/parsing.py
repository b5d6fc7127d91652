"""Read a payload of any provider."""

from __future__ import annotations

from condvest.batch_layer.shared.models.given.payloads import Parsed, Payload
from condvest.batch_layer.shared.models.undo import parse_undo


def parse(payload: Payload) -> Parsed:
    """Return the rows of a payload; pure.

    A provider's own JSON is read by its client; CSV and Parquet are read alike, whichever provider they
    come from.

    Raises:
        InputError: the bytes are not in the expected format.
    """
    if payload.dataset == "undo":
        return parse_undo(payload)
    # Each reader is imported when it is needed: a function on AWS that loads Massive's answers starts
    # without Arrow and curl, and is shipped without Arrow.
    if payload.media.startswith("json") and payload.provider == "massive":
        from condvest.batch_layer.shared.clients import massive  # noqa: PLC0415

        return massive.parse(payload)
    if payload.media.startswith("json") and payload.provider == "yahoo":
        from condvest.batch_layer.shared.clients import yahoo  # noqa: PLC0415

        return yahoo.parse(payload)
    from condvest.batch_layer.shared.clients import files  # noqa: PLC0415

    return files.parse(payload)


def divided(payload: Payload) -> Parsed | None:
    """Return the rows of a large file of prices in portions (see `Parsed`); None for any other payload.

    Raises:
        InputError: the file is not in the expected format.
    """
    if payload.media.startswith("json"):
        return None
    from condvest.batch_layer.shared.clients import files  # noqa: PLC0415

    return files.divided(payload)
