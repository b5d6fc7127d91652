"""Alert rules over a session: what fires, what does not, and the one verdict on each firing."""

import pytest

from condvest.batch_layer.shared.errors import DatabaseFull, UsageError
from condvest.speed_layer.stores.rules import remove_rule
from tests.support.payloads import split
from tests.support.worlds.alerted import Alerted, day
from tests.support.worlds.live_script import SESSION, ZEROS, take_over


@pytest.fixture
def alerted(world):
    return Alerted(world)


def test_a_rule_fires_once_when_it_becomes_true_and_is_confirmed_by_the_official_bar(alerted):
    """The highest of four quiet sessions is 11: 12.1 is 10 % above it, the official 12.65 is 15 %."""
    alerted.rule("high(1) > highest(high(1), 4)")
    alerted.collect(
        ("09:00", {"A": ZEROS}),
        ("10:00", {"A": day()}),
        ("10:01", {"A": day(high=12.1)}),
        ("10:02", {"A": day(high=12.1, close=9.5)}),
        ("10:03", {"A": day(high=12.3)}),
    )
    ((state, symbol, margin),) = alerted.events()
    assert (state, symbol, round(margin, 9)) == ("fired", "A", 0.1)
    assert alerted.events("bar_values, repaint") == [
        ({"high(1)": 12.1, "highest(high(1), 4)": 11.0}, "cannot vanish")
    ]
    assert alerted.verdicts() == []
    alerted.official(alerted.ordinal, alerted.ordinal, A={"high": 12.65})
    assert len(alerted.verdicts()) == 1
    assert alerted.verdicts() == []
    fired, verdict = alerted.events("event_id, state, round(margin::numeric, 9)::float8, fired_id, ordinal")
    assert verdict[1:] == ("confirmed", 0.15, fired[0], alerted.ordinal)


def test_a_firing_that_does_not_stand_at_the_close_is_withdrawn_and_says_by_how_much(alerted):
    """The close was 5 % up, and at the end 2 % down: 7 points below the rule's 5 %."""
    alerted.rule("change(1) > 4%")
    alerted.collect(("10:00", {"A": day()}), ("10:01", {"A": day(close=10.5)}))
    assert alerted.events("state, bar_values, repaint") == [
        ("fired", {"change(1)": pytest.approx(0.05)}, "may vanish")
    ]
    alerted.official(alerted.ordinal, alerted.ordinal, A={"close": 9.8})
    alerted.verdicts()
    assert alerted.events()[-1] == ("withdrawn", "A", pytest.approx((-0.02 - 0.04) / 0.04))


def test_what_is_true_at_the_first_evaluation_fires_only_if_that_is_asked(alerted):
    alerted.rule("close(1) > 5", "quiet")
    alerted.rule("close(1) > 5", "loud", at_once=True)
    alerted.collect(("10:00", {"A": day()}), ("10:01", {"A": day(), "B": day()}))
    assert alerted.events("rule_id, symbol") == [(2, "A"), (1, "B"), (2, "B")]


def test_a_restarted_collector_goes_on_where_the_last_tick_ended(alerted):
    """What became true while nobody looked fires when it is seen; what was true before does not."""
    alerted.rule("close(1) > 10.2")
    alerted.collect(("10:00", {"A": day(close=10.5), "B": day()}))
    assert alerted.events() == []
    alerted.collect(("10:30", {"A": day(close=10.6), "B": day(close=10.4)}))
    assert [row[:2] for row in alerted.events()] == [("fired", "B")]


@pytest.mark.parametrize("symbol", ["B", "B#{}"])
def test_a_rule_of_some_symbols_watches_no_other(alerted, symbol):
    """By symbol, or by the label of an instrument."""
    instrument = alerted.world.number("SELECT instrument_id FROM symbols WHERE symbol = 'B'")
    alerted.rule("close(1) > 10.2", symbols=(symbol.format(instrument),))
    alerted.collect(
        ("10:00", {"A": day(), "B": day()}), ("10:01", {"A": day(close=10.5), "B": day(close=10.5)})
    )
    assert [row[:2] for row in alerted.events()] == [("fired", "B")]


def test_a_rule_of_a_symbol_watches_who_takes_it_during_the_session(alerted):
    """B's company is called A from the session on, as a vendor says at ten: A's price is its price."""
    world = alerted.world
    company = world.instrument("B")
    alerted.rule("close(1) > 10.2", symbols=("A",))
    alerted.rule("close(1) > 10.2", "all")
    alerted.collect(
        ("10:00", {"A": day()}),
        ("10:01", {"A": day(close=10.5)}),
        after=lambda clock: take_over(world, alerted.ordinal) if clock == "10:00" else None,
    )
    assert alerted.events("rule_id, instrument_id, symbol") == [(1, company, "A"), (2, company, "A")]


def test_what_is_said_of_one_that_lost_its_symbol_lately_names_it_by_its_label(alerted):
    """A's last session is SESSION, and B's company is called A from the next one on."""
    former = alerted.world.instrument("A")
    alerted.rule("close(1) > 10.2", mode="confirmed")
    alerted.world.looking.execute("UPDATE alert_rules SET created_at = '2024-03-04 12:00-05'")
    alerted.official(alerted.ordinal, alerted.ordinal, A={"close": 10.4})
    take_over(alerted.world, alerted.ordinal + 1)
    alerted.world.resample()
    alerted.verdicts()
    assert alerted.events("instrument_id, symbol") == [(former, f"A#{former}")]


