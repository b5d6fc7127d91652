"""After any history the stored bars are those that a full recomputation from the daily bars gives.

Histories are drawn: files and whole-market answers of several providers, corrections, withdrawals, sessions
cut short, refused rows, splits that come, change and go, and shards resampled at any time in between.
"""

import pytest
from hypothesis import HealthCheck, given, settings

from condvest.batch_layer.processing import resample as resampling
from condvest.batch_layer.shared.settings import INTERVALS
from tests.support.payloads import bar, split
from tests.support.strategies.market_events import bar_histories
from tests.support.worlds.playing import check, play_all


@settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=bar_histories())
def test_stored_bars_equal_a_full_recomputation(lasting_world, history):
    """However bars came to be, they are what the tables say; a full resampling then finds no difference."""
    lasting_world.empty()
    play_all(lasting_world, history)
    check(lasting_world)
    assert lasting_world.resample(full=True, partitions=range(6)).altered == 0
    assert lasting_world.number("SELECT count(*) FROM changes") == 0


def test_two_transactions_at_once_give_what_one_gives(world, monkeypatch):
    """Twenty instruments of as many partitions, each enough for a transaction of its own."""
    symbols = [f"S{number}" for number in range(20)]
    world.bars(
        [bar(one, world.date(at)) for one in symbols for at in range(50)], provider="massive", whole=(0, 49)
    )
    monkeypatch.setattr(resampling, "FEW_ROWS", 1)
    told = []
    done = world.resample(on_progress=lambda *counts: told.append(counts))
    assert world.differences() == []
    # ceil(50 / n) windows of each instrument.
    assert done.windows == {3: 340, 5: 200, 8: 140, 13: 80, 21: 60, 34: 40}
    assert done.inserted == 860
    assert len(told) > 1
    assert told[-1] == (64, 64)
    assert world.number("SELECT count(*) FROM changes") == 0


@pytest.fixture
def filled(world):
    """Two instruments over 100 sessions of a vendor's, resampled."""
    rows = [bar(symbol, world.date(at)) for symbol in ("A", "B") for at in range(100)]
    world.bars(rows, provider="massive", whole=(0, 99))
    world.resample()
    return world


def windows(world, symbol):
    query = 'SELECT "interval", "window", bars::text FROM bars WHERE instrument_id = %s'
    return {row[:2]: row[2] for row in world.ask(query, world.instrument(symbol))}


def test_a_corrected_bar_touches_one_window_of_each_interval(filled):
    """Session 50 lies in window 50 // n; those six are recomputed, and nothing else is even looked at."""
    before = {symbol: windows(filled, symbol) for symbol in ("A", "B")}
    filled.bars([bar("A", filled.date(50), high=777.0)], provider="massive")
    done = filled.resample()
    after = {symbol: windows(filled, symbol) for symbol in ("A", "B")}
    assert done.windows == dict.fromkeys(INTERVALS, 1)
    assert (done.inserted, done.changed, done.removed, done.unchanged) == (0, 6, 0, 0)
    assert after["B"] == before["B"]
    assert {key for key, text in after["A"].items() if text != before["A"][key]} == {
        (3, 16),
        (5, 10),
        (8, 6),
        (13, 3),
        (21, 2),
        (34, 1),
    }
    assert filled.differences() == []


def test_a_new_session_touches_one_window_of_each_interval(filled):
    """Of each of the two instruments; session 100 opens window 100 // 5 and closes none."""
    filled.bars(
        [bar(symbol, filled.date(100)) for symbol in ("A", "B")], provider="massive", whole=(100, 100)
    )
    done = filled.resample()
    assert done.windows == dict.fromkeys(INTERVALS, 2)
    assert done.altered == 12
    assert filled.differences() == []


def test_a_split_after_a_windows_end_does_not_change_its_bar(filled):
    """Of the 13-session bars only window 3 (sessions 39 to 51) holds ex-date 45; the closed ones stay."""
    before = windows(filled, "A")
    filled.splits([split("A", filled.date(45))])
    done = filled.resample()
    after = windows(filled, "A")
    changed = {key for key in after if after[key] != before[key]}
    # 45 is the first session of its windows of 3 and of 5, whose bars therefore need no rescaling.
    assert changed == {(8, 5), (13, 3), (21, 2), (34, 1)}
    assert (done.changed, done.unchanged) == (4, 2)
    assert filled.differences() == []


