"""Whose renames to ask for, found in the archive: the fetchers know no database."""

from __future__ import annotations

import datetime as dt
import hashlib

from condvest.batch_layer.fetching.policy import RENAMES_OVERLAP
from condvest.batch_layer.shared.clients.archive.s3 import S3Archive
from condvest.batch_layer.shared.clients.parsing import parse
from condvest.batch_layer.shared.models.given.payload_rows import InstrumentRows
from condvest.batch_layer.shared.models.given.payloads import Payload


def to_ask_about(archive: S3Archive, reference: Payload) -> list[str]:
    """Return the instruments that are new, or have another symbol, since some time before ``reference``.

    Each by its FIGI, or by its symbol if it has none; only those that are listed. None if the archive holds
    no earlier reference: then everybody would be new, and the job ``backfill`` asks about all. In an order
    that changes from day to day, so that asking for the first few asks for all in time.

    Args:
        archive: where the earlier references are.
        reference: the present one.

    Raises:
        ArchiveError, ArchiveUnavailable: of the archive.
    """
    earlier = _earlier(archive, reference)
    if earlier is None:
        return []
    before = _listed(earlier)
    asked = [figi for figi, symbol in _listed(reference).items() if before.get(figi) != symbol]
    day = reference.fetched_at.date().isoformat()
    return sorted(asked, key=lambda figi: hashlib.sha256(f"{day} {figi}".encode()).digest())


def _earlier(archive: S3Archive, reference: Payload) -> Payload | None:
    """Return the newest reference that is RENAMES_OVERLAP older, or the oldest there is."""
    keys = list(archive.keys_below(f"{reference.provider}/{reference.dataset}/all/"))
    # The keys name the instants of their fetches, so nothing is read that is not wanted.
    until = (reference.fetched_at - RENAMES_OVERLAP).astimezone(dt.UTC).strftime("%Y%m%dT%H%M%S")
    old = [key for key in keys if key.rpartition("/")[2] < until]
    for key in (*reversed(old), *keys[len(old) :]):
        payload = archive.read(key)
        # Details of single instruments lie there too; and the present reference itself.
        if payload.is_whole and payload.digest != reference.digest:
            return payload
    return None


def _listed(reference: Payload) -> dict[str, str]:
    """Return the present symbol of each instrument that is listed."""
    rows = parse(reference).rows
    if not isinstance(rows, InstrumentRows):
        return {}
    columns = zip(rows.figi.tolist(), rows.symbol.tolist(), rows.active.tolist(), strict=True)
    return {figi or symbol: symbol for figi, symbol, active in columns if active and symbol}
