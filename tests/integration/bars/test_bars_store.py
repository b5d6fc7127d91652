"""Bars are put in the place of those that are stored."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from condvest.batch_layer.database.postgres.reading import bars_by_key, each_span
from condvest.batch_layer.database.stores.bars import open_bars_put
from condvest.batch_layer.database.stores.bars.stored import delete_bars, put_bars, read_bars
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
        return put_bars(connection, {13: bars})[13]


def places(world):
    """Return where each row lies: a row that is written anew has another place."""
    return dict(
        world.ask(
            "SELECT (instrument_id, \"window\")::text, 'closed ' || ctid FROM closed_bars_13 UNION ALL "
            "SELECT (instrument_id, window_13)::text, 'open ' || ctid FROM open_bars "
            "WHERE window_13 IS NOT NULL"
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
        assert put_bars(connection, {13: bars}) == {13: (4, 0)}
        assert put_bars(connection, {13: replace(bars, volume=bars.volume + 1)}) == {13: (0, 4)}


PRICES = st.sampled_from([1.0, 2.0])
BAR = st.tuples(
    PRICES,
    st.sampled_from([1.5, float("nan")]),
    st.sampled_from([3, UNKNOWN_TRADES]),
    st.booleans(),
    st.integers(1, 2),
)
KEYS = st.tuples(st.sampled_from([3, 34]), st.integers(1, 3), st.integers(-1, 3))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.dictionaries(KEYS, BAR, min_size=1, max_size=12)),
        st.tuples(st.just("delete"), st.sets(KEYS, min_size=1, max_size=6)),
    ),
    min_size=1,
    max_size=8,
)


def bars_of(own):
    """Return bars by {(instrument, window): (price, vwap, trades, whether it is complete, sessions)}."""
    keys = sorted(own)
    instrument_id, window = np.array(keys, dtype=np.int32).T
    price, vwap, trades, is_complete, sessions = (
        np.array(values) for values in zip(*(own[key] for key in keys), strict=True)
    )
    return Bars(
        instrument_id=instrument_id,
        window=window,
        open=vwap,
        high=price + 1,
        low=price,
        close=price,
        volume=price,
        vwap=vwap,
        trades=trades,
        sessions=sessions.astype(np.int16),
        is_complete=is_complete,
    )


def of_interval(keys, n):
    return [key[1:] for key in keys if key[0] == n]


def put_both(connection, bars, stored):
    """Put bars by key; return how many of each interval should be new, and changed, and how many were."""
    wanted = {n: {key: bars[n, *key] for key in of_interval(bars, n)} for n in (3, 34)}
    expected = {
        n: (
            sum((n, *key) not in stored for key in own),
            sum(repr(stored.get((n, *key), bar)) != repr(bar) for key, bar in own.items()),
        )
        for n, own in wanted.items()
        if own
    }
    return expected, put_bars(connection, {n: bars_of(own) for n, own in wanted.items() if own})


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
def test_whatever_is_put_and_deleted_each_bar_is_stored_once_and_counted(lasting_world, steps):
    """Beside a dictionary; the counts say what was altered, and `touched` how many rows there are."""
    lasting_world.empty()
    before = counted(lasting_world)
    stored = {}
    for what, given_keys in steps:
        with lasting_world.workspace.database.transaction() as connection:
            if what == "put":
                expected, done = put_both(connection, given_keys, stored)
                assert done == expected
                stored |= given_keys
            else:
                for n in (3, 34):
                    if keys := of_interval(given_keys, n):
                        delete_bars(connection, n, bars_of(dict.fromkeys(keys, (1.0, 1.0, 1, True, 1))))
                stored = {key: bar for key, bar in stored.items() if key not in given_keys}
        assert shown(lasting_world) == sorted((key, repr(bar)) for key, bar in stored.items())
        grown = {n: now - before[n] for n, now in counted(lasting_world).items()}
        assert grown == {n: len(of_interval(stored, n)) for n in (3, 34)}


def test_a_night_does_not_compare_what_has_another_number_of_sessions(world, monkeypatch):
    """It is counted as changed all the same; one of as many sessions is compared, and may be unchanged."""
    compared = []
    monkeypatch.setattr(
        open_bars_put, "_windows_changed", lambda *given: compared.append(given[2].tolist()) or {}
    )
    bars = some_bars().take(np.array([1, 3]))
    assert put(world, bars) == (2, 0)
    longer = replace(bars, sessions=bars.sessions + np.int16(1))
    assert put(world, longer) == (0, 2)
    assert compared == []
    assert put(world, replace(longer, sessions=np.array([3, 2], dtype=np.int16))) == (0, 1)
    assert compared == [[3]]


def shown(world):
    """Return the key of each row that the view has, and its values as the bars of the test are."""
    query = (
        'SELECT "interval", instrument_id, "window", close, coalesce(vwap, \'nan\'), coalesce(trades, -1), '
        "is_complete, sessions FROM bars"
    )
    return sorted((tuple(row[:3]), repr(tuple(row[3:]))) for row in world.ask(query))


def counted(world):
    """Return what `touched` says of the number of rows."""
    query = "SELECT coalesce(sum(rows), 0)::int4 FROM touched WHERE dataset = %s"
    return {n: world.number(query, f"bars_{n}") for n in (3, 34)}


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


@pytest.mark.parametrize("fewest", [0, 10**9])
def test_spans_are_read_in_the_order_asked_for_packed_or_not(world, monkeypatch, fewest):
    """Of an instrument that has no bar nothing comes; what is unknown is unknown."""
    monkeypatch.setattr(each_span, "MOST_ROWS", 0)
    monkeypatch.setattr(each_span, "FEWEST_A_SPAN", fewest)
    put(world, some_bars())
    spans = Spans.within(np.array([3, 900, 1, 2], dtype=np.int32), 7, 8)
    with world.workspace.database.transaction() as connection:
        got = read_bars(connection, 13, spans)
        none = read_bars(connection, 13, Spans.within(np.array([900], dtype=np.int32), 7, 8))
    assert len(none) == 0
    assert list(zip(got.instrument_id, got.window, got.close, got.trades, got.is_complete, strict=True)) == [
        (3, 7, 30.0, 6, False),
        (1, 7, 10.0, 3, True),
        (1, 8, 11.0, UNKNOWN_TRADES, False),
        (2, 7, 20.0, 5, True),
    ]
    assert np.isnan(got.vwap).tolist() == [False, False, True, False]


def test_other_spans_are_read_one_by_one():
    ids = np.arange(1, 601, dtype=np.int32)
    assert bars_by_key.is_worth_it(Spans.within(ids, 5, 6))
    assert not bars_by_key.is_worth_it(Spans.within(ids[:499], 5, 6))
    assert not bars_by_key.is_worth_it(Spans.within(ids, 0, 170))
    assert not bars_by_key.is_worth_it(Spans(ids, ids, ids))
    assert not bars_by_key.is_worth_it(Spans.within(np.append(ids, 1).astype(np.int32), 5, 6))
