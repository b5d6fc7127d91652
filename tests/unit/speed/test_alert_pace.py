"""How often a rule may fire: hysteresis, cooldown, once a bar, a session or a minute."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from condvest.batch_layer.shared.errors import UsageError
from condvest.speed_layer.core.alerts.firing import MINUTE, Moment, may_fire, occurrence_of
from condvest.speed_layer.core.alerts.language.parsing import parse
from condvest.speed_layer.core.alerts.language.tokens import RuleError
from condvest.speed_layer.core.alerts.rearming import parse_rearm
from condvest.speed_layer.core.alerts.rules import Cooldown, Rule, Seen, risen
from tests.support.naive.alerts import naive_firings

ID = np.array([3], np.int32)
RULE = "close(3) > 100"


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("30m", "30 minutes"),
        ("2h", "120 minutes"),
        (" 1 minute ", "1 minutes"),
        ("5 sessions", "5 sessions"),
        ("1session", "1 sessions"),
    ],
)
def test_a_cooldown_is_read_and_what_it_prints_is_read_as_the_same(written, canonical):
    cooldown = Cooldown.parse(written)
    assert cooldown.text == canonical
    assert Cooldown.parse(canonical) == cooldown


@pytest.mark.parametrize(
    "written",
    [
        "",
        "0m",
        "-5m",
        "30",
        "m",
        "1.5h",
        "5 days",
        "3s",
        "999999m",
        "999999h",
        "10001 sessions",
        "٣m",
        "5m\x00",
    ],
)
def test_what_is_no_cooldown_is_refused_with_what_would_be(written):
    with pytest.raises(UsageError, match="30m, 2h or 5 sessions"):
        Cooldown.parse(written)


@pytest.mark.parametrize(
    ("rule", "rearm", "column", "words"),
    [
        (RULE, "", 1, "expected a margin such as 2%, or a condition such as close(13) < 98, got nothing"),
        (RULE, "2", 1, "between 0 and 100%, got 2"),
        (RULE, "0%", 1, "between 0 and 100%"),
        (RULE, "-2%", 1, "between 0 and 100%"),
        (RULE, "100%", 1, "between 0 and 100%"),
        (RULE, "2% 3%", 1, "between 0 and 100%"),
        (RULE, "close(3)", 1, "is a number, not a condition"),
        (RULE, "close(4) < 98", 7, "expected an interval in sessions"),
        (RULE, "close(3) < 98%)", 15, "the end of the rule"),
        ("change(1) > 0%", "1%", 1, "compares with 0; name a condition instead, such as change(1) < -1%"),
        ("not close(1) < 0", "1%", 1, "close(1) < 0 compares with 0"),
    ],
)
def test_what_re_arms_no_rule_is_refused_where_it_stops_making_sense(rule, rearm, column, words):
    with pytest.raises(RuleError) as refused:
        parse_rearm(rearm, parse(rule))
    assert (refused.value.column, words in str(refused.value)) == (column, True), str(refused.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"once": "minute"}, "cannot fire once a minute"),
        ({"once": "session"}, "cannot fire once a session"),
        ({"cooldown": Cooldown(5, "minutes")}, "its cooldown is in sessions, got 5 minutes"),
        ({"rearm_text": "2%"}, "it has no hysteresis"),
    ],
)
def test_a_confirmed_rule_has_nothing_that_only_running_bars_have(options, words):
    with pytest.raises(UsageError, match=words):
        Rule(1, "mine", RULE, mode="confirmed", **options).checked()
    Rule(1, "mine", RULE, mode="confirmed", cooldown=Cooldown(5, "sessions")).checked()


def test_when_a_rule_may_fire_again_by_hand():
    """It fired in window 2, session 7, 600 minutes into the epoch."""
    last = Moment(2, 7, 600 * MINUTE)

    def may(window, ordinal, minutes, once, cooldown=None):
        rule = Rule(
            1, "mine", RULE, once=once, cooldown=None if cooldown is None else Cooldown.parse(cooldown)
        )
        return may_fire(rule, last, Moment(window, ordinal, int(minutes * MINUTE)))

    assert not may(2, 8, 2000, "bar")
    assert may(3, 9, 3000, "bar")
    assert not may(3, 9, 3000, "bar", "3 sessions")
    assert may(3, 10, 3000, "bar", "3 sessions")
    assert not may(2, 7, 700, "session")
    assert may(2, 8, 2000, "session")
    assert not may(2, 7, 600.9, "minute")
    assert may(2, 7, 601, "minute")
    assert not may(2, 7, 629.9, "minute", "30m")
    assert may(2, 7, 630, "minute", "30m")
    assert not may(2, 7, 599, "minute", "30m")  # its data went back
    assert may_fire(Rule(1, "mine", RULE), None, last)


ticks = st.lists(
    st.tuples(
        st.sampled_from(("true", "between", "rearmed")),
        st.integers(0, 200),  # seconds since the tick before
        st.integers(0, 9).map(lambda n: n == 0),  # whether a session ends before it
        st.integers(0, 4).map(lambda n: n == 0),  # whether it is killed before it commits
    ),
    max_size=40,
)
cooldowns = st.none() | st.builds(Cooldown, st.integers(1, 6), st.sampled_from(("minutes", "sessions")))


@settings(max_examples=300)
@given(
    ticks,
    st.sampled_from(("rise", "bar")),
    st.sampled_from(("bar", "session", "minute")),
    cooldowns,
    st.booleans(),
    st.booleans(),
)
def test_what_fires_is_what_a_rule_says_whoever_is_killed(ticks, fires, once, cooldown, rearms, at_once):
    """Nothing is kept from tick to tick but what is stored: the bits that were seen, and the last firing."""
    rule = Rule(1, "mine", RULE, fires=fires, at_once=at_once, once=once, cooldown=cooldown)
    stored, last, fired, committed = None, None, [], []
    at, ordinal = 1000 * MINUTE, 9
    for state, seconds, is_next, is_killed in ticks:
        at, ordinal = at + seconds * MINUTE // 60 + is_next * 1000 * MINUTE, ordinal + is_next
        now = Moment(rule.window(ordinal), ordinal, at)
        before = None if stored is None else Seen.of_bytes(*stored)
        is_true = np.array([state == "true"])
        rearmed = np.array([state == "rearmed"]) if rearms else None
        rises, seen = risen(rule, now.window, before, ID, is_true, rearmed)
        if is_killed:
            continue
        stored = seen.window, seen.packed()
        committed.append((state, now))
        if rises[0] and may_fire(rule, last, now):
            last = now
            fired.append(now)
    assert fired == naive_firings(rule, committed, has_hysteresis=rearms)
    periods = [(each.window, occurrence_of(rule, each)) for each in fired]
    assert len(periods) == len(set(periods))
    for earlier, later in itertools.pairwise(fired):
        if cooldown is not None and cooldown.unit == "minutes":
            assert later.at - earlier.at >= cooldown.count * MINUTE
        if cooldown is not None and cooldown.unit == "sessions":
            assert later.ordinal - earlier.ordinal >= cooldown.count
        between = {state for state, now in committed if earlier.at < now.at < later.at}
        is_new_bar = fires == "bar" and earlier.window != later.window
        assert is_new_bar or between & ({"rearmed"} if rearms else {"rearmed", "between"})
