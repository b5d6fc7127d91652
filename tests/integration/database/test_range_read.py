"""The daily bars of many instruments are the same, whether read as one range or instrument by instrument."""

from dataclasses import fields

import numpy as np
import pytest

from condvest.batch_layer.database.postgres.reading import packed, range_read
from condvest.batch_layer.database.postgres.revisioned import DAILY_BARS, SPLITS
from condvest.batch_layer.database.stores import changes
from condvest.batch_layer.database.stores.identity import instruments
from condvest.batch_layer.processing import first_build, resample
from condvest.batch_layer.shared.models.bars import DailyBars
from condvest.batch_layer.shared.models.corporate_actions import SplitEvents
from condvest.batch_layer.shared.models.spans import Spans, always

INSTRUMENTS, SESSIONS = 600, 200


def market(order):
    """Return the daily bars of a market, some missing, in the order given: of (instrument, session)."""
    rng = np.random.default_rng(3)
    ids, ordinals = np.divmod(np.flatnonzero(rng.random(INSTRUMENTS * SESSIONS) > 0.1), SESSIONS)
    rows = order(ids, ordinals)
    ids, ordinals = (ids[rows] + 1).astype(np.int32), ordinals[rows].astype(np.int32)
    close = 1.0 + ids + ordinals / 1000
    vwap = np.where(ordinals % 3 == 0, np.nan, close)
    return DailyBars(ids, ordinals, close, close, close, close, close * 100, vwap, ids.astype(np.int64))


def by_session(ids, ordinals):
    return np.lexsort((ids, ordinals))


def by_instrument(ids, ordinals):
    return np.lexsort((ordinals, ids))


def stored(world, daily):
    """Store the rows as they come, and let PostgreSQL look at them."""
    with world.workspace.database.transaction() as connection:
        ends = np.flatnonzero(np.diff(daily.ordinal) != 0) + 1 if daily.ordinal[0] == daily.ordinal[1] else []
        for rows in np.split(np.arange(len(daily)), ends):
            DAILY_BARS.insert(connection, daily.take(rows), 1)
    with world.workspace.database.transaction() as connection:
        connection.execute("ANALYZE daily_bars")
    return daily.take(by_instrument(daily.instrument_id, daily.ordinal))


def read(world, spans):
    with world.workspace.database.transaction(read_only=True) as connection:
        return DAILY_BARS.read(connection, spans)


def asked(seed):
    """Return a span for most instruments, of other sessions for some of them, and of none for others."""
    rng = np.random.default_rng(seed)
    ids = np.flatnonzero(rng.random(INSTRUMENTS + 50) < 0.9).astype(np.int32) + 1
    first = np.full(len(ids), SESSIONS - 12, dtype=np.int32)
    odd = rng.random(len(ids)) < 0.05
    first[odd] = rng.integers(0, SESSIONS - 12, odd.sum())
    return Spans(ids, first, first + rng.integers(0, 20, len(ids)).astype(np.int32))


def same(left, right):
    return all(
        np.array_equal(getattr(left, one.name), getattr(right, one.name), equal_nan=True)
        for one in fields(DailyBars)
        if one.name != "trades"
    ) and np.array_equal(left.trades, right.trades)


@pytest.mark.parametrize("order", [by_session, by_instrument])
def test_a_range_holds_what_the_spans_hold(world, monkeypatch, order):
    """Whichever way is taken; and both are what lies in the spans by a loop over the rows."""
    daily = stored(world, market(order))
    for seed in range(3):
        spans = asked(seed)
        held = {one: bounds for one, *bounds in zip(*(c.tolist() for c in vars(spans).values()), strict=True)}
        inside = [
            one in held and held[one][0] <= at <= held[one][1]
            for one, at in zip(daily.instrument_id.tolist(), daily.ordinal.tolist(), strict=True)
        ]
        wanted = daily.take(np.array(inside))
        for cost in (0.0, 1e12):
            monkeypatch.setattr(range_read, "COST_A_SPAN", cost)
            monkeypatch.setattr(range_read, "COST_A_ROW", cost)
            assert same(read(world, spans), wanted)


def test_a_range_is_read_where_nights_brought_the_bars(world, monkeypatch):
    """The last two sessions of all, and of half of them; not where PostgreSQL thinks it the dearer way."""
    stored(world, market(by_session))
    ids = np.arange(1, INSTRUMENTS + 1, dtype=np.int32)
    taken, is_cheaper = [], range_read.is_cheaper

    def told(*arguments):
        taken.append(is_cheaper(*arguments))
        return taken[-1]

    monkeypatch.setattr(range_read, "is_cheaper", told)
    assert len(read(world, Spans.within(ids, SESSIONS - 2, SESSIONS - 1)))
    assert taken == [True]
    read(world, Spans.within(ids[:499], SESSIONS - 2, SESSIONS - 1))
    assert taken == [True], "few spans are not worth the question"
    monkeypatch.setattr(range_read, "COST_A_SPAN", 0.001)
    read(world, Spans.within(ids, SESSIONS - 2, SESSIONS - 2))
    assert taken == [True, False]


def not_summarized(world):
    """Return how many ranges of pages the indexes did not know; they know them then."""
    rows = world.ask(
        "SELECT brin_summarize_new_values(indexrelid) FROM pg_index JOIN pg_class ON oid = indexrelid "
        "JOIN pg_am ON pg_am.oid = relam WHERE amname = 'brin' AND relkind = 'i'"
    )
    assert len(rows) == 16
    return sum(row if isinstance(row, int) else row[0] for row in rows)


