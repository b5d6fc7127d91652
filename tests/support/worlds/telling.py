"""Loads of rows in names of today or of the date, and what became of them.

X is traded in the sessions 0 to 9, and Y from session 10 on. Lists of session 12 name symbols as of then.
"""

import datetime as dt
from dataclasses import replace

from condvest.batch_layer.fetching.check_archive import check_archive
from condvest.batch_layer.shared.models.given.file_options import FileOptions
from tests.support.payloads import (
    bar,
    bars_payload,
    dividend,
    dividends_payload,
    json_payload,
    payload,
    split,
    splits_payload,
)
from tests.support.worlds.long_world import everything_in
from tests.support.worlds.playing import rename_payload

BASE = 15_600
"""The ordinal of session 0: in January 2024."""
RENAMED = 10
DATED = {"daily_bars": "ordinal", "splits": "ex_date", "dividends": "ex_date"}
VALUES = {
    "daily_bars": "open, high, low, close, volume, vwap, trades",
    "splits": "split_from, split_to",
    "dividends": "cash_amount",
}
RANKS = {"sample": 0, "yahoo": 10, "massive": 20, "file": 30, "mine": 30}


def day(world, at):
    return world.date(BASE + at)


def tell(
    world, dataset, rows, *, means="today", on=12, provider="file", whole=None, rehearsal=False, alike=False
):
    """Load rows (symbol, session, value) told after a session; return the load as the model knows it.

    Bars of one value differ by their symbols, unless they are to be ``alike``.
    """
    dated = [(symbol, day(world, at), value) for symbol, at, value in rows]
    asked = whole and tuple(day(world, at) for at in whole)
    make, rows = {
        "daily_bars": (
            bars_payload,
            lambda each: {**bar("A" if alike else each[0], *each[1:]), "symbol": each[0]},
        ),
        "splits": (splits_payload, lambda each: split(*each[:2], min(each[2], 1), each[2])),
        "dividends": (dividends_payload, lambda each: dividend(*each)),
    }[dataset]
    given = [rows(each) for each in dated]
    made = make(given, provider=provider, asked=asked)
    told_at = dt.datetime.combine(day(world, on), dt.time(23), dt.UTC)
    number = len(world.past)
    made = replace(
        made,
        # A column that is not read: no two files have the same bytes.
        content=b"".join(line + b",%d\n" % number for line in made.content.splitlines()),
        options=FileOptions(symbols_mean=means),
        fetched_at=told_at,
    )
    world.load(made, rehearsal=rehearsal)
    columns = VALUES[dataset].split(", ")
    return {
        "dataset": dataset,
        "rank": RANKS[provider],
        "provider": provider,
        "means": means,
        "told_on": day(world, on),
        "period": asked,
        "rows": [
            (row["symbol"], date, tuple(row[name] for name in columns))
            for row, (_, date, _) in zip(given, dated, strict=True)
        ],
    }


def state(world, *rows):
    world.load(payload("renames", "\n".join(["from,to,date", *rows]).encode()))


def renames(world, to="Y", at=RENAMED, symbol="X"):
    state(world, f"{symbol},{to},{day(world, at)}")


def listed(world, symbols, delisted):
    rows = [{"ticker": name, "active": True, "composite_figi": f"F{at}"} for at, name in enumerate(symbols)]
    if delisted is not None:
        rows[-1] |= {"active": False, "delisted_utc": f"{day(world, delisted)}T00:00:00Z"}
    world.load(json_payload("instruments", rows, whole=True))


def recorded(world, figi, taken):
    world.load(rename_payload(world, figi, [(BASE + at, symbol) for at, symbol in taken]))


def series(world, dataset):
    """Return {symbols of an instrument, joined: {session: values}} of all that is stored."""
    symbols = dict(
        world.ask("SELECT instrument_id, string_agg(symbol, '>' ORDER BY valid_from) FROM symbols GROUP BY 1")
    )
    kept = {}
    for who, key, *values in world.ask(
        f"SELECT instrument_id, {DATED[dataset]}, {VALUES[dataset]} FROM {dataset}"
    ):
        at = key - BASE if dataset == "daily_bars" else session_of(world, key)
        kept.setdefault(symbols[who], {})[at] = tuple(values)
    return kept


def session_of(world, date):
    return next(at for at in range(-5, 40) if day(world, at) == date)


def insist_on_agreed(world):
    """Insist that the archive agrees, and that the bars are right."""
    assert list(check_archive(world.loader(), None, 0)) == []
    world.resample()
    assert world.differences() == []


def insist_on_sound(world):
    """Insist on that, and that a rebuild ends the same; nothing can be loaded afterwards."""
    insist_on_agreed(world)
    before = everything_in(world)
    world.rebuild()
    world.resample()
    after = everything_in(world)
    assert {name: rows for name, rows in after.items() if rows != before[name]} == {}
