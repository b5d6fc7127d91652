"""Rows whose symbol nobody carries make one instrument a gap, in whatever order they come."""

import datetime as dt
import itertools

import numpy as np
import pytest

from condvest.batch_layer.database.stores.identity.instruments import identify
from condvest.batch_layer.database.stores.identity.symbols import symbol_spans

D = dt.date
CARRIED = {
    "A": [(1, D(2020, 1, 10), D(2020, 1, 19)), (2, D(2020, 2, 10), D(2020, 2, 19))],
    "B": [(3, None, D(2020, 1, 31))],
    "C": [(4, D(2020, 2, 1), None)],
}
"""Instrument, first and last date by symbol; nobody carries D and E."""

DAYS = [D(2019, 12, 31) + dt.timedelta(at) for at in range(80)]


def place_of(symbol, day):
    """Return who carries a symbol on a day, or the number of the gap: how many spans end before it."""
    spans = CARRIED.get(symbol, [])
    for one, first, last in spans:
        if (first or D.min) <= day <= (last or D.max):
            return one
    return symbol, sum((last or D.max) < day for _, _, last in spans)


@pytest.mark.parametrize("seed", range(4))
def test_each_gap_becomes_one_instrument_that_carries_the_symbol_through_it(world, seed):
    rng = np.random.default_rng(seed)
    rows = [pair for pair in itertools.product("ABCDE", DAYS) if rng.random() < 0.5]
    rng.shuffle(rows)
    rows = rows if seed else sorted(rows)
    with world.workspace.database.transaction(rehearsal=True) as connection:
        connection.execute(
            "INSERT INTO instruments (instrument_id) OVERRIDING SYSTEM VALUE SELECT generate_series(1, 4)"
        )
        connection.execute("SELECT setval(pg_get_serial_sequence('instruments', 'instrument_id'), 4)")
        for symbol, spans in CARRIED.items():
            for one, first, last in spans:
                connection.execute(
                    "INSERT INTO symbols VALUES (%s, coalesce(%s, '-infinity'::date), "
                    "coalesce(%s, 'infinity'::date), %s)",
                    (symbol, first, last, one),
                )
        symbols, days = zip(*rows, strict=True)
        ids, made = identify(
            connection, np.array(symbols, dtype=object), np.array(days, dtype="datetime64[D]")
        )
        stored = symbol_spans(connection)
    by_place = {}
    for (symbol, day), one in zip(rows, ids.tolist(), strict=True):
        by_place.setdefault(place_of(symbol, day), set()).add(one)
        assert [
            (carried, one)
            for carrier, carried, first, last in stored
            if carrier == one and (first or D.min) <= day <= (last or D.max)
        ] == [(symbol, one)]
    assert all(by_place[one] == {one} for one in range(1, 5))
    new = [one for place, found in by_place.items() if not isinstance(place, int) for one in found]
    assert len(new) == len(set(new)) == len(by_place) - 4 == 7
    assert sorted(new) == made.tolist() == list(range(5, 12))


def test_no_row_makes_no_instrument(world):
    with world.workspace.database.transaction(rehearsal=True) as connection:
        ids, made = identify(connection, np.array([], dtype=object), np.array([], dtype="datetime64[D]"))
    assert (ids.tolist(), made.tolist(), ids.dtype) == ([], [], np.int32)