def test_the_index_is_brought_up_to_what_was_stored(world):
    """It knows nothing of pages that were added, until it is told."""
    stored(world, market(by_session))
    range_read.summarize(world.workspace.database, "daily_bars")
    assert not_summarized(world) == 0


def test_without_it_the_index_knows_less(world):
    """The test before this one could not fail otherwise."""
    stored(world, market(by_session))
    assert not_summarized(world) > 0


def test_where_a_table_is_being_vacuumed_it_is_left_alone(world):
    """A vacuum holds such a lock; what is read is the same, if not as quickly."""
    stored(world, market(by_session))
    with world.workspace.database.another() as beside, beside.transaction() as holding:
        holding.execute("LOCK TABLE daily_bars_3 IN SHARE UPDATE EXCLUSIVE MODE")
        range_read.summarize(world.workspace.database, "daily_bars")
    assert not_summarized(world) > 0


def test_resampling_much_brings_it_up_to_date(world, monkeypatch):
    monkeypatch.setattr(resample, "FEW_ROWS", 1)
    daily = stored(world, market(by_session))
    ids = np.unique(daily.instrument_id)
    with world.workspace.database.transaction() as connection:
        changes.record_instruments(connection, Spans.within(ids, SESSIONS - 1, SESSIONS - 1))
    assert world.resample().altered > INSTRUMENTS
    assert not_summarized(world) == 0


def test_building_all_bars_brings_it_up_to_date(world, monkeypatch):
    """So that the first night after a history is as quick as those that follow."""
    monkeypatch.setattr(first_build, "is_worth_it", lambda _: True)
    stored(world, market(by_session))
    assert world.resample().inserted > INSTRUMENTS
    assert not_summarized(world) == 0


@pytest.mark.parametrize("most_rows", [0, 1 << 16])
def test_a_range_of_some_of_the_tables_holds_what_the_spans_hold(world, monkeypatch, most_rows):
    """As of a shard, which resamples the instruments of a few tables; by COPY, and as one value."""
    stored(world, market(by_session))
    spans = asked(1)
    spans = spans.take(np.isin(spans.instrument_id % 16, (3, 5)))
    one_by_one = read(world, spans)
    assert len(one_by_one) > 500
    monkeypatch.setattr(packed, "MOST_ROWS", most_rows)
    monkeypatch.setattr(range_read, "FEWEST_SPANS", 10)
    monkeypatch.setattr(range_read, "is_cheaper", lambda *_: True)
    assert same(read(world, spans), one_by_one)


def test_what_a_night_reads_of_a_market_comes_as_one_value_a_table(world, monkeypatch):
    """And not as a message a row, which takes the client nine times as long."""
    daily = stored(world, market(by_session))
    values, ids = [], np.unique(daily.instrument_id)
    read_narrow = packed.read_narrow

    def counting(*arguments):
        values.append(read_narrow(*arguments))
        return values[-1]

    monkeypatch.setattr(packed, "read_narrow", counting)
    monkeypatch.setattr(packed, "MOST_ROWS", 16 * len(ids))
    monkeypatch.setattr(range_read, "is_cheaper", lambda *_: True)
    rows = read(world, Spans.within(ids, SESSIONS - 100, SESSIONS - 1))
    assert same(rows, daily.take(daily.ordinal >= SESSIONS - 100))
    assert sorted({int(own["instrument_id"][0]) % 16 for own in values}) == list(range(16))
    assert sum(len(own["ordinal"]) for own in values) == len(rows)


@pytest.mark.parametrize("is_cheaper", [True, False])
def test_splits_of_a_market_are_read_at_once(world, monkeypatch, is_cheaper):
    """By instrument and date, as those of each would be."""
    rng = np.random.default_rng(5)
    ids = np.sort(rng.choice(900, 300, replace=False)).astype(np.int32) + 1
    dates = np.datetime64("1999-12-30") + rng.integers(0, 9000, (300, 2)).cumsum(axis=1) + [[0, 1]]
    splits = SplitEvents(np.repeat(ids, 2), dates.ravel(), np.full(600, 1.0), rng.integers(2, 9, 600) * 1.0)
    with world.workspace.database.transaction() as connection:
        provider_id = instruments.provider_id_of(connection, "file")
        [[load_id]] = connection.execute(
            "INSERT INTO loads (provider_id, dataset, name, archive_key, digest, fetched_at, rows, inserted, "
            "changed, unchanged, withdrawn, outranked, duplicates, refused) "
            "VALUES (%s, 'splits', '', '', '', now(), 600, 600, 0, 0, 0, 0, 0, 0) RETURNING load_id",
            (provider_id,),
        ).fetchall()
        connection.execute(
            "INSERT INTO instruments (instrument_id) OVERRIDING SYSTEM VALUE SELECT generate_series(1, 900)"
        )
        SPLITS.insert(connection, splits, load_id)
    monkeypatch.setattr(range_read, "is_cheaper", lambda *_: is_cheaper)
    asked_for = np.arange(1, 701, dtype=np.int32)
    with world.workspace.database.transaction(read_only=True) as connection:
        read_at_once = SPLITS.read(connection, always(asked_for))
    wanted = splits.take(splits.instrument_id <= 700)
    assert len(wanted) > 300
    for column in fields(SplitEvents):
        assert np.array_equal(getattr(read_at_once, column.name), getattr(wanted, column.name))
