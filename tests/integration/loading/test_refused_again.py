"""Rows that are refused again are no news: only newly refused rows raise an alarm."""

import datetime as dt
import json

from condvest.batch_layer.database.stores.daily.refused import refused_rows
from condvest.batch_layer.shared.models.given.payloads import Payload
from tests.support.payloads import bar

NOON = dt.datetime(2024, 6, 10, 12, tzinfo=dt.UTC)
GOOD = {"ticker": "A", "execution_date": "1962-01-04", "split_from": 1, "split_to": 2}
BAD = {"id": "S2", "ticker": "A", "execution_date": "1962-01-05", "split_from": 0, "split_to": 2}
WORSE = {"ticker": "B", "execution_date": "1962-01-05", "split_from": 0, "split_to": 5}


def answer(number, *rows):
    body = {"status": "OK", "request_id": str(number), "results": list(rows)}
    return Payload(
        "massive",
        "splits",
        json.dumps(body).encode(),
        "json",
        None,
        None,
        NOON + dt.timedelta(minutes=number),
        is_whole=False,
        name="/stocks/v1/splits",
    )


def listed(world, **options):
    with world.workspace.database.transaction(read_only=True) as connection:
        return [(row["symbol"], row["load_id"]) for row in refused_rows(connection, **options)]


def test_a_row_is_newly_refused_once_however_often_it_comes(world):
    world.bars([bar("A", "1962-01-03")])
    first, again, third = (
        world.load(answer(1, BAD)),
        world.load(answer(2, BAD)),
        world.load(answer(3, BAD, GOOD, {**WORSE, "id": None})),
    )
    assert (dict(first.newly_refused), first.needs_attention) == ({"ratio_not_positive": 1}, True)
    assert (dict(again.refused), dict(again.newly_refused)) == ({"ratio_not_positive": 1}, {})
    assert not again.needs_attention
    # Another column of the same answer is filled: A's row is still the same, and B's is new.
    assert (dict(third.refused), dict(third.newly_refused)) == (
        {"ratio_not_positive": 2},
        {"ratio_not_positive": 1},
    )
    assert [symbol for symbol, _ in listed(world)] == ["A", "A", "B"]
    assert [symbol for symbol, _ in listed(world, only_new=True)] == ["A", "B"]


def test_a_row_refused_for_another_is_recorded_though_the_counts_are_the_same(world):
    world.load(answer(1, BAD))
    second = world.load(answer(2, WORSE))
    assert dict(second.newly_refused) == {"ratio_not_positive": 1}
    assert [symbol for symbol, _ in listed(world)] == ["A", "B"]


def test_a_refused_row_with_another_value_is_new(world):
    world.load(answer(1, BAD))
    assert world.load(answer(2, {**BAD, "split_to": 3})).needs_attention


def test_another_provider_is_judged_by_itself(world):
    csv = b"symbol,ex_date,split_from,split_to\nA,1962-01-05,0,2\n"
    files = [
        Payload(name, "splits", csv, "csv", None, None, NOON, is_whole=False, name="splits.csv")
        for name in ("one", "two")
    ]
    assert [world.load(file).needs_attention for file in files] == [True, True]
    assert not world.load(files[0]).needs_attention


def test_the_first_so_many_are_read_and_no_more(world):
    world.load(answer(1, BAD, WORSE))
    world.load(answer(2, {**BAD, "split_to": 3}))
    assert [symbol for symbol, _ in listed(world, most=2)] == ["A", "B"]
    assert [symbol for symbol, _ in listed(world, only_new=True, most=1)] == ["A"]
    assert listed(world, most=0) == []
