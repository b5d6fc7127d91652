"""Night after night of one Yahoo chart around a split: no price on another basis replaces a stored one.

HAND closes at 99 on 2024-06-06 and at 100 on 06-07, as traded, and at 10.1 on 06-10, the ex-date of its
10-for-1 split.
"""

import datetime as dt
import json
from zoneinfo import ZoneInfo

import pytest

from condvest.batch_layer.shared.models.given.payloads import Payload

NEW_YORK = ZoneInfo("America/New_York")
TEN_FOR_ONE = ("2024-06-10", 10, 1)
BEFORE = {"2024-06-06": 99.0, "2024-06-07": 100.0}
AFTER = {"2024-06-06": 9.9, "2024-06-07": 10.0, "2024-06-10": 10.1}
AS_TRADED = {"2024-06-06": 99.0, "2024-06-07": 100.0, "2024-06-10": 10.1}


def at(date, hour, minute=0):
    return dt.datetime.combine(dt.date.fromisoformat(date), dt.time(hour, minute), NEW_YORK)


def chart(fetched_at, closes, *splits):
    """Return Yahoo's answer: all four prices of a session are its close; priced last at the newest close."""
    stamps = [int(at(date, 9, 30).timestamp()) for date in closes]
    told = list(closes.values())
    quote = dict.fromkeys(("open", "high", "low", "close"), told) | {"volume": [1000] * len(told)}
    events = {
        date: {"date": int(at(date, 9, 30).timestamp()), "numerator": new, "denominator": old}
        for date, new, old in splits
    }
    result = {
        "meta": {
            "symbol": "HAND",
            "exchangeTimezoneName": "America/New_York",
            "currency": "USD",
            "regularMarketTime": int(at(max(closes), 16).timestamp()),
        },
        "timestamp": stamps,
        "events": {"splits": events},
        "indicators": {"quote": [quote]},
    }
    return Payload(
        provider="yahoo",
        dataset="chart",
        content=json.dumps({"chart": {"result": [result], "error": None}}).encode(),
        media="json",
        first_session=dt.date.fromisoformat(min(closes)),
        last_session=fetched_at.date(),
        fetched_at=fetched_at.astimezone(dt.UTC),
        is_whole=False,
        name="yahoo/chart/HAND",
    )


FIRST = chart(at("2024-06-07", 20), BEFORE)
MORNING = chart(at("2024-06-10", 8), BEFORE, TEN_FOR_ONE)
MORNING_ADJUSTED = chart(at("2024-06-10", 8), {"2024-06-06": 9.9, "2024-06-07": 10.0}, TEN_FOR_ONE)
NOT_YET = chart(at("2024-06-10", 20), {**BEFORE, "2024-06-10": 10.1}, TEN_FOR_ONE)
TWICE = chart(at("2024-06-10", 20), {"2024-06-06": 0.99, "2024-06-07": 1.0, "2024-06-10": 10.1}, TEN_FOR_ONE)
HEALED = chart(at("2024-06-11", 8), AFTER, TEN_FOR_ONE)
LOST = chart(at("2024-06-11", 20), AFTER)
TOO_SOON = chart(at("2024-06-07", 21), {"2024-06-06": 9.9, "2024-06-07": 10.0})


def stored(world):
    closes = world.ask("SELECT session::text, close FROM daily_bars JOIN sessions USING (ordinal) ORDER BY 1")
    return dict(closes)


def splits(world):
    return world.ask("SELECT ex_date::text, split_to::float8 / split_from FROM splits ORDER BY 1")


@pytest.mark.parametrize(
    ("nights", "doubted", "held"),
    [
        ((FIRST, MORNING), 2, BEFORE),
        ((FIRST, MORNING_ADJUSTED), 2, BEFORE),
        ((FIRST, NOT_YET), 2, AS_TRADED),
        ((FIRST, TWICE), 2, AS_TRADED),
        ((FIRST, MORNING, NOT_YET), 2, AS_TRADED),
        ((FIRST, MORNING, NOT_YET, HEALED), 0, AS_TRADED),
        ((FIRST, MORNING, HEALED, NOT_YET), 2, AS_TRADED),
        ((MORNING,), 2, {}),
        ((MORNING, HEALED), 0, AS_TRADED),
        ((FIRST, TOO_SOON), 2, BEFORE),
        ((FIRST, HEALED, LOST), 2, AS_TRADED),
    ],
)
def test_what_is_stored_stays_as_traded(world, nights, doubted, held):
    for night in nights:
        summary = world.load(night)
    assert summary.refused.get("in_doubt", 0) == doubted
    assert stored(world) == held
    announced = any(night not in (FIRST, TOO_SOON) for night in nights)
    is_known = announced and nights != (MORNING,)
    assert splits(world) == ([("2024-06-10", 10.0)] if is_known else [])


def test_a_split_lost_before_is_taken_up_again_with_the_prices_that_it_explains(world):
    """Without the split the first answer was stored as 9.9 and 10, where 99 and 100 had been paid."""
    world.load(chart(at("2024-06-10", 20), AFTER))
    assert stored(world) == AFTER
    assert not world.load(HEALED).refused
    assert stored(world) == AS_TRADED
    assert splits(world) == [("2024-06-10", 10.0)]


def test_a_chart_whose_every_bar_is_in_doubt_withdraws_no_split(world):
    """A 2-for-1 split of 06-06 is stored; the chart of the morning of 06-10 does not list it any more."""
    two_for_one = ("2024-06-06", 2, 1)
    world.load(chart(at("2024-06-07", 20), {"2024-06-05": 98.0, **BEFORE}, two_for_one))
    assert splits(world) == [("2024-06-06", 2.0)]
    held = stored(world)
    assert held == {"2024-06-05": 196.0, **BEFORE}
    world.load(chart(at("2024-06-10", 8), {"2024-06-05": 98.0, **BEFORE}, TEN_FOR_ONE))
    assert splits(world) == [("2024-06-06", 2.0), ("2024-06-10", 10.0)]
    assert stored(world) == held
