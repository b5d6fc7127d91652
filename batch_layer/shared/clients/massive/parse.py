"""Read an archived or a fresh payload of Massive; pure."""

from __future__ import annotations

from dataclasses import replace

from condvest.batch_layer.shared.clients.massive import json_seq
from condvest.batch_layer.shared.clients.massive.actions import read_dividends, read_splits
from condvest.batch_layer.shared.clients.massive.grouped import read_grouped
from condvest.batch_layer.shared.clients.massive.reference import read_instruments, read_symbols
from condvest.batch_layer.shared.errors import InputError
from condvest.batch_layer.shared.models.given.payloads import Parsed, Payload
from condvest.batch_layer.shared.models.instruments.provider_kinds import symbols_meant

JSON, JSON_SEQ = "json", "json-seq"
"""``Payload.media``: one answer, or several as an RFC 7464 JSON text sequence."""

_READERS = {
    "splits": read_splits,
    "dividends": read_dividends,
    "instruments": read_instruments,
    "symbols": read_symbols,
}


def parse(payload: Payload) -> Parsed:
    """Return the rows of a payload: BarRows, SplitRows, DividendRows, InstrumentRows or SymbolRows.

    ``line`` counts the rows from 1. What is wrong with one row is a fault of the row.

    Raises:
        InputError: the bytes are not what the payload should hold; the message names the payload and what
            is there instead.
    """
    try:
        if payload.dataset == "daily_bars":
            return _daily_bars(payload)
        bodies = [payload.content[:]]
        if payload.media == JSON_SEQ:
            bodies = json_seq.divide(payload.content[:])
        parsed = _READERS[payload.dataset](bodies)
    except InputError as error:
        raise InputError(f"{payload.name}: {error}") from error
    return replace(parsed, symbols_mean=symbols_meant("massive", payload.dataset, payload.media) or "date")


def _daily_bars(payload: Payload) -> Parsed:
    if payload.first_session is None or payload.first_session != payload.last_session:
        raise InputError("a grouped answer is of one session, which the payload does not name")
    return read_grouped(payload.content[:], payload.first_session)
