"""Hysteresis, cooldown and frequency of rules over three sessions of a bar, by hand, and through restarts."""

import pytest

from condvest.speed_layer.core.alerts.rules import Cooldown
from tests.support.worlds.alerted import Alerted, day

PACES = {
    "bar": {},
    "session": {"once": "session"},
    "minute": {"once": "minute"},
    "rest": {"once": "minute", "cooldown": Cooldown(3, "minutes")},
    "margin": {"once": "minute", "rearm_text": "2%"},
    "condition": {"once": "minute", "rearm_text": "close(8) < 9.8"},
    "sessions": {"once": "session", "cooldown": Cooldown(2, "sessions")},
}
TICKS = [
    # Closes of A: 10.5 is true of close(8) > 10.2; 10.0 is untrue by 1.96 %, 9.9 by 2.9 %, 9.7 is below 9.8.
    [
        ("10:00:00", 10.0),
        ("10:01:00", 10.5),
        ("10:02:00", 10.0),
        ("10:02:30", 10.5),
        ("10:03:00", 9.9),
        ("10:03:20", 10.5),
        ("10:03:30", 9.9),
        ("10:03:50", 10.5),
        ("10:04:00", 9.7),
        ("10:04:30", 10.6),
    ],
    [("10:00:00", 10.0), ("10:01:00", 10.5), ("10:02:00", 9.7), ("10:03:00", 10.5)],
    [("10:00:00", 9.7), ("10:01:00", 10.5)],
]
FIRES = {
    "bar": ["0 10:01:00"],
    "session": ["0 10:01:00", "1 10:01:00", "2 10:01:00"],
    "minute": [
        *("0 10:01:00", "0 10:02:30", "0 10:03:20", "0 10:04:30"),
        *("1 10:01:00", "1 10:03:00", "2 10:01:00"),
    ],
    "rest": ["0 10:01:00", "0 10:04:30", "1 10:01:00", "2 10:01:00"],
    "margin": ["0 10:01:00", "0 10:03:20", "0 10:04:30", "1 10:03:00", "2 10:01:00"],
    "condition": ["0 10:01:00", "0 10:04:30", "1 10:03:00", "2 10:01:00"],
    "sessions": ["0 10:01:00", "2 10:01:00"],
}

EVENTS = (
    "SELECT name, ordinal, to_char(data_through AT TIME ZONE 'America/New_York', 'HH24:MI:SS') "
    "FROM alert_events JOIN alert_rules USING (rule_id) WHERE state = 'fired' ORDER BY event_id"
)


@pytest.fixture
def alerted(world):
    made = Alerted(world)
    for name, pace in PACES.items():
        made.rule("close(8) > 10.2", name, symbols=("A",), **pace)
    return made


def fired(alerted, first):
    by_rule = {}
    for name, ordinal, clock in alerted.world.ask(EVENTS):
        by_rule.setdefault(name, []).append(f"{ordinal - first} {clock}")
    return by_rule


@pytest.mark.parametrize("is_restarted", [False, True], ids=["one run a session", "a run per tick"])
def test_each_rule_fires_at_its_pace_and_each_firing_has_one_verdict(alerted, is_restarted):
    first = alerted.ordinal
    assert first // 8 == (first + 2) // 8
    for number, ticks in enumerate(TICKS):
        steps = [(clock, {"A": day(close=close), "B": day()}) for clock, close in ticks]
        session = alerted.world.date(first + number)
        for part in [[step] for step in steps] if is_restarted else [steps]:
            alerted.collect(*part, session=session)
        alerted.official(first + number, first + number, A={"close": 10.6})
    assert fired(alerted, first) == FIRES
    last = first // 8 * 8 + 7
    alerted.official(first + 3, last, A={"close": 10.6})
    alerted.verdicts()
    assert alerted.verdicts() == []
    verdicts = alerted.world.ask(
        "SELECT fired.event_id, count(*), min(verdict.state), min(verdict.ordinal) "
        "FROM alert_events AS fired JOIN alert_events AS verdict ON verdict.fired_id = fired.event_id "
        "GROUP BY 1 ORDER BY 1"
    )
    firings = sum(map(len, FIRES.values()))
    assert [row[1:] for row in verdicts] == [(1, "confirmed", last)] * firings
    assert len(alerted.events()) == 2 * firings


def test_what_is_played_again_fires_again_alike(alerted):
    """Nothing but the data's clock decides: not when they came, and not when an event was stored."""
    steps = [(clock, {"A": day(close=close), "B": day()}) for clock, close in TICKS[0]]
    told = []
    for _ in range(2):
        alerted.collect(*steps)
        told.append(
            alerted.world.ask(
                f"SELECT name, occurrence, margin, data_through {EVENTS[EVENTS.index('FROM') :]}"
            )
        )
        alerted.world.looking.execute(
            "TRUNCATE alert_events, alert_deliveries, alert_states, live_daily_bars, live_runs"
        )
    assert told[0] == told[1]
    assert len(told[0]) == sum(when.startswith("0") for fires in FIRES.values() for when in fires)


def test_a_confirmed_rule_keeps_its_cooldown_also_when_a_night_is_made_good(world):
    """The close is above 10.2 every second session; with a rest of 3 sessions, every other of those fires."""
    alerted = Alerted(world, sessions_before=20)
    alerted.rule("close(1) > 10.2", "each", mode="confirmed")
    alerted.rule("close(1) > 10.2", "rested", mode="confirmed", cooldown=Cooldown(3, "sessions"))
    world.looking.execute("UPDATE alert_rules SET created_at = '2024-03-05 12:00-05'")
    for night in range(8):
        at = alerted.ordinal + night
        alerted.official(at, at, A={"close": 10.4 if night % 2 == 0 else 10.0})
        if night in (0, 1, 2, 6, 7):  # three nights are missed
            alerted.verdicts()
    said = world.ask("SELECT name, ordinal FROM alert_events JOIN alert_rules USING (rule_id) ORDER BY 1, 2")
    first = alerted.ordinal
    assert [(name, ordinal - first) for name, ordinal in said] == [
        *(("each", night) for night in (0, 2, 4, 6)),
        *(("rested", night) for night in (0, 4)),
    ]
