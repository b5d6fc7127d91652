"""Turns of symbols against a vendor that is away, limits, or fails now and then; no second passes really."""

from itertools import pairwise

import pytest

from condvest.batch_layer.shared.clients.yahoo.rounds import PATIENCE, Rounds
from condvest.batch_layer.shared.errors import RateLimited, SymbolGone, VendorUnavailable


class Vendor:
    """Answers by a script: what a request at an instant for a symbol ends with, and how long it takes."""

    def __init__(self, script, takes=0.0):
        self.script, self.takes = script, takes
        self.now, self.asked = 0.0, []

    def ask(self, symbol):
        self.asked.append((self.now, symbol))
        self.now += self.takes
        answer = self.script(symbol, self.now)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(self, seconds):
        self.now += seconds

    def rounds(self, pause=0.0):
        return Rounds(self.ask, pause, lambda: self.now, self.sleep)


def away(_, __):
    return VendorUnavailable("no answer from Yahoo")


@pytest.mark.parametrize("count", [1, 2, 3, 50, 5_000])
@pytest.mark.parametrize("takes", [0.0, 30.0])
def test_acceptance_7_a_vendor_that_is_away_ends_any_number_of_symbols_in_three_minutes(count, takes):
    vendor = Vendor(away, takes)
    answers = dict(vendor.rounds(pause=2.5).answers(str(number) for number in range(count)))
    assert len(answers) == count
    assert {type(error) for error in answers.values()} == {VendorUnavailable}
    assert vendor.now <= 180
    assert len(vendor.asked) < 100


def test_who_was_not_asked_about_is_told_why():
    vendor = Vendor(away)
    answers = dict(vendor.rounds(pause=2.5).answers(str(number) for number in range(100)))
    assert str(answers["99"]).startswith("99: not asked for, since ")
    assert str(answers["0"]).startswith("0: no answer from Yahoo; asked 3 times, and Yahoo has")


def test_one_symbols_bad_luck_keeps_nobody():
    """B fails three times: A and C are asked about meanwhile, each once."""

    def script(symbol, now):
        return VendorUnavailable("odd") if symbol == "B" and now < 70 else symbol.encode()

    vendor = Vendor(script)
    order = [symbol for symbol, _ in vendor.rounds().answers("ABC")]
    assert order == ["A", "C", "B"]
    assert vendor.asked == [(0, "A"), (0, "B"), (0, "C"), (2, "B"), (12, "B"), (72, "B")]


def test_a_limited_rate_holds_for_all_symbols():
    def script(symbol, now):
        return RateLimited("slow down", 45.0) if now < 45 else symbol.encode()

    vendor = Vendor(script)
    assert dict(vendor.rounds().answers("ABC")) == {"A": b"A", "B": b"B", "C": b"C"}
    assert vendor.asked == [(0, "A"), (45, "B"), (45, "C"), (45, "A")]


def test_a_rate_that_stays_limited_ends_all_after_four_requests():
    vendor = Vendor(lambda *_: RateLimited("slow down", 9999.0))
    answers = dict(vendor.rounds().answers("ABCDEF"))
    assert len(vendor.asked) == 4
    assert vendor.now == 900
    assert sum("not asked for, since Yahoo limits" in str(error) for error in answers.values()) >= 2


def test_two_requests_are_a_pause_apart_whoever_is_asked_about():
    def script(symbol, now):
        return VendorUnavailable("odd") if int(symbol) % 3 == 0 and now < 20 else b"x"

    vendor = Vendor(script)
    assert len(dict(vendor.rounds(pause=2.5).answers(str(number) for number in range(30)))) == 30
    instants = [instant for instant, _ in vendor.asked]
    assert min(later - earlier for earlier, later in pairwise(instants)) >= 2.5


def test_a_refusal_is_an_answer_and_nobody_is_asked_again():
    vendor = Vendor(lambda symbol, _: SymbolGone(f"{symbol}: gone"))
    answers = dict(vendor.rounds().answers("ABCDE"))
    assert {type(error) for error in answers.values()} == {SymbolGone}
    assert len(vendor.asked) == 5


def test_answers_between_silences_keep_the_vendor_present():
    """Half the symbols never come, over ten times the patience: the others all do."""

    def script(symbol, _):
        return VendorUnavailable("odd") if int(symbol) % 2 else b"x"

    vendor = Vendor(script)
    symbols = [str(number) for number in range(480)]
    answers = dict(vendor.rounds(pause=2.5).answers(symbols))
    assert vendor.now > 10 * PATIENCE
    assert {symbol for symbol, answer in answers.items() if answer == b"x"} == set(symbols[::2])
