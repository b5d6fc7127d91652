"""What is kept of answers: bounded in bytes, and made once."""

import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext

import pytest

from condvest.serving_layer.kept import Kept

LARGEST = 10_000


def test_a_value_that_is_put_again_counts_once():
    kept = Kept(LARGEST)
    for _ in range(100):
        kept.put("key", "value", 4000)
    kept.put("other", "value", 3000)
    assert kept.bytes <= LARGEST
    assert (kept.find("key"), kept.find("other")) == ("value", "value")


def test_the_least_recently_used_go_first_and_what_is_too_large_is_not_kept():
    kept = Kept(LARGEST)
    for key in "ab":
        kept.put(key, key, 3500)
    assert kept.find("a") == "a"
    kept.put("c", "c", 3500)
    kept.put("d", "d", LARGEST)
    assert [kept.find(key) for key in "abcd"] == ["a", None, "c", None]


def test_empty_values_are_bounded_too():
    kept = Kept(LARGEST)
    for key in range(1000):
        kept.put(key, "", 0)
    assert sum(kept.find(key) is not None for key in range(1000)) < 10


@pytest.fixture
def ask_at_once(monkeypatch):
    """Let eight threads ask for a value, which is made once seven of them wait for it; return the answers."""
    waiting = threading.Semaphore(0)

    class Counted(Future):
        def result(self):
            waiting.release()
            return super().result(10)

    monkeypatch.setattr("condvest.serving_layer.kept.Future", Counted)

    def ask(kept, value):
        made = []

        def make():
            made.append(1)
            assert all(waiting.acquire(timeout=10) for _ in range(7))
            return value()

        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(kept.get, "key", make, lambda size: size) for _ in range(8)]
            answers = [one.exception(10) or one.result() for one in asked]
        assert made == [1]
        return answers

    return ask


@pytest.mark.parametrize("size", [1, 2 * LARGEST])
def test_of_many_that_ask_at_once_one_makes_the_value(ask_at_once, size):
    """Whether it is small enough to be kept or not: who waits for it gets it."""
    assert ask_at_once(Kept(LARGEST), lambda: size) == [size] * 8


def test_an_error_is_every_ones_who_waits(ask_at_once):
    assert {type(one) for one in ask_at_once(Kept(LARGEST), lambda: 1 // 0)} == {ZeroDivisionError}


def test_what_belongs_to_another_key_is_given_and_not_kept():
    kept = Kept(LARGEST)
    assert kept.get("old", lambda: "new", len, lambda value: value == "old") == "new"
    assert kept.find("old") is None


def test_an_error_is_raised_and_the_next_one_tries_again():
    kept = Kept(LARGEST)
    with pytest.raises(ZeroDivisionError):
        kept.get("key", lambda: 1 // 0, lambda _: 1)
    assert kept.get("key", lambda: 2, lambda _: 1) == 2


def test_who_waits_for_one_that_is_interrupted_makes_the_value():
    """Ctrl-C reaches the thread that makes it, and no other."""
    kept, begun = Kept(LARGEST), threading.Event()

    def interrupted():
        begun.set()
        assert waiting.wait(10)
        raise KeyboardInterrupt

    waiting = threading.Event()

    class Counted(Future):
        def result(self):
            waiting.set()
            return super().result(10)

    with ThreadPoolExecutor(2) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr("condvest.serving_layer.kept.Future", Counted)
        first = pool.submit(kept.get, "key", interrupted, len)
        assert begun.wait(10)
        second = pool.submit(kept.get, "key", lambda: "value", len)
        assert isinstance(first.exception(10), KeyboardInterrupt)
        assert second.result(10) == "value"
    assert kept.find("key") == "value"


def test_a_signal_handler_that_asks_does_not_wait_for_what_it_interrupts():
    kept = Kept(LARGEST)

    def made():
        return "outer " + kept.get("key", lambda: "inner", len)

    assert kept.get("key", made, len) == "outer inner"
    assert kept.find("key") == "outer inner"


class Interrupting(dict):
    """Values by key, among which a signal handler comes at any access."""

    def __init__(self, handler):
        super().__init__()
        self._handler = handler

    def pop(self, key, *default):
        former = super().pop(key, *default)
        self._handler()
        return former


@pytest.mark.parametrize("raises", [True, False])
def test_a_signal_handler_in_the_midst_of_putting_leaves_the_count_right(raises):
    kept = Kept(LARGEST)
    kept.put("key", "old", 2000)

    def handler():
        kept.put("key", "of the handler", 1000)
        if raises:
            raise KeyboardInterrupt

    kept._values = Interrupting(handler)
    kept._values["key"] = ("old", 2000 + 1024)
    with pytest.raises(KeyboardInterrupt) if raises else nullcontext():
        kept.put("key", "new", 1500)
    assert kept.bytes == sum(size for _, size in kept._values.values())
    kept._values = OrderedDict(kept._values)
    kept.put("other", "value", 1)
    assert kept.find("other") == "value"
