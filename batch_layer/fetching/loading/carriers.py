"""Whose row it is: from the symbols of a payload to instruments, by what its provider means by a symbol.

DRAD became STRR on 2021-01-04, and METV, an ETF, was called META until 2022-01-31; Facebook took META, its
third symbol, on 2022-06-09. Rows that name a symbol on a date are of

    =====  ==========  ===========================  ==========================================
    name   date        where names are of the date  where they are those of today
    =====  ==========  ===========================  ==========================================
    STRR   2019-06-04  nobody's                     DRAD's instrument, which carries STRR now
    META   2022-01-03  the ETF's                    Facebook's, which carries META now
    META   2022-07-01  Facebook's                   Facebook's
    =====  ==========  ===========================  ==========================================

A bar of nobody makes an instrument. An action never does: it has no home, and is kept among the refused rows
until somebody has the symbol on its date. Where names are of today, it goes to whoever took the symbol next:
a company is listed there under its last symbol, though that may be traded no longer. Where they are of the
date, whoever took the symbol later is another company, for all that is known. Stored with it, a split would
rescale prices that it is not of, and stay behind or be in the way when a rename moves what a symbol had.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.stores.identity.carriers import lifetimes, takers
from condvest.batch_layer.database.stores.identity.instruments import NO_INSTRUMENT, instruments_of
from condvest.batch_layer.shared.models.bars import Bools, Int32s
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.batch_layer.shared.models.given.payloads import Parsed, Payload
from condvest.batch_layer.shared.models.sessions import EXCHANGE_ZONE, Dates


def carriers_of(connection: Connection, payload: Payload, parsed: Parsed, chosen: Bools) -> Int32s:
    """Return the instrument of each chosen row of a payload, NO_INSTRUMENT where there is none.

    Args:
        connection: to the database.
        payload: the payload; its instant says which day is today.
        parsed: its rows, and how their symbols are meant.
        chosen: bool, one per row of ``parsed``; rows that are chosen have a date.
    """
    if not chosen.any():
        return np.zeros(0, dtype=np.int32)
    rows = parsed.rows.take(chosen)
    symbol, date, is_bar = rows.symbol, rows.dates(), isinstance(rows, BarRows)
    ids = instruments_of(connection, symbol, date)
    if parsed.symbols_mean == "today":
        if not is_bar:
            ids = or_takers(connection, ids, symbol, date)
        # A list of today's names has a company's whole past under its present symbol. But an action from
        # before the present carrier came into being was its forerunner's, who had the symbol then.
        today = np.full(len(date), payload.fetched_at.astimezone(EXCHANGE_ZONE).date(), dtype="datetime64[D]")
        now = instruments_of(connection, symbol, today)
        goes_to_now = (now != NO_INSTRUMENT) & (is_bar | _existed(connection, now, date))
        ids = np.where(goes_to_now, now, ids).astype(np.int32, copy=False)
    return ids


def or_takers(connection: Connection, ids: Int32s, symbol: npt.NDArray[np.object_], date: Dates) -> Int32s:
    """Return the instruments, and for NO_INSTRUMENT whoever took the symbol next after the date, if any."""
    homeless = ids == NO_INSTRUMENT
    ids = ids.copy()
    ids[homeless] = _next_takers(connection, symbol[homeless], date[homeless])
    return ids


def _existed(connection: Connection, instrument_id: Int32s, date: Dates) -> Bools:
    """Return whether each instrument carried any symbol on the date beside it."""
    return lifetimes(connection, instrument_id).contain(instrument_id, date.astype(np.int64).astype(np.int32))


def _next_takers(connection: Connection, symbol: npt.NDArray[np.object_], date: Dates) -> Int32s:
    """Return who took each symbol next after the date, NO_INSTRUMENT where nobody did."""
    spans = takers(connection, symbol.tolist())
    return np.array(
        [
            next((taker for first, taker in spans.get(name, ()) if first > day), NO_INSTRUMENT)
            for name, day in zip(symbol.tolist(), date, strict=True)
        ],
        dtype=np.int32,
    )
