"""Another thread makes things while those that are made are in use."""

import threading
from itertools import chain

import pytest

from condvest.batch_layer.shared.utils.prefetch import prefetch_batches, submit_in_order


@pytest.mark.parametrize("most", [1, 3, 100])
def test_the_items_come_in_their_order(most):
    """All of them, in lists that are neither empty nor longer than asked, and none of nothing."""
    batches = list(prefetch_batches(range(50), most))
    assert list(chain(*batches)) == list(range(50))
    assert {len(batch) for batch in batches} <= set(range(1, most + 1))
    assert list(prefetch_batches((), most)) == []


def test_so_many_are_made_while_others_are_in_use():
    """Two are made before the first is given back, the fourth is not; then both come at once."""
    made = {number: threading.Event() for number in range(6)}

    def make():
        for number, event in made.items():
            event.set()
            yield number
            if number == 0:
                first_is_in_use.wait(timeout=10)

    first_is_in_use = threading.Event()
    batches = prefetch_batches(make(), 2)
    assert next(batches) == [0]
    first_is_in_use.set()
    assert made[2].wait(timeout=10)
    assert not made[3].is_set()
    assert list(chain(*batches)) == [1, 2, 3, 4, 5]


def test_an_error_comes_after_what_was_made_before_it():
    """What was made before it is good."""

    def make():
        yield 1
        yield 2
        raise ValueError("the third is broken")

    batches, came = prefetch_batches(make(), 2), []
    with pytest.raises(ValueError, match="the third is broken"):
        came.extend(chain.from_iterable(batches))
    assert came == [1, 2]


def test_who_stops_does_not_wait():
    """Though the next item would never be made; the thread makes no other after it."""
    never, ended, wanted = threading.Event(), threading.Event(), []

    def make():
        try:
            yield 1
            never.wait()
            yield 2
            wanted.append(3)
        finally:
            ended.set()

    batches = prefetch_batches(make(), 1)
    assert next(batches) == [1]
    batches.close()
    never.set()
    assert ended.wait(timeout=10)
    assert wanted == []


def test_work_begins_at_once_and_goes_in_turn():
    """The second is under way before anybody asks for the first, and the third waits for the second."""
    begun = {number: threading.Event() for number in range(3)}
    go_on = threading.Event()

    def work(number):
        begun[number].set()
        if number == 1:
            go_on.wait(timeout=10)
        return number * 10

    results = submit_in_order(work, range(3))
    assert begun[1].wait(timeout=10)
    assert results[0].result(timeout=10) == 0
    assert not begun[2].is_set()
    go_on.set()
    assert [one.result(timeout=10) for one in results] == [0, 10, 20]


def test_nothing_is_worked_on_after_an_error():
    """Those after it have its error too."""
    tried = []

    def work(number):
        tried.append(number)
        if number == 1:
            raise OSError("the disk is full")
        return number

    first, *others = submit_in_order(work, range(4))
    for one in others:
        with pytest.raises(OSError, match="the disk is full"):
            one.result(timeout=10)
    assert first.result(timeout=10) == 0
    assert tried == [0, 1]
