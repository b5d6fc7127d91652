"""Whose row it is: from the symbols of a payload to instruments, by what its provider means by a symbol.

DRAD became STRR on 2021-01-04, and METV, an ETF, was called META until 2022-01-31; Facebook took META, its
third symbol, on 2022-06-09. Rows that name a symbol on a date are of

    =====  ==========  ===========================  ==========================================
    name   date        where names are of the date  where they are those of today
    =====  ==========  ===========================  ==========================================
    STRR   2019-06-04  nobody's                     DRAD's instrument, which carries STRR now
    DRAD   2019-06-04  that instrument's            nobody's yet: of whoever is DRAD since
    META   2022-01-03  the ETF's                    Facebook's, which carries META now
    META   2022-07-01  Facebook's                   Facebook's
    =====  ==========  ===========================  ==========================================

Whose a row in names of today is, `Carriage` decides. What is of whoever took its symbol since is refused, and
stored when that company is known (see `retold`). A bar of nobody makes an instrument. An action never does:
it has no home, and is kept among the refused rows until somebody has the symbol on its date. Where names are
of today, it goes to whoever took the symbol next: a company is listed there under its last symbol, though
that may be traded no longer. Where they are of the date, whoever took the symbol later is another company,
for all that is known. Stored with it, a split would rescale prices that it is not of, and stay behind or be
in the way when a rename moves what a symbol had.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.stores.identity.carriers import carriage_of
from condvest.batch_layer.database.stores.identity.instruments import NO_INSTRUMENT, coded, instruments_of
from condvest.batch_layer.fetching.loading.transaction import PayloadLoad
from condvest.batch_layer.shared.core.names.names_of_today import Naming
from condvest.batch_layer.shared.models.bars import Bools, Int32s, Int64s
from condvest.batch_layer.shared.models.difference import pack
from condvest.batch_layer.shared.models.given.payload_rows import BarRows
from condvest.batch_layer.shared.models.given.payloads import Parsed, Payload
from condvest.batch_layer.shared.models.sessions import NO_ORDINAL, Dates

OF_ANOTHER = "nobody carries the symbol today, and whoever carried it then has another one now"
"""Why a row in names of today waits."""

_MOST_DAYS = 4_000_000  # more than the days from year 1 to year 9999
_DATE_ONE = np.datetime64("0001-01-01", "D")


def carriers_of(connection: Connection, payload: Payload, parsed: Parsed, chosen: Bools) -> Int32s:
    """Return the instrument of each chosen row of a payload, NO_INSTRUMENT where there is none.

    Args:
        connection: to the database.
        payload: the payload; its instant says which day is today.
        parsed: its rows, and how their symbols are meant.
        chosen: bool, one per row of ``parsed``; rows that are chosen have a date.
    """
    return np.maximum(owners_of(connection, payload, parsed, chosen), np.int32(NO_INSTRUMENT))


def owners_of(connection: Connection, payload: Payload, parsed: Parsed, chosen: Bools) -> Int32s:
    """Return the same as `carriers_of`, but of rows that are of somebody not known yet AWAITED."""
    if not chosen.any():
        return np.zeros(0, dtype=np.int32)
    rows = parsed.rows.take(chosen)
    symbol, date = rows.symbol, rows.dates()
    if parsed.symbols_mean == "date":
        return instruments_of(connection, symbol, date)
    naming = Naming.of(payload.provider, payload.media, payload.fetched_at, parsed.dataset)
    code, names = coded(symbol)
    carriage = carriage_of(connection, names)
    stretches = [
        (number, first, owner)
        for number, name in enumerate(names)
        for first, owner in carriage.owners(name, naming)
    ]
    numbers, first, owner = zip(*stretches, strict=True)
    begins = _keys(np.array(numbers, dtype=np.int64), np.array(first, dtype="datetime64[D]"))
    # Each symbol's first stretch begins with the calendar: the one before a row is of its own symbol.
    return np.array(owner, dtype=np.int32)[np.searchsorted(begins, _keys(code, date), side="right") - 1]


def _keys(code: Int64s, date: Dates) -> Int64s:
    days: Int64s = (date.astype("datetime64[D]") - _DATE_ONE).astype(np.int64)
    return code * _MOST_DAYS + days


def owners_of_bars(loads: Sequence[PayloadLoad]) -> list[Int32s]:
    """Return, for each load of daily bars, `owners_of` its rows that passed; in one query where possible."""
    connection = loads[0].connection
    if any(load.parsed.symbols_mean != "date" for load in loads):
        return [owners_of(connection, load.payload, load.parsed, load.verdict.passed) for load in loads]
    given = [(load.parsed.rows_as(BarRows), load.verdict.passed) for load in loads]
    if len(given) == 1 and given[0][1].all():  # a large file's portion, of which nothing is copied
        return [instruments_of(connection, given[0][0].symbol, given[0][0].session)]
    symbol = np.concatenate([rows.symbol[passed] for rows, passed in given])
    date = np.concatenate([rows.session[passed] for rows, passed in given])
    ends = np.cumsum([np.count_nonzero(passed) for _, passed in given])[:-1]
    return np.split(instruments_of(connection, symbol, date), ends)


def keys_of_refused_bars(load: PayloadLoad) -> Int64s:
    """Return the keys of the refused rows, as far as their symbol and session say which bar they are of."""
    verdict = load.verdict
    refused = ~verdict.passed & (verdict.ordinal != NO_ORDINAL)
    ids = carriers_of(load.connection, load.payload, load.parsed, refused)
    return pack(ids, verdict.ordinal[refused])