def test_a_split_in_a_window_rescales_what_lies_before_it(world):
    """By hand: 100 and 104 before a 2-for-1 split become 50 and 52; 10 and 20 shares become 20 and 40."""
    prices = {"open": 100, "high": 104, "low": 98, "close": 100, "vwap": 101, "trades": 1}
    halved = {"open": 51, "high": 53, "low": 50, "close": 52.5, "vwap": 52, "trades": 2}
    world.bars(
        [
            bar("A", world.date(0), volume=10, **prices),
            bar("A", world.date(1), volume=20, **prices),
            bar("A", world.date(2), volume=60, **halved),
        ]
    )
    world.splits([split("A", world.date(2), 1, 2)])
    world.resample()
    columns = "open, high, low, close, volume, vwap, trades, sessions, is_complete"
    # The mean price is that of 20 shares at 50.5, 40 at 50.5 and 60 at 52: 6150 for 120 shares.
    assert world.ask(f'SELECT {columns} FROM bars WHERE "interval" = 3') == [
        (50.0, 53.0, 49.0, 52.5, 120.0, 51.25, 4, 3, True)
    ]


def test_a_split_on_a_session_that_is_passed_over_takes_effect(world):
    """Session 2 is never loaded, but with 4 it lies behind: the open window 0 of 3 ends on its basis now."""
    first = bar("A", world.date(0))
    world.bars([first])
    world.splits([split("A", world.date(2), 1, 4)])
    world.resample()
    close = 'SELECT close FROM bars WHERE "interval" = 3 AND "window" = 0'
    assert world.ask(close) == [(first["close"],)]
    world.bars([bar("A", world.date(4))])
    world.resample()
    assert world.ask(close) == [(first["close"] / 4,)]
    assert world.differences() == []


@pytest.mark.parametrize("earlier", [(4, 20), (4,), (-30, -20), ()])
def test_a_split_takes_effect_when_another_provider_reaches_beyond_it(world, earlier):
    """As above, but what lies behind session 2 was loaded by one that did not supply A until now.

    It may have loaded sessions of another before, or nothing.
    """
    first = bar("A", world.date(0))
    world.bars([first], provider="mine")
    world.splits([split("A", world.date(2), 1, 4)])
    if earlier:
        world.bars([bar("B", world.date(at)) for at in earlier], provider="yours")
    world.resample()
    close = 'SELECT close FROM bars WHERE "interval" = 3 AND "window" = 0'
    assert world.ask(close) == [(first["close"],)]
    world.bars([bar("A", world.date(20))], provider="yours")
    world.resample()
    assert world.ask(close) == [(first["close"] / 4,)]
    assert world.differences() == []


def test_withdrawing_an_instruments_last_bar_removes_its_windows(filled):
    """The vendor takes back all of B; no bar of it stays behind."""
    done = filled.bars([bar("A", filled.date(at)) for at in range(100)], provider="massive", whole=(0, 99))
    filled.resample()
    assert done.withdrawn == 100
    assert windows(filled, "B") == {}
    assert filled.differences() == []


def test_a_second_provider_completes_what_the_first_left_open(world):
    """Sessions 12 and 20 lie in windows of 13; massive left them out, file has both, but not of A at first.

    It comes to supply A by a bar of session 40, far from either window.
    """
    world.bars([bar("A", world.date(at)) for at in range(31) if at not in {12, 20}], provider="massive")
    world.bars([bar("Z", world.date(at)) for at in (12, 20)])
    world.resample()
    complete = (
        'SELECT "window", is_complete FROM bars WHERE "interval" = 13 AND instrument_id = %s '
        'AND "window" < 2 ORDER BY 1'
    )
    assert world.ask(complete, world.instrument("A")) == [(0, False), (1, False)]
    world.bars([bar("A", world.date(40))])
    world.resample()
    assert world.ask(complete, world.instrument("A")) == [(0, True), (1, True)]
    assert world.differences() == []


def test_a_full_resampling_mends_bars_that_something_else_wrote(filled):
    """A bar that was altered, one that was deleted, and one that belongs to nothing at all."""
    before = windows(filled, "A")
    filled.looking.execute('UPDATE closed_bars SET close = close + 1 WHERE "interval" = 5 AND "window" = 4')
    filled.looking.execute('DELETE FROM closed_bars WHERE "interval" = 8 AND "window" = 3')
    filled.looking.execute(
        'INSERT INTO closed_bars SELECT "interval", instrument_id, "window" + 500, open, high, low, close, '
        'volume, vwap, trades, sessions, is_complete FROM bars WHERE "interval" = 13 AND "window" = 3'
    )
    assert filled.resample().altered == 0
    done = filled.resample(full=True)
    assert (done.changed, done.inserted, done.removed) == (2, 2, 2)
    assert windows(filled, "A") == before
    assert filled.differences() == []
