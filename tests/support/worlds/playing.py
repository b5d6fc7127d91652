"""Does to a `World` what the strategies of `tests.support.strategies.market_events` draw."""

import random
from contextlib import suppress

from condvest.batch_layer.shared.errors import InputError
from tests.support.payloads import bar, dividend, json_payload, payload, split
from tests.support.strategies.market_events import LAST, SYMBOLS


def play(world, event):
    """Do one event to a world."""
    kind, *details = event
    _PLAYERS[kind](world, *details)


def play_all(world, events):
    """Do events in turn."""
    for event in events:
        play(world, event)


def check(world):
    """Insist that every stored bar is that of the naive recomputation.

    Not only at the end of a history: the next change may mend what the last one left wrong.
    """
    world.resample()
    assert world.differences() == []


def _import(world, provider, keys):
    world.bars(
        [bar(symbol, world.date(at), version) for (symbol, at), version in keys.items()], provider=provider
    )


def _answer(world, provider, first, length, version, share, seed):
    last = min(first + length, LAST)
    rows = _answer_rows(world, first, last, version, share, seed)
    world.bars(rows, provider=provider, whole=(first, last))


def _answer_rows(world, first, last, version, share, seed):
    """Return the bars of a run of sessions: none in one of ten, else ``share``; a tenth is faulty."""
    chance = random.Random(seed)
    rows = []
    for ordinal in range(first, last + 1):
        present = share if chance.random() < 0.9 else 0
        for symbol in SYMBOLS:
            if chance.random() < present:
                broken = {"high": 1.0} if chance.random() < 0.1 else {}
                rows.append(bar(symbol, world.date(ordinal), version, **broken))
    return rows


def _splits(world, provider, whole, ratios):
    rows = [split(*key, *ratio) for key, ratio in _by_ex_date(world, ratios).items()]
    world.splits(rows, provider=provider, whole=whole)


def _dividends(world, provider, whole, amounts):
    rows = [dividend(*key, cash) for key, cash in _by_ex_date(world, amounts).items()]
    asked = (world.sessions.date[0].item(), world.sessions.date[-1].item()) if whole else None
    world.dividends(rows, provider=provider, asked=asked)


def _by_ex_date(world, actions):
    """Return {(symbol, ex-date): value}; of two that fall on one ex-date the last counts."""
    return {(symbol, _ex_date(world, at, later)): value for (symbol, at, later), value in actions.items()}


def _ex_date(world, ordinal, later):
    date = world.date(ordinal)
    return date.replace(day=date.day + 1) if later and date.day < 28 else date


def _listings(world, listed, figis, name, delisted, whole):
    rows = [
        {"ticker": symbol, "name": f"{symbol} {name}", "active": True, "composite_figi": figi or None}
        for symbol, figi in zip(listed, figis, strict=False)
    ]
    if delisted is not None:
        rows[0] |= {"active": False, "delisted_utc": f"{world.date(delisted)}T00:00:00Z"}
    world.load(json_payload("instruments", rows, whole=whole))


def rename_payload(world, figi, taken):
    """Return Massive's answer on the symbols that an instrument took, pairs of ordinal and symbol."""
    events = [
        {"type": "ticker_change", "date": str(world.date(at)), "ticker_change": {"ticker": symbol}}
        for at, symbol in taken
    ]
    return json_payload("symbols", {"composite_figi": figi, "events": events})


def _renames(world, figi, taken):
    world.load(rename_payload(world, figi, taken))


def _stated(world, taken):
    lines = [f"{symbol},{to},{world.date(at)}" for (at, symbol), to in taken.items()]
    world.load(payload("renames", "\n".join(["from,to,date", *lines]).encode()))


def _again(world, number):
    if world.past:
        with suppress(InputError):  # a broken file stays broken when it comes again
            world.load(world.past[number % len(world.past)])


def _broken(world, dataset, number):
    with suppress(InputError):
        world.load(payload(dataset, f"nothing,of,this\n{number}".encode()))


def _resample(world, partitions, full):
    world.resample(partitions=sorted(partitions), full=full)


_PLAYERS = {
    "import": _import,
    "answer": _answer,
    "splits": _splits,
    "dividends": _dividends,
    "listings": _listings,
    "renames": _renames,
    "stated": _stated,
    "again": _again,
    "broken": _broken,
    "resample": _resample,
    "check": check,
}
"""What does an event, by its kind."""