def test_a_bar_of_several_sessions_waits_for_its_last_one(alerted):
    """The window of 3 sessions that holds SESSION: the verdict comes with its last session, and no sooner."""
    alerted.rule("high(3) >= 12")
    alerted.collect(("10:00", {"A": day()}), ("10:01", {"A": day(high=12.0)}))
    window = alerted.ordinal // 3
    assert alerted.events("state, bar_window") == [("fired", window)]
    for ordinal in range(alerted.ordinal, 3 * window + 3):
        assert alerted.verdicts() == []
        alerted.official(ordinal, ordinal, A={"high": 12.0 if ordinal == alerted.ordinal else 11.0})
    alerted.verdicts()
    assert alerted.events("state, ordinal")[-1] == ("confirmed", 3 * window + 2)


def test_a_confirmed_rule_speaks_of_official_bars_only(alerted):
    alerted.rule("close(1) > 10.2", mode="confirmed")
    alerted.world.looking.execute("UPDATE alert_rules SET created_at = '2024-03-05 12:00-05'")
    alerted.collect(("10:00", {"A": day()}), ("10:01", {"A": day(close=10.5)}))
    assert alerted.verdicts() == []
    alerted.official(alerted.ordinal, alerted.ordinal, A={"close": 10.4})
    alerted.verdicts()
    alerted.official(alerted.ordinal + 1, alerted.ordinal + 1, A={"close": 10.4})
    alerted.verdicts()
    assert [row[:2] for row in alerted.events("state, ordinal")] == [("confirmed", alerted.ordinal)]


def test_an_instrument_without_an_official_bar_gets_its_verdict_too(alerted):
    alerted.rule("close(1) > 10.2")
    alerted.collect(("10:00", {"A": day()}), ("10:01", {"A": day(close=10.5)}))
    rows = [{"symbol": "B", "session": SESSION, "open": 10, "high": 11, "low": 9, "close": 10, "volume": 1}]
    alerted.world.bars(rows, provider="massive", whole=(alerted.ordinal, alerted.ordinal))
    alerted.verdicts()
    assert alerted.events("state, reason")[-1] == ("withdrawn", "no official bar of this window")


def test_a_removed_rule_fires_no_more_and_what_it_fired_gets_its_verdict(alerted):
    alerted.rule("close(1) > 10.2")
    alerted.collect(("10:00", {"A": day(), "B": day()}), ("10:01", {"A": day(close=10.5), "B": day()}))
    with alerted.world.workspace.database.transaction() as connection:
        remove_rule(connection, "rule")
        with pytest.raises(UsageError, match="no rule 'rule'; there are none"):
            remove_rule(connection, "rule")
    alerted.collect(("10:02", {"A": day(close=10.5), "B": day(close=10.5)}))
    alerted.official(alerted.ordinal, alerted.ordinal)
    alerted.verdicts()
    assert [row[:2] for row in alerted.events()] == [("fired", "A"), ("withdrawn", "A")]


def test_a_split_today_makes_no_false_breakdown(alerted):
    """A splits 2 for 1: 5 is no fall of a half, for the levels stand on today's basis."""
    alerted.rule("low(1) < lowest(low(1), 4) * 0.9")
    alerted.world.splits([split("A", SESSION, 1, 2)])
    alerted.collect(
        ("10:00", {"B": day()}),
        ("10:01", {"A": {"o": 5.0, "h": 5.5, "l": 4.5, "c": 5.0, "v": 200, "vw": 5.0}, "B": day()}),
        ("10:02", {"A": {"o": 5.0, "h": 5.5, "l": 4.0, "c": 5.0, "v": 200, "vw": 5.0}, "B": day()}),
    )
    assert alerted.events("symbol, bar_values") == [("A", {"low(1)": 4.0, "lowest(low(1), 4)": 4.5})]


@pytest.mark.parametrize("interval", [1, 13])
def test_a_reverse_split_today_makes_no_false_breakout(alerted, interval):
    """A makes 2 shares 1: a high of 22 is no double, and 24 breaks out, on the bar of 13 sessions as well."""
    alerted.rule(f"high({interval}) > highest(high({interval}), 2)")
    alerted.world.splits([split("A", SESSION, 2, 1)])
    at_20 = {"o": 20.0, "h": 22.0, "l": 18.0, "c": 20.0, "v": 50, "vw": 20.0}
    alerted.collect(
        ("10:00", {"B": day()}),
        ("10:01", {"A": at_20, "B": day()}),
        ("10:02", {"A": at_20 | {"h": 24.0}, "B": day()}),
    )
    ((symbol, values),) = alerted.events("symbol, bar_values")
    assert (symbol, sorted(values.values())) == ("A", [22.0, 24.0])


def test_a_full_disk_ends_the_run_and_stores_neither_rows_nor_firings(alerted):
    alerted.rule("close(1) > 10.2")
    alerted.collect(("10:00", {"A": day()}))
    alerted.world.looking.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$; "
        "CREATE TRIGGER full_disk BEFORE INSERT ON alert_events EXECUTE FUNCTION full_disk()"
    )
    with pytest.raises(DatabaseFull):
        alerted.collect(("10:01", {"A": day(close=10.5)}))
    assert alerted.world.ask("SELECT close FROM live_daily_bars") == [(10.0,)]
    alerted.world.looking.execute("DROP FUNCTION full_disk CASCADE")
    alerted.collect(("10:02", {"A": day(close=10.5)}))
    assert [row[:2] for row in alerted.events()] == [("fired", "A")]
