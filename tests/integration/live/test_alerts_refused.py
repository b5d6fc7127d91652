"""Rules that are refused on the command line: each with what was expected, and nothing of it is kept."""

import sys

import pytest

from tests.support.in_process import Program
from tests.support.payloads import bar


@pytest.fixture
def condvest(world, url, tmp_path):
    world.bars([bar("A", world.date(0))])
    return Program(url, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["close(13) > highest(high(13) 4)"], 2, "expected ',', got '4'"),
        (["close(4) > 1"], 2, "expected an interval in sessions (1, 3, 5, 8, 13, 21, 34), got '4'"),
        (["close(3) > 1", "--symbols", "A,NOPE"], 1, "NOPE"),
        (["close(3) > 1", "--once", "day"], 2, "'bar', 'session', 'minute'"),
        (["close(3) > 1", "--cooldown", "5 days"], 2, "a cooldown is 30m, 2h or 5 sessions"),
        (["close(3) > 1", "--rearm", "close(4) < 1"], 2, "expected an interval in sessions"),
        (["close(3) > 1", "--rearm", "5"], 2, "between 0 and 100%, got 5"),
        (["close(3) > 1", "--mode", "confirmed", "--cooldown", "5m"], 2, "its cooldown is in sessions"),
        (["close(3) > 1", "--webhook", "https://127.0.0.1/hook"], 2, "127.0.0.1"),
        (["close(3) > 1", "--webhook", "https://10.0.0.7/hook"], 2, "10.0.0.7"),
        (["close(3) > 1", "--webhook", "https://[fe80::1]/hook"], 2, "fe80::1"),
        (["close(3) > 1", "--webhook", "http://example.com/hook"], 2, "https"),
        (["close(3) > 1", "--webhook", "https://localhost/hook"], 2, "localhost is 127.0.0.1"),
        (["close(3) > 1", "--secret-file", sys.executable], 2, "a secret is whsec_"),
    ],
    ids=[
        *("syntax", "interval", "symbol", "once", "cooldown", "re-arm", "margin", "confirmed"),
        *("loopback", "private", "link-local", "plain HTTP", "this machine", "binary"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_and_not_kept(world, condvest, arguments, code, words):
    ran = condvest("alerts", "add", "mine", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err
    assert world.number("SELECT count(*) FROM alert_rules") == 0


def test_the_log_of_a_rule_that_never_was_names_those_there_are(world, condvest):
    condvest("alerts", "add", "mine", "close(3) > 1", "--rearm", " close( 3 )<1 ", "--cooldown", "2h")
    assert world.ask("SELECT rearm, cooldown FROM alert_rules") == [("close(3) < 1", "120 minutes")]
    ran = condvest("alerts", "log", "--rule", "yours")
    assert (ran.code, ran.out) == (2, "")
    assert "no rule 'yours'; there are mine" in ran.err
    assert condvest("alerts", "log", "--rule", "mine").code == 0


def test_the_log_of_a_symbol_that_nobody_carries_is_refused(world, condvest):
    world.bars([bar("A", world.date(0))])
    ran = condvest("alerts", "log", "--symbols", "A,TYPO")
    assert (ran.code, ran.out) == (1, "")
    assert "no instrument carries or carried the symbol TYPO" in ran.err
    assert condvest("alerts", "log", "--symbols", "A").code == 0
