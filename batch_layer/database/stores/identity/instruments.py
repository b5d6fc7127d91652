"""Instruments and providers: which instrument a symbol means on a date, and which provider supplies it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import count
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from condvest.batch_layer.database.postgres.binary_copy import Column
from condvest.batch_layer.database.postgres.connecting.connection import Connection
from condvest.batch_layer.database.postgres.queries import array_of, array_of_texts, column, number
from condvest.batch_layer.database.postgres.reading.packed import read_narrow
from condvest.batch_layer.shared.models.bars import Int32s, Int64s, distinct_numbers, run_starts
from condvest.batch_layer.shared.models.instruments.provider_kinds import rank_of

NO_INSTRUMENT = 0
"""Stands where a symbol belongs to no instrument."""

_SPAN_COLUMNS = (
    Column("code", "int4"),
    Column("first", "int4"),
    Column("last", "int4"),
    Column("instrument_id", "int4"),
)
_DATE_ONE = np.datetime64("0001-01-01", "D")
_MOST_DAYS = 4_000_000  # more than the days from year 1 to year 9999


def known_provider(connection: Connection, provider: str) -> int | None:
    """Return the id of a provider; None if nothing was ever loaded from it."""
    ids = column(connection, "SELECT provider_id FROM providers WHERE provider = %s", (provider,))
    return int(ids[0]) if ids else None


def provider_id_of(connection: Connection, provider: str) -> int:
    """Return the id of a provider, made if new."""
    known = known_provider(connection, provider)
    if known is None:
        # The lowest id that is free, not a sequence's next: what is rolled back must use up none of the few.
        connection.execute("LOCK TABLE providers IN SHARE ROW EXCLUSIVE MODE")
        connection.execute(
            "INSERT INTO providers (provider_id, provider, rank) OVERRIDING SYSTEM VALUE "
            "SELECT coalesce(max(provider_id) + 1, 0), %(provider)s, %(rank)s FROM providers "
            "HAVING bool_or(provider = %(provider)s) IS NOT TRUE",
            {"provider": provider, "rank": rank_of(provider)},
        )
        known = number(connection, "SELECT provider_id FROM providers WHERE provider = %s", (provider,))
    return known


def instruments_of(
    connection: Connection, symbols: npt.NDArray[np.object_], sessions: npt.NDArray[np.datetime64]
) -> Int32s:
    """Return the instrument that carried each row's symbol on its date; NO_INSTRUMENT where none did."""
    return _Carriers.of(connection, symbols).on(sessions)[0]


def coded(symbols: npt.NDArray[np.object_]) -> tuple[Int64s, list[str]]:
    """Return per row which of the distinct symbols (from 0) it has, and these, in the order they come in."""
    # Most rows have the symbol of the row before: it is looked up once a run.
    starts = np.flatnonzero(np.append([True], symbols[1:] != symbols[:-1]))[: len(symbols)]
    code_of: defaultdict[str, int] = defaultdict(count().__next__)
    codes = np.fromiter(map(code_of.__getitem__, symbols[starts].tolist()), np.int64, len(starts))
    return np.repeat(codes, np.diff(starts, append=len(symbols))), list(code_of)


@dataclass(frozen=True, eq=False)
class _Carriers:
    """Who carries the symbols of rows.

    Attributes:
        code: int64 per row: which of the distinct symbols it has.
        spans: who carries a symbol from one day to another (see _SPAN_COLUMNS), by code and day; days since
            0001-01-01, inclusive.
    """

    code: Int64s
    spans: dict[str, npt.NDArray[Any]]

    @classmethod
    def of(cls, connection: Connection, symbols: npt.NDArray[np.object_]) -> Self:
        code, distinct = coded(symbols)  # a code is the index in the array that the query gets
        spans = read_narrow(
            connection,
            "SELECT (number - 1)::int4, greatest(valid_from, date '0001-01-01') - date '0001-01-01', "
            "least(valid_to, date '9999-12-31') - date '0001-01-01', instrument_id "
            "FROM unnest(%(symbols)s::text[]) WITH ORDINALITY AS given (symbol, number) "
            "JOIN symbols USING (symbol) ORDER BY number, valid_from",
            _SPAN_COLUMNS,
            # No instrument carries an unprintable symbol, and PostgreSQL refuses NUL.
            {"symbols": array_of_texts(_printable(distinct))},
        )
        return cls(code, spans)

    def on(self, dates: npt.NDArray[np.datetime64]) -> tuple[Int32s, Int64s]:
        """Return each row's instrument on its date, NO_INSTRUMENT where there is none, and its place.

        The place is that of the last span of any symbol that begins on or before the row: rows of one symbol
        that nobody carries have the same place if and only if nobody carries it between them either.
        """
        # The last span of the symbol that starts on or before the date, if it is still running then.
        days: npt.NDArray[np.int64] = (dates.astype("datetime64[D]") - _DATE_ONE).astype(np.int64)
        keys = self.spans["code"].astype(np.int64) * _MOST_DAYS + self.spans["first"]
        last = np.searchsorted(keys, self.code * _MOST_DAYS + days, side="right") - 1
        carriers = np.full(len(last), NO_INSTRUMENT, dtype=np.int32)
        if len(keys):
            carried = (
                (last >= 0) & (self.spans["code"][last] == self.code) & (days <= self.spans["last"][last])
            )
            carriers[carried] = self.spans["instrument_id"][last[carried]]
        return carriers, last


