"""Bars are put in the place of those that are stored."""

from dataclasses import replace

import numpy as np
import pytest

from condvest.batch_layer.database.postgres import bars_by_key
from condvest.batch_layer.database.stores.bars import delete_bars, put_bars, read_bars
from condvest.batch_layer.shared.models.bars import UNKNOWN_TRADES, Bars
from condvest.batch_layer.shared.models.spans import Spans, always

IDS = np.array([1, 1, 2, 3], dtype=np.int32)


def some_bars():
    """Four bars of three instruments; the second has neither a vwap nor trades."""
    close = np.array([10.0, 11.0, 20.0, 30.0])
    return Bars(
        instrument_id=IDS,
        window=np.array([7, 8, 7, 7], dtype=np.int32),
        open=close,
        high=close + 1,
        low=close - 1,
        close=close,
        volume=np.array([100.0, 0.0, 300.0, 400.0]),
        vwap=np.array([10.5, np.nan, 20.5, 30.5]),
        trades=np.array([3, UNKNOWN_TRADES, 5, 6]),
        sessions=np.ones(4, dtype=np.int16),
        is_complete=np.array([True, False, True, False]),
    )


def put(world, bars):
    with world.workspace.database.transaction() as connection:
        return put_bars(connection, 13, bars)


def places(world):
    """Return where each row lies: a row that is written anew has another place."""
    return dict(
        world.ask(
            "SELECT (instrument_id, \"window\")::text, 'closed ' || ctid FROM closed_bars_13 UNION ALL "
            "SELECT (instrument_id, window_13)::text, 'open ' || ctid FROM open_bars WHERE window_13 IS NOT NULL"
        )
    )


def stored(world):
    with world.workspace.database.transaction() as connection:
        return read_bars(connection, 13, always(np.unique(IDS)))


def test_new_ones_are_stored_changed_ones_replaced_and_the_others_not_touched(world):
    """The unknown is no change; that something becomes known is, and that it is no longer known."""
    bars = some_bars()
    assert put(world, bars.take(slice(0, 3))) == (3, 0)
    before = places(world)
    volume, vwap = bars.volume.copy(), bars.vwap.copy()
    volume[2], vwap[0] = 301.0, np.nan
    changed = replace(bars, volume=volume, vwap=vwap)
    assert put(world, changed) == (1, 2)
    after = places(world)
    assert before["(1,8)"] == after["(1,8)"]
    assert before["(1,7)"] != after["(1,7)"]
    assert before["(2,7)"] != after["(2,7)"]
    got = stored(world)
    for name, values in vars(changed).items():
        np.testing.assert_array_equal(getattr(got, name), values, err_msg=name)
    assert put(world, bars.take(slice(1, 2))) == (0, 0)


def test_it_may_be_done_again_in_the_same_transaction(world):
    bars = some_bars()
    with world.workspace.database.transaction() as connection:
        assert put_bars(connection, 13, bars) == (4, 0)
        assert put_bars(connection, 13, replace(bars, volume=bars.volume + 1)) == (0, 4)


def test_none_is_nothing(world):
    assert put(world, some_bars().take(slice(0, 0))) == (0, 0)


def test_deleting_takes_those_keys_only(world):
    put(world, some_bars())
    with world.workspace.database.transaction() as connection:
        spans = Spans.within(np.array([1, 3], dtype=np.int32), 8, 9)
        delete_bars(connection, 13, read_bars(connection, 13, spans))
    got = stored(world)
    assert list(zip(got.instrument_id.tolist(), got.window.tolist(), strict=True)) == [(1, 7), (2, 7), (3, 7)]


@pytest.mark.parametrize("skips_from", [1, 10**9])
@pytest.mark.parametrize("wanted", [[3, 1, 2], [2, 900, 1], [2]])
def test_a_few_windows_of_many_instruments_are_read_in_the_order_asked_for(
    world, monkeypatch, skips_from, wanted
):
    """By a walk along the key, or by a list of instruments; the settings are the session's again then."""
    monkeypatch.setattr(bars_by_key, "FEWEST_SPANS", 1)
    monkeypatch.setattr(bars_by_key, "_SKIPS_FROM", skips_from)
    put(world, some_bars())
    spans = Spans.within(np.array(wanted, dtype=np.int32), 7, 8)
    assert bars_by_key.is_worth_it(spans)
    with world.workspace.database.transaction() as connection:
        connection.execute("SET LOCAL enable_seqscan = on")
        got = read_bars(connection, 13, spans)
        assert connection.execute("SHOW enable_bitmapscan").fetchone() == ("on",)
    closes = {1: [(7, 10.0), (8, 11.0)], 2: [(7, 20.0)], 3: [(7, 30.0)], 900: []}
    expected = [(each, *bar) for each in wanted for bar in closes[each]]
    assert list(zip(got.instrument_id, got.window, got.close, strict=True)) == expected


def test_other_spans_are_read_one_by_one():
    ids = np.arange(1, 601, dtype=np.int32)
    assert bars_by_key.is_worth_it(Spans.within(ids, 5, 6))
    assert not bars_by_key.is_worth_it(Spans.within(ids[:499], 5, 6))
    assert not bars_by_key.is_worth_it(Spans.within(ids, 0, 170))
    assert not bars_by_key.is_worth_it(Spans(ids, ids, ids))
    assert not bars_by_key.is_worth_it(Spans.within(np.append(ids, 1).astype(np.int32), 5, 6))