def _printable(symbols: list[str]) -> list[str]:
    if "".join(symbols).isprintable():
        return symbols
    return [symbol if symbol.isprintable() else "" for symbol in symbols]


def identify(
    connection: Connection, symbols: npt.NDArray[np.object_], dates: npt.NDArray[np.datetime64]
) -> tuple[Int32s, Int32s]:
    """Return each row's instrument, and the instruments made for symbols that none carried on the date."""
    given = _Carriers.of(connection, symbols)
    carriers, span = given.on(dates)
    unknown = np.flatnonzero(carriers == NO_INSTRUMENT)
    if len(unknown):
        # All rows of one symbol in one gap between its carriers are of one new instrument: one row asks for
        # it, and tells whose the others are.
        gaps = given.code[unknown] * (len(given.spans["code"]) + 1) + span[unknown]
        # Most rows are in the gap of the row before: runs are compared.
        starts = run_starts(gaps)
        _, first, gap = np.unique(gaps[starts], return_index=True, return_inverse=True)
        asking, gap = unknown[starts[first]], np.repeat(gap, np.diff(starts, append=len(gaps)))
        create_instruments(connection, symbols[asking], dates[asking])
        carriers[unknown] = instruments_of(connection, symbols[asking], dates[asking])[gap]
    return carriers, distinct_numbers(carriers[unknown])


def create_instruments(
    connection: Connection, symbols: npt.NDArray[np.object_], dates: npt.NDArray[np.datetime64]
) -> None:
    """Make an instrument for each symbol that no instrument carried on a date.

    The new instrument carries the symbol for the whole gap between the spans in which others carry it;
    several dates within one gap make one instrument.

    Example: instrument 7 carries FB to 2022-06-08. Given (FB, 2023-01-03), a new instrument carries FB from
    2022-06-09 without end.
    """
    connection.execute(
        "WITH given AS (SELECT DISTINCT symbol, date "
        "  FROM unnest(%s::text[], %s::date[]) AS given (symbol, date)), "
        "free AS (SELECT DISTINCT given.symbol, "
        "  coalesce((SELECT max(valid_to) + 1 FROM symbols AS other WHERE other.symbol = given.symbol "
        "    AND other.valid_to < given.date), '-infinity') AS valid_from, "
        "  coalesce((SELECT min(valid_from) - 1 FROM symbols AS other WHERE other.symbol = given.symbol "
        "    AND other.valid_from > given.date), 'infinity') AS valid_to FROM given), "
        "new AS (SELECT symbol, valid_from, valid_to, "
        "  nextval(pg_get_serial_sequence('instruments', 'instrument_id'))::int4 AS instrument_id "
        "  FROM (SELECT * FROM free ORDER BY symbol, valid_from) AS ordered), "
        "made AS (INSERT INTO instruments (instrument_id) OVERRIDING SYSTEM VALUE "
        "  SELECT instrument_id FROM new) "
        "INSERT INTO symbols (symbol, valid_from, valid_to, instrument_id) "
        "SELECT symbol, valid_from, valid_to, instrument_id FROM new",
        (array_of_texts(symbols.tolist()), array_of(dates.astype("datetime64[D]"))),
    )


def last_instrument(connection: Connection) -> int:
    """Return the id of the newest instrument; 0 if there is none."""
    return number(connection, "SELECT coalesce(max(instrument_id), 0) FROM instruments")


def supplied_by(connection: Connection, provider_id: int) -> Int32s:
    """Return the instruments that a provider has supplied, ascending."""
    columns = read_narrow(
        connection,
        "SELECT instrument_id FROM instrument_providers WHERE provider_id = %(provider_id)s "
        "ORDER BY instrument_id",
        (Column("instrument_id", "int4"),),
        {"provider_id": provider_id},
    )
    return columns["instrument_id"]


def without_bars(connection: Connection, instrument_id: Int32s) -> list[str]:
    """Return the symbols, ascending, of those of some instruments that no provider supplies."""
    return column(
        connection,
        "SELECT DISTINCT symbol FROM symbols WHERE instrument_id = ANY(%s::int4[]) AND NOT EXISTS "
        "(SELECT FROM instrument_providers AS own WHERE own.instrument_id = symbols.instrument_id) "
        "ORDER BY 1",
        (array_of(instrument_id),),
    )


def add_supplied(connection: Connection, provider_id: int, instrument_id: Int32s, load_id: int) -> None:
    """Record that a provider supplies the instruments from a load on; it supplied none of them before."""
    if len(instrument_id):
        connection.execute(
            "INSERT INTO instrument_providers (instrument_id, provider_id, first_load_id) "
            "SELECT unnest(%s::int4[]), %s, %s",
            (array_of(instrument_id), provider_id, load_id),
        )
